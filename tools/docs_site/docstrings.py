"""Docstrings in the form that mkdocstrings shows well, for the reference; the code keeps its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from griffe import Extension, Object

_EQUATION = re.compile(r"\S[^.`]*\s(=|>=|<=)\s")
_SEVERAL = re.compile(r"(\s+)(\w+(?:, \w+)+):(.*)")


class Docstrings(Extension):
    """Equations keep their lines, examples are code, and names that share a description get one each."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            text = "\n".join(_one_name_each(text.split("\n")))
            obj.docstring.value = "\n\n".join(map(_as_code, text.split("\n\n")))


def _one_name_each(lines: list[str]) -> Iterator[str]:
    """``a, b: text``, with the lines that continue it, once for each name."""
    number = 0
    while number < len(lines):
        entry, number = [lines[number]], number + 1
        if not (several := _SEVERAL.fullmatch(entry[0])):
            yield entry[0]
            continue
        while number < len(lines) and lines[number].startswith(several[1] + " "):
            entry.append(lines[number])
            number += 1
        for name in several[2].split(", "):
            yield from [f"{several[1]}{name}:{several[3]}", *entry[1:]]


def _as_code(paragraph: str) -> str:
    lines = paragraph.split("\n")
    if lines[0].startswith(">>> "):
        return "\n".join(["```pycon", *lines, "```"])
    return "\n".join(["```text", *lines, "```"]) if all(map(_EQUATION.match, lines)) else paragraph
