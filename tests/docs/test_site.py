"""The site is built, without its captioner, and every link in it followed; the check finds links that are broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tools.docs_site.links import check

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_site_is_built_and_no_link_is_broken(tmp_path: Path):
    for name in ("zensical", "mkdocstrings_handlers.python", "latex2mathml"):
        pytest.importorskip(name, reason='needs pip install "sightline[docs]"; `make docs` checks the same')
    command = [sys.executable, "-m", "tools.docs_site", "--without-captioner", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    html = tmp_path / "html"
    assert "sightline caption" in (html / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    assert "AdditiveAttention" in (html / "reference" / "the_model" / "index.html").read_text(encoding="utf-8")
    assert "<math" in (html / "how_it_works" / "index.html").read_text(encoding="utf-8")
    pages = [path.read_text(encoding="utf-8") for path in html.rglob("*.html")]
    assert not any("|---" in page or "<p>- " in page for page in pages), "a table or a list is shown as text"


def test_broken_links_and_what_is_loaded_from_elsewhere_are_found(tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "index.html").write_text(
        '<h1 id="top"></h1><a href="b/#here">1</a><a href="b/index.html#gone">2</a><a href="#top">3</a>'
        '<a href="missing.html">4</a><a href="https://example.org">5</a><script src="https://example.org/x.js"></script>'
    )
    (tmp_path / "b" / "index.html").write_text('<p id="here"></p><a href="../#top">6</a><img src="../c.png">')
    checked = check(tmp_path)
    assert checked.pages == 2 and checked.inside == 6 and checked.outside == 2
    assert checked.faults == [
        "b/index.html: ../c.png: no such file",
        "index.html: b/index.html#gone: no such anchor",
        "index.html: missing.html: no such file",
        "index.html: loads https://example.org/x.js",
    ]
