"""Markdown's and MDX's `![](path "title")`, `![][name]`, and their `<img>`.

markdown-it-py and its like tell which lines a block has, and not where in them an image is. What is read here is
CommonMark's syntax of images; code, comments and blocks of HTML are told by their simple forms.
"""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Iterator

from sightline.alt.html import images
from sightline.alt.syntax import (
    MARK,
    MASK,
    TEMPLATES,
    Mention,
    covered,
    lines,
    mask,
    paragraph_end,
    register_syntax,
)

_FRONT_MATTER = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n(?:[^\n]*+\n)*?\1[ \t]*\r?(?:\n|\Z)")
_QUOTE = re.compile(r"(?: {0,3}> ?)*")
_HEADING = re.compile(r" {0,3}(?:#{1,6}(?:[ \t]|$)|(?:\*[ \t]*+){3,}$|(?:-[ \t]*+){3,}$)")  # or a line across the page
_ITEM = re.compile(r"([ \t]*)((?:[-*+]|\d{1,9}[.)])[ \t]+)")
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*(`{3,}+(?=[^`]*+$)|~{3,}+)")
_RAW = {f"<{name}": f"</{name}>" for name in ("pre", "script", "style", "textarea")}
_BLOCKS = (
    "address|article|aside|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|"
    "figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|nav|ol|"
    "optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
_HTML_BLOCK = re.compile(rf"^ {{0,3}}</?(?:{_BLOCKS})(?=[\s/>])", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(r"\n[ \t\r]*+\n")  # ends a block of HTML

_BRACKET = re.compile(r"\\[\s\S]|!\[|\[|\]")
_DEEPEST = 1000  # brackets that are open at once; before these, none is an image's
_PLACE = re.compile(
    r"\(\s*+(?:<([^<>\n]*+)>|((?:[^\s()\\]|\\[\s\S]|\((?:[^\s()\\]|\\[\s\S])*\))*))"
    r"""(?:\s++(?:"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|\((?:[^()\\]|\\[\s\S])*\)))?\s*+\)"""
)
_NAME = re.compile(r"\[((?:[^\[\]\\]|\\[\s\S]){0,999})\]")
_DEFINITION = re.compile(r"^ {0,3}\[((?:[^\[\]\\\n]|\\.){1,999})\]:\s*+(?:<([^<>\n]*+)>|(\S++))", re.MULTILINE)
_ATTRIBUTES = re.compile(r"\{[^{}\n]*+\}")


@register_syntax(".md", ".markdown")
def markdown_images(text: str) -> Iterator[Mention]:
    """The images of a Markdown page, in the order of syntaxes."""
    shown = mask(_without_code(text, has_indented=True), {"<!--": "-->", **_RAW, **TEMPLATES}, code_spans=True)
    yield from _images(text, shown, f"<!-- {MARK} -->")
    yield from images(text, shown, is_markdown=True)


@register_syntax(".mdx")
def mdx_images(text: str) -> Iterator[Mention]:
    """The images of an MDX page, where braces hold a program, and comments."""
    shown = _without_braces(mask(_without_code(text, has_indented=False), _RAW, code_spans=True))
    yield from _images(text, shown, f"{{/* {MARK} */}}", is_mdx=True)
    yield from images(text, shown, is_markdown=True)


def _without_code(text: str, has_indented: bool) -> str:
    """The text with front matter, fenced and, if it ``has_indented``, indented code covered."""
    kept = list[str]()
    front = found.end() if (found := _FRONT_MATTER.match(text)) else 0
    fence, quote, item, after_blank, in_code = "", "", 0, True, False
    for start, line, end in lines(text):
        prefix = _QUOTE.match(line)
        assert prefix is not None
        inner = line[prefix.end() :]
        indent = _width(inner)
        is_blank = not inner.strip()
        is_code = True
        if start < front:
            pass
        elif fence and not (quote and not prefix[0].strip()) and (is_blank or indent >= item):
            if inner.strip() and set(inner.strip()) == {fence[0]} and len(inner.strip()) >= len(fence):
                fence = ""
        elif has_indented and not is_blank and indent >= item + 4 and (after_blank or in_code):
            fence, in_code = "", True
        else:
            fence, is_code = "", False
            if (found := _ITEM.match(inner)) and indent < item + 4:
                item = _width(found[1]) + len(found[2])
            elif after_blank and not is_blank and indent < item:
                item = 0
            in_code = in_code and is_blank
            if indent < item + 4 and (opening := _FENCE.match(inner)):
                fence, quote, is_code, in_code = opening[1], prefix[0].strip(), True, False
                item = min(item, indent) if indent < item and not found else item
        after_blank = is_blank or bool(_HEADING.match(inner))
        kept += covered(line) if is_code else line, end
    return "".join(kept)


def _width(text: str) -> int:
    """Columns of the blanks that a line begins with."""
    return len(text[: len(text) - len(text.lstrip(" \t"))].expandtabs(4))


def _without_braces(text: str) -> str:
    pieces, kept, start, depth = list[str](), 0, 0, 0
    for brace in re.finditer(r"\\[{}]|[{}]", text):
        if brace[0] == "{":
            start = start if depth else brace.start()
            depth += 1
        elif brace[0] == "}" and depth:
            depth -= 1
            if not depth:
                pieces += text[kept:start], covered(text[start : brace.end()])
                kept = brace.end()
    return "".join((*pieces, text[kept:]))


def _images(text: str, shown: str, mark: str, is_mdx: bool = False) -> Iterator[Mention]:
    definitions = dict[str, str]()
    for found in _DEFINITION.finditer(shown):
        definitions.setdefault(_name(found[1]), found[2] or found[3])
    for start, end in _outside_html(shown, is_mdx):
        found_images, links = _in_paragraph(shown, start, end, definitions)
        link = deque(links)
        for first, closing, after, reference in found_images:
            while link and link[0][1] <= first:
                link.popleft()
            is_linked = bool(link) and link[0][0] < first
            yield _mention(text, shown, (first, closing, after), reference, is_linked, mark)


def _outside_html(text: str, is_mdx: bool) -> Iterator[tuple[int, int]]:
    """Each paragraph's start and end, but for those that begin as a block of HTML, which Markdown leaves alone."""
    start = 0
    while start < len(text):
        end = paragraph_end(text, start)
        block = None if is_mdx else _HTML_BLOCK.search(text, start, end)
        yield start, block.start() if block else end
        if block:
            end = blank.end() if (blank := _BLANK_LINE.search(text, block.start())) else len(text)
        start = end


def _in_paragraph(
    text: str, start: int, end: int, definitions: dict[str, str]
) -> tuple[list[tuple[int, int, int, str]], list[tuple[int, int]]]:
    """A paragraph's images (start, closing bracket, end, reference), and its outermost links (start, end), in order."""
    found, links = list[tuple[int, int, int, str]](), list[tuple[int, int]]()
    opened = deque[tuple[int, bool]](maxlen=_DEEPEST)
    for bracket in _BRACKET.finditer(text, start, end):
        token, position = bracket[0], bracket.start()
        if token in ("[", "!["):
            opened.append((position, token == "!["))
        elif token == "]" and opened:
            first, is_image = opened.pop()
            place = _place(text, first + 1 + is_image, position, end, definitions)
            if place is None:
                continue
            if is_image:
                found.append((first, position, *place))
            else:
                while links and links[-1][0] > first:
                    links.pop()
                links.append((first, place[0]))
    return sorted(found), links


def _place(text: str, first: int, closing: int, end: int, definitions: dict[str, str]) -> tuple[int, str] | None:
    """Where a link or an image whose text is between two brackets ends, and what it leads to; None if it is none."""
    if place := _PLACE.match(text, closing + 1, end):
        target = place[1] if place[1] is not None else place[2]
        return place.end(), html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", target))
    name = _NAME.match(text, closing + 1, end)
    label = name[1] if name and name[1] else text[first : min(closing, first + 999)]
    if (reference := definitions.get(_name(label))) is None:
        return None
    return name.end() if name else closing + 1, html.unescape(reference)


def _name(label: str) -> str:
    return " ".join(label.split()).casefold()


def _mention(text: str, shown: str, place: tuple[int, int, int], reference: str, is_linked: bool, mark: str) -> Mention:
    first, closing, after = place
    alt = text[first + 2 : closing]
    if attributes := _ATTRIBUTES.match(text, after):  # they belong to what is right before them
        after = after if text.startswith(mark, after) else attributes.end()

    def insertions(words: str, is_draft: bool) -> list[tuple[int, str]]:
        escaped = re.sub(r"([\\\[\]*_`<>&$~|{}!#])", r"\\\1", words)
        return [(first + 2, escaped), *([(after, mark)] if is_draft else [])]

    left = "computed" if MASK in reference else "linked" if is_linked else ""
    state = "missing" if not alt.strip() else "draft" if text.startswith(mark, after) else "text"
    return Mention(first, "" if MASK in reference else reference, state, alt, left, insertions)
