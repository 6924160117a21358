"""The pages as they are read on GitHub: links, tables, what is generated, and the order of the site."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from tools.docs_site.blocks import Block, parts
from tools.docs_site.reference import API

import sightline

ROOT = Path(__file__).parents[2]
CARD = ROOT / "src" / "sightline" / "model" / "MODEL_CARD.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), CARD]
IDS = [path.name for path in PAGES]


def text_lines(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page that are no code, with their numbers; code within them is left out."""
    for part in parts(page.read_text(encoding="utf-8")):
        if not isinstance(part, Block):
            yield from enumerate((re.sub(r"(`+)[^`]+\1", "`", line) for line in part.lines), part.number)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    lines = page.read_text(encoding="utf-8").split("\n")
    headings = [re.sub(r"^#+ ", "", line) for line in lines if re.match(r"#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files_and_headings_that_are_there(page: Path):
    for number, line in text_lines(page):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            path, _, anchor = target.partition("#")
            if ":" in path:
                continue
            file = page.parent / path if path else page
            assert file.exists(), f"{page.name}:{number}: {target}"
            assert not anchor or anchor in anchors(file), f"{page.name}:{number}: {target}"


def cells(line: str) -> int:
    """How many cells a row of a table has."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_row_of_a_table_has_its_columns(page: Path):
    before: tuple[int, int] = 0, 0
    for number, line in text_lines(page):
        if not line.startswith("|"):
            continue
        assert before[0] + 1 != number or before[1] == cells(line), f"{page.name}:{number}"
        before = number, cells(line)


def places(nav: Any) -> Iterator[str]:
    for entry in nav if isinstance(nav, list) else nav.values():
        if isinstance(entry, str):
            yield entry
        else:
            yield from places(entry)


def test_the_site_shows_every_page_once():
    config = tomllib.loads((ROOT / "docs" / "zensical.toml").read_text(encoding="utf-8"))
    shown = list(places(config["project"]["nav"]))
    assert len(shown) == len(set(shown))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= set(shown)


def test_the_reference_names_what_is_there():
    for names in API.values():
        for name in names:
            resolve_name(name)  # which raises where there is none


@pytest.mark.parametrize("script", ["tools/docs_code.py", "benchmarks/model_sheet.py"])
def test_what_is_generated_is_what_it_was_made_from(script: str):
    done = subprocess.run([sys.executable, ROOT / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_model_card_shows_what_the_model_writes():
    if not find_spec("skimage"):
        pytest.skip("needs scikit-image, for its photos")
    folder = Path(str(find_spec("skimage").submodule_search_locations[0])) / "data"
    recorded = json.loads((ROOT / "benchmarks" / "model_sheet.json").read_text(encoding="utf-8"))["photos"]
    captioner = sightline.load(threads=1)
    written = {name: captioner(folder / name).text for name in recorded}
    assert sum(written[name] == caption for name, caption in recorded.items()) >= len(recorded) - 2
