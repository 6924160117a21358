"""reStructuredText's `.. image::` and `.. figure::`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sightline.alt.html import SMALL
from sightline.alt.syntax import MARK, Mention, lines, register_syntax

_MARKED = f".. {MARK}"
_IMAGE = re.compile(
    r"((?:[-*+]|\w{1,9}[.)]|#\.|\|)?[ \t]*)(\.\.[ \t]+(?:\|[^|]+\|[ \t]+)?(?:image|figure)::)(?:[ \t]+(.*))?$"
)
_OPTION = re.compile(r":((?:[^:\\]|\\.)+):(?:[ \t]+(.*))?$")
# What is below these is no text of the page: literal blocks, and comments.
_LITERAL = re.compile(
    r"\.\.[ \t]+(?:[\w.:-]+:)?(?:code|code-block|sourcecode|raw|parsed-literal|literalinclude|highlight|math|prompt|"
    r"doctest|testcode|testoutput|testsetup|csv-table|graphviz|mermaid|jinja|ipython|plot)::|"
    r"\.\.[ \t]++(?!\[|_|\||[\w.:+-]+::)|(?!\.\.[ \t]).*::[ \t]*$"
)

_Line = tuple[int, str, str]


@register_syntax(".rst", ".rest")
def restructured_images(text: str) -> Iterator[Mention]:
    """The images and figures of a page."""
    all_lines = list(lines(text))
    if text.startswith("\ufeff"):  # it is in no column
        all_lines[0] = (1, all_lines[0][1][1:], all_lines[0][2])
    literal: int | None = None
    image_column: int | None = None  # of an image whose path and options may go on
    for number, (_, line, _) in enumerate(all_lines):
        bare = line.lstrip(" \t")
        indent = len(line) - len(bare)
        if not bare:
            image_column = None
            continue
        if (literal is not None and indent > literal) or (image_column is not None and indent > image_column):
            continue
        literal = image_column = None
        if image := _IMAGE.match(bare):
            image_column = indent + len(image[1])
            yield _mention(text, all_lines, number, image_column, image)
        elif _LITERAL.match(bare) or (bare.rstrip() == ".." and _text_at(all_lines, number + 1)):
            literal = indent


def _text_at(all_lines: list[_Line], number: int) -> str:
    return all_lines[number][1].strip() if number < len(all_lines) else ""


def _mention(text: str, all_lines: list[_Line], number: int, column: int, image: re.Match[str]) -> Mention:
    start, line, end = all_lines[number]
    parts, options, indent = [image[3] or ""], dict[str, str](), ""
    last = number  # the line after which an option may be
    for below, (_, content, _) in enumerate(all_lines[number + 1 : number + 51], start=number + 1):
        bare = content.strip(" \t")
        if not bare or len(content) - len(content.lstrip(" \t")) <= column:
            break
        if option := _OPTION.match(bare):
            options[option[1].lower()] = option[2] or ""
        elif options:
            continue  # an option's text goes on
        else:
            parts.append(bare)
            last = below
        indent = indent or content[: len(content) - len(content.lstrip(" \t"))]
    before = re.sub(r"[^ \t]", " ", line[:column])
    indent = indent or before + "   "
    new_line = end or (all_lines[0][2] or "\n")
    after = all_lines[last][0] + len(all_lines[last][1])

    def insertions(alt: str, is_draft: bool) -> list[tuple[int, str]]:
        mark = [(start + column, f"{_MARKED}{new_line}{before}")] if is_draft else []
        return [*mark, (after, f"{new_line}{indent}:alt: {alt}")]

    reference = "".join(part.strip() for part in parts)
    is_computed = not reference or any(sign in reference for sign in ("{{", "{%", "|"))
    left = "computed" if is_computed else "linked" if "target" in options else "small" if _is_small(options) else ""
    alt = options.get("alt")
    state = "missing" if alt is None else "text" if alt else "decorative"
    above = all_lines[number - 1][1] if number else ""
    if state == "text" and above.strip(" \t-*+").endswith(_MARKED):
        state = "draft"
    return Mention(start + column, "" if is_computed else reference, state, alt or "", left, insertions)


def _is_small(options: dict[str, str]) -> bool:
    sides = (re.fullmatch(r"(\d{1,9})(?:px)?", options.get(name, "").strip()) for name in ("width", "height"))
    return any(side and int(side[1]) < SMALL for side in sides)
