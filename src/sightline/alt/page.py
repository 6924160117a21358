"""A site's pages: which files are, what is read of them, and how alt texts are inserted, all else byte for byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.alt.syntax import SYNTAXES, Mention
from sightline.errors import SightlineError
from sightline.images.formats import is_hidden
from sightline.writers.writer import replace_file

LARGEST = 8 << 20  # bytes of a page: a hundred times what people read, and some seconds to look through
_NOT_THE_SITES_OWN = {"node_modules", "__pycache__"}


@dataclass(frozen=True)
class Page:
    """A page that was read.

    Attributes:
        path, site: its file, and the site's folder.
        content: the file's bytes; ``text`` are these as UTF-8, where others are kept as surrogates.
        mentions: its images, in the order of the page, each with its line, from 1.
    """

    path: Path
    site: Path
    content: bytes
    text: str
    mentions: list[tuple[int, Mention]]


def find_pages(sites: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each page once, sorted, with the folder of its site, for a file its own.

    Raises:
        SightlineError: a site is neither a folder nor a page.
    """
    seen = set[str]()
    for site in sites:
        if site.is_file() and site.suffix.lower() not in SYNTAXES:
            raise SightlineError(f"{site}: no page; pages are {', '.join(sorted(SYNTAXES))}")
        if not site.exists():
            raise SightlineError(f"{site}: no such site; name a folder of pages, or a page")
        paths = _below(site) if site.is_dir() else iter([site])
        for path in paths:
            if (real := os.path.realpath(path)) not in seen:
                seen.add(real)
                yield path, site if site.is_dir() else site.parent


def _below(site: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(site):
        folders[:] = sorted(name for name in folders if not is_hidden(name) and name not in _NOT_THE_SITES_OWN)
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in SYNTAXES and not is_hidden(name):  # noqa: PTH122  (quicker)
                yield Path(folder, name)


def read_page(path: Path, site: Path) -> Page:
    """Read a page and find its images; raises `SightlineError` if it cannot be read, is too large, or is UTF-16."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); permit it or move it away") from None
    if len(content) > LARGEST:
        raise SightlineError(f"{path}: over {LARGEST >> 20} MB, too large for a page; split it or move it away")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SightlineError(f"{path}: UTF-16; save it as UTF-8")
    text = content.decode(errors="surrogateescape")
    mentions = sorted(SYNTAXES[path.suffix.lower()](text), key=lambda mention: mention.start)
    return Page(path, site, content, text, list(_with_lines(text, mentions)))


def _with_lines(text: str, mentions: Iterable[Mention]) -> Iterator[tuple[int, Mention]]:
    line, position = 1, 0
    for mention in mentions:
        line += text.count("\n", position, mention.start)
        position = mention.start
        yield line, mention


def line_of(page: Page, mention: Mention) -> str:
    """The line that an image begins in, as it is, but for what is far from the image."""
    start = max(page.text.rfind("\n", 0, mention.start) + 1, mention.start - 200)
    end = page.text.find("\n", mention.start)
    shown = page.text[start : min(end if end >= 0 else len(page.text), mention.start + 400)].strip()
    return shown.encode(errors="replace").decode()


def insert(page: Page, text_of: Callable[[Mention], str | None], is_draft: bool) -> bytes:
    """The page's bytes with the texts, if any, that ``text_of`` gives for images that have none; inserts and no more.

    In a page that is not UTF-8, characters outside ASCII are written as references.
    """
    insertions = list[tuple[int, str]]()
    for _, mention in page.mentions:
        if mention.alt == "missing" and (text := text_of(mention)):
            insertions += mention.insertions(" ".join(text.split()), is_draft)
    encoding = "utf-8" if _is_utf8(page.content) else "ascii"
    pieces, kept = list[bytes](), 0
    for position, inserted in sorted(insertions, key=lambda one: one[0]):
        pieces += (
            page.text[kept:position].encode(errors="surrogateescape"),
            inserted.encode(encoding, "xmlcharrefreplace"),
        )
        kept = position
    return b"".join((*pieces, page.text[kept:].encode(errors="surrogateescape")))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def apply(page: Page, text_of: Callable[[Mention], str | None], is_draft: bool) -> None:
    """Write the page with the texts; raises `SightlineError` if it cannot be written, or was changed since."""
    content = insert(page, text_of, is_draft)
    try:
        is_same = page.path.read_bytes() == page.content
    except OSError:
        is_same = False
    if not is_same:
        raise SightlineError(f"{page.path}: was changed in the meantime; run the command again")
    replace_file(page.path, content)
