"""The registry of syntaxes, and what each finds: an image in a page, and what to insert to give it an alt text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sightline.registry import Registry

# Marks what a machine wrote, until a person takes the mark away: an attribute's value, or a comment.
SOURCE = "sightline"
MARK = f"alt: {SOURCE}"
# Stands for each character of what is no text of the page's own syntax: code, comments, what a template computes.
MASK = "\ue000"

TEMPLATES = {"{{": "}}", "{%": "%}", "{#": "#}", "<%": "%>", "<?": "?>"}


@dataclass(frozen=True)
class Mention:
    """An image in a page.

    Attributes:
        start: where it begins, in characters of the page's text.
        reference: the path or address that names the image, decoded; ``""`` where a template or a script computes it.
        alt: ``"missing"``, ``"text"``, ``"decorative"`` (empty, on purpose), or ``"draft"``: a text that is marked.
        text: the alt text, of a draft.
        left: why nothing is proposed: ``"linked"``, ``"small"``, ``"computed"``; ``""`` if nothing speaks against it.
        insertions: from an alt text, and whether to mark it, to pairs of an offset and the text to insert there.
    """

    start: int
    reference: str
    alt: str
    text: str = ""
    left: str = ""
    insertions: Callable[[str, bool], list[tuple[int, str]]] = lambda text, is_draft: []


Scan = Callable[[str], Iterable[Mention]]
SYNTAXES: Registry[Scan] = Registry("syntax", "syntaxes", "sightline.alt")
"""By suffix, such as ``.html``."""


def register_syntax(*suffixes: str) -> Callable[[Scan], Scan]:
    """Enter a function that finds the images in a page's text, for files of these suffixes."""

    def enter(scan: Scan) -> Scan:
        for suffix in suffixes:
            SYNTAXES.add(suffix, scan)
        return scan

    return enter


def mask(text: str, pairs: Mapping[str, str], code_spans: bool = False) -> str:
    """The text with `MASK` for all characters, but those that end lines, from each opening to its closing.

    Without a closing, comments, programs and raw elements go on to the end; other openings are text. With
    ``code_spans``, Markdown's are masked as well, which end in their paragraph, and a backslash takes its meaning from
    the character behind it. Takes time in proportion to the text: what is not found once is not looked for again.
    """
    tokens = [re.escape(one) + r"(?=[\s>])" * one[-1].isalpha() for one in pairs] + [r"`+|\\[\s\S]"] * code_spans
    openings, pieces, kept, position = re.compile("|".join(tokens)), list[str](), 0, 0
    missing, end = set[str](), 0
    while opening := openings.search(text, position):
        start, position, token = *opening.span(), opening[0]
        if token[0] == "`" and start >= end:
            end, missing = paragraph_end(text, start), {one for one in missing if one in pairs}
        if token[0] == "\\" or token in missing or len(token) > _LONGEST_RUN:
            continue
        closing = _code_span_end(text, token, position, end) if token[0] == "`" else text.find(pairs[token], position)
        if closing < 0 and token[0] == "<" and token != "<%":
            closing = len(text)
        if closing < 0:
            missing.add(token)
            continue
        position = min(len(text), closing + len(pairs.get(token, token)))
        pieces += text[kept:start], covered(text[start:position])
        kept = position
    return "".join((*pieces, text[kept:]))


_LONGEST_RUN = 32  # of backticks; more than these are text, so that there are few lengths to look for


def _code_span_end(text: str, run: str, start: int, end: int) -> int:
    closing = re.compile(f"(?<!`){run}(?!`)").search(text, start, end)
    return closing.start() if closing else -1


def covered(text: str) -> str:
    """As many characters of `MASK`; line ends stay."""
    return re.sub(r"[^\r\n]", MASK, text)


_PARAGRAPH_END = re.compile(r"\n[ \t\r]*+\n|\n(?=[ \t>]*+(?:[-*+]|\d{1,9}[.)]|#{1,6})[ \t])")


def paragraph_end(text: str, start: int) -> int:
    """Where Markdown's paragraph that holds ``start`` ends: at a blank line, a list's item, a heading, or the end."""
    end = _PARAGRAPH_END.search(text, start)
    return end.end() if end else len(text)


_LINE = re.compile(r"([^\r\n]*+)(\r\n?|\n)?")


def lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Each line's start, content and end (``""`` for the last one's)."""
    for line in _LINE.finditer(text):
        if line[0]:
            yield line.start(), line[1], line[2] or ""
