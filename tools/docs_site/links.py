"""Links of the built site: every one leads to a file and an anchor that are there, and no page loads from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Checked(NamedTuple):
    """What was found in a site: pages, links within it and out of it, and what is wrong, a line each."""

    pages: int
    inside: int
    outside: int
    faults: list[str]


class Page(HTMLParser):
    """The links and anchors of a page, and what its browser loads for it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors = {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given.get("id", ""), given.get("name", "") if tag == "a" else ""}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and "href" in given and given.get("rel") not in {"canonical", "prev", "next"}:
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])


def check(site: Path) -> Checked:
    """Read every page below ``site`` and follow its links."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    faults, inside, outside = list[str](), 0, 0
    for path, page in pages.items():
        name = path.relative_to(site)
        if name.name == "404.html":
            continue  # served in place of any page, so its links are absolute
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme in {"data", "blob", "javascript"}:
                continue
            if parts.scheme or parts.netloc:
                outside += 1
                if link in page.loads:
                    faults.append(f"{name}: loads {link}")
                continue
            inside += 1
            target = _file((path.parent / unquote(parts.path)).resolve() if parts.path else path)
            if not target.is_file():
                faults.append(f"{name}: {link}: no such file")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.append(f"{name}: {link}: no such anchor")
    return Checked(len(pages), inside, outside, faults)


def _file(path: Path) -> Path:
    return path / "index.html" if path.is_dir() else path
