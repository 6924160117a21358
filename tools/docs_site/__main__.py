"""Write the documentation as a web site: python -m tools.docs_site [--repository OWNER/NAME] [--without-captioner]

site/sources holds its pages in Markdown, site/html the site, which any server of static files can serve. Nothing is
downloaded, except by npm the first time: ONNX Runtime for browsers, of the page that captions. The status is 1 where a
link is broken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.docs_site.links import check
from tools.docs_site.pages import ELSEWHERE, PICTURES, ROOT, place_of, site_page
from tools.docs_site.reference import api_pages, command_page
from tools.docs_site.sources import source_page

from sightline.captioner import BUNDLED_MODEL
from sightline.serve.site import write_site

CAPTIONER, _ICON = "captioner", "src/sightline/serve/page/icon.svg"
_TRY = """---
hide:
  - navigation
  - toc
---

# Try it

Caption a photo of your own: the model runs in this browser, and the photo stays on this device.
[Open it on its own](captioner/index.html){ target=_blank }

<iframe class="captioner" src="captioner/" title="Captions photos and shows where it looked"
  allow="camera; clipboard-read; clipboard-write"></iframe>
"""
_LEFT_OUT = "# Try it\n\nThis build of the documentation has no captioner; `make docs` includes it.\n"


def write_sources(folder: Path, captioner: bool) -> None:
    """Write every page of the site in Markdown, beside its pictures, and a page for each source file that they name."""
    shutil.rmtree(folder, ignore_errors=True)
    docs = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.*"))
    pages = [*ELSEWHERE, *(path for path in docs if path.endswith(".md"))]
    named, written = {*pages}, {path for path in docs if path not in pages}
    while linked := sorted(named - written):
        for path in linked:
            page = site_page(path, named.add) if path.endswith(".md") else source_page(path)
            _write(folder / place_of(path), page)
        written |= {*linked}
    for path in docs:
        if Path(path).suffix in PICTURES | {".css"}:
            copy = folder / Path(path).relative_to("docs")
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / path, copy)
    for place, page in (api_pages() | {"reference/commands.md": command_page()}).items():
        _write(folder / place, page)
    _write(folder / "try.md", _TRY if captioner else _LEFT_OUT)
    shutil.copyfile(ROOT / _ICON, folder / Path(_ICON).name)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def build(site: Path, repository: str | None, captioner: bool) -> list[str]:
    """Write the site below ``site``; what is wrong with its links, a line each."""
    write_sources(site / "sources", captioner)
    config = (ROOT / "docs" / "zensical.toml").read_text(encoding="utf-8")
    if repository:
        config = config.replace("[project]\n", f'[project]\nrepo_url = "https://github.com/{repository}"\n', 1)
    _write(site / "zensical.toml", config)
    zensical = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    if subprocess.run(zensical, cwd=site, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False).returncode:
        sys.exit("the site was not built, for the reasons above")
    if captioner:
        write_site(site / "html" / CAPTIONER, BUNDLED_MODEL)
    pages, inside, outside, faults = check(site / "html")
    print(f"{pages} pages, {inside} links within, {outside} to elsewhere, which are not followed: {len(faults)} broken")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "site")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="on GitHub, for a link to it on every page")
    parser.add_argument(
        "--without-captioner", action="store_true", help="leave out the page that captions; needs no npm"
    )
    options = parser.parse_args()
    if faults := build(options.out, options.repository, not options.without_captioner):
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
