"""Pages that are read on GitHub, made into pages of the site: where each lies, and what its links lead to there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from latex2mathml.converter import convert
from tools.docs_site.blocks import Block, parts

ROOT = Path(__file__).parents[2]
# Pages of the site that do not lie in docs/, and where they do.
ELSEWHERE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PICTURES = {".png", ".jpg"}
# Pages that belong to no section have nothing in the navigation beside them; without it they have room for code.
_WIDE = {"README.md", "docs/how_it_works.md"}
_LINK = re.compile(r"(?<=\])\(([^)\s]+)\)")
_CODE = re.compile(r"(`+[^`]+`+)")
_INCLUDE = re.compile(r"<!-- include: (\S+) -->")
_ITEM = re.compile(r"([-*]|\d+\.) ")
_FORMULA = re.compile(r"\$`([^`]+)`\$")


def place_of(path: str) -> str:
    """Where a file of the repository lies in the site: as a page or a picture, or else in the page of a source."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    pure = PurePosixPath(path)
    if pure.parts[0] == "docs" and pure.suffix in {".md", *PICTURES}:
        return str(pure.relative_to("docs"))
    return f"source/{path}.md"


def site_page(path: str, linked: Callable[[str], None]) -> str:
    """The Markdown of the site's page of ``path``, a Markdown file in the repository.

    Indented code becomes fenced, with its language; formulas become MathML, which browsers know; included files are
    put in. ``linked`` is told of every file in the repository that the page leads to.
    """
    page = (ROOT / path).read_text(encoding="utf-8")
    written = ["---", "hide:", "  - navigation", "---", ""] if path in _WIDE else []
    for part in parts(page):
        if not isinstance(part, Block):
            text = [_with_formulas(_relinked(line, path, linked)) for line in part.lines]
            written += _apart(text)
        elif part.language == "math":
            written.append(f'<div class="formula">{convert(" ".join(part.lines), display="block")}</div>')
        else:
            written += [f"```{part.language}", *part.lines, "```"]
    return _INCLUDE.sub(lambda include: _included(include[1], path, linked), "\n".join(written))


def _included(target: str, path: str, linked: Callable[[str], None]) -> str:
    """Another page without its title, its headings a level lower."""
    body = site_page(repository_path(target, path), linked).split("\n", 1)[1]
    return re.sub("^#", "##", body, flags=re.MULTILINE)


def repository_path(target: str, page: str) -> str:
    """The path in the repository that a relative link on ``page`` names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _relinked(line: str, page: str, linked: Callable[[str], None]) -> str:
    """A line of text whose links lead where the files lie in the site."""

    def moved(link: re.Match[str]) -> str:
        target, hash_, anchor = link[1].partition("#")
        if not target or ":" in target:
            return link[0]
        path = repository_path(target, page)
        linked(path)
        here = posixpath.dirname(place_of(page))
        return f"({posixpath.relpath(place_of(path), here or '.')}{hash_}{anchor})"

    return "".join(part if part.startswith("`") else _LINK.sub(moved, part) for part in _CODE.split(line))


def _with_formulas(line: str) -> str:
    return _FORMULA.sub(lambda formula: f"<span>{convert(formula[1])}</span>", line)


def _apart(lines: list[str]) -> list[str]:
    """Lines with an empty one before each list and table, which Python-Markdown needs, and without comments."""
    apart: list[str] = []
    for line in lines:
        if line.startswith("<!--") and not _INCLUDE.match(line):
            line = ""
        before = apart[-1] if apart else ""
        starts_list = _ITEM.match(line) and not _ITEM.match(before) and not before.startswith(" ")
        starts_table = line.startswith("|") and not before.startswith("|")
        if before and (starts_list or starts_table):
            apart.append("")
        apart.append(line)
    return apart
