"""The blocks of code in a Markdown page: fenced ones, and indented ones, whose language is told by their first word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

SHELL = ["curl", "docker", "find", "hf", "make", "pip", "python", "sightline", "torchrun"]
_PYTHON = re.compile(r"(from|import|class|def|with) |[\w., ]+ = |[\w.]+\(")
_YAML = re.compile(r"[\w ]+:$")


class Block(NamedTuple):
    """A block of code: its language, its lines without indentation, and the number of its first line, from 1."""

    language: str
    lines: list[str]
    number: int


class Text(NamedTuple):
    """Lines that are no code, as they are."""

    lines: list[str]
    number: int


def parts(page: str) -> Iterator[Text | Block]:
    """A page of Markdown as its blocks of code and the text between them, in order.

    A fence is one at the start of a line. Indented lines are code behind an empty line, unless they continue a list.
    """
    lines, text, number = page.split("\n"), list[str](), 0
    while number < len(lines):
        end = _end_of_block(lines, number)
        if end == number:
            text.append(lines[number])
            number += 1
            continue
        if text:
            yield Text(text, number - len(text) + 1)
        yield _block(lines[number:end], number + 1)
        text, number = [], end
    if text:
        yield Text(text, number - len(text) + 1)


def _end_of_block(lines: list[str], start: int) -> int:
    """The line after the block that starts at ``start``; ``start`` if none does."""
    if lines[start].startswith("```"):
        return next(n for n in range(start + 1, len(lines)) if lines[n].startswith("```")) + 1
    if not lines[start].startswith("    ") or (start and lines[start - 1]) or _in_list(lines[:start]):
        return start
    end = start
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end


def _in_list(before: list[str]) -> bool:
    last = next((line for line in reversed(before) if line.strip()), "")
    return bool(re.match(r"\s*([-*]|\d+\.) |\s+\S", last)) and not last.startswith("    ")


def _block(lines: list[str], number: int) -> Block:
    if lines[0].startswith("```"):
        return Block(lines[0].strip("`").strip(), lines[1:-1], number + 1)
    lines = [line[4:] for line in lines]
    return Block(_language(lines), lines, number)


def _language(lines: list[str]) -> str:
    first = next((line for line in lines if line and not line.startswith("#")), "")
    word = first.split(" ", 1)[0]
    if word in SHELL or first.startswith("$ "):
        return "sh"
    if _YAML.match(first):
        return "yaml"
    return "json" if word.startswith("{") else "python" if _PYTHON.match(first) else "text"
