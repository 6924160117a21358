"""Read the text files of a dataset, list its folders, and parse the lines of ``.token`` files."""

from __future__ import annotations

import html
import io
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from sightline.errors import SightlineError

TEXT_SUFFIXES = (".txt", ".caption")  # of a file with the captions of one photo, one a line


ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]+\d*);", re.IGNORECASE)
# Not "<unk>" nor "a < b": the names of HTML's elements, with attributes that have values. The first kind parts words.
_APART = r"br|p|div|h[1-6]|hr|li|ol|ul|td|th|tr|table|blockquote"
TAG = re.compile(
    rf"</?(?:({_APART})|a|abbr|b|big|center|cite|code|del|em|font|i|img|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u)"
    r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))*\s*/?>""",
    re.IGNORECASE,
)


def plain_caption(caption: str) -> str:
    """A caption without HTML's tags, its entities as the characters they stand for; as it is if nothing else is in it.

    >>> plain_caption("Tom &amp; <i>Jerry</i>,<br>a cat &lt;3 a mouse")
    'Tom & Jerry, a cat <3 a mouse'
    """
    if "&" not in caption and "<" not in caption:
        return caption
    text = caption
    for _ in range(3):  # some are written twice: "&amp;quot;"
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = TAG.sub(lambda tag: " " if tag[1] else "", text)
    return caption if text == caption else " ".join(text.split()) or caption


def read_text(path: Path) -> str:
    """The file's text, UTF-8 or UTF-16 (else `SightlineError`), in Unicode's composed form, without a byte order mark.

    Composed, because some file systems and editors write ``ü`` as two characters, and names would not match.
    """
    data = path.read_bytes()
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SightlineError(f"{path} line {line}: this is not UTF-8 text; save the file as UTF-8") from None
    return unicodedata.normalize("NFC", text)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of every line that is not blank, stripped; line ends may be any of the usual."""
    return split_lines(read_text(path))


def beginning_of(path: Path) -> str:
    """The text of the file's first 64 kB, without blanks before it; undecodable bytes are replaced."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    return start.decode(json.detect_encoding(start), "replace").lstrip()


def first_line(path: Path) -> str:
    """The first line that is not blank, of the file's first 64 kB, or ""."""
    return next((line for _, line in split_lines(beginning_of(path))), "")


def files_in(root: Path, pattern: str) -> list[str]:
    """The files in ``root``, if ``pattern`` is ``""``, or in the folders below it that one such as ``"*/"`` matches.

    Sorted, relative to ``root``, without hidden ones: archives packed on a Mac have a hidden ``._`` twin of every file.
    """
    matched = (path.relative_to(root) for path in root.glob(pattern)) if pattern else (Path(),)
    folders = (path for path in matched if not any(part.startswith(".") for part in path.parts))
    prefixes = sorted(f"{path.as_posix()}/" if path.parts else "" for path in folders if (root / path).is_dir())
    return [
        prefix + name
        for prefix in prefixes
        for name in sorted(os.listdir(root / prefix))  # noqa: PTH208  (a name, not a Path, for each of a million)
        if not name.startswith(".")
    ]


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """`read_lines` of a string."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            yield number, line.strip()


# A photo may be named "1.jpg.1", so the number is what follows the first "#" and precedes a blank. Flickr8k-CN puts the
# language before it.
_TOKEN_LINE = re.compile(r"(.+?)(?:#[a-z]+)?#\d+(?:\s+(.*))?")


def parse_token_line(line: str) -> tuple[str, str] | None:
    """Photo and caption, maybe empty, of ``1.jpg#0<tab>a dog`` or ``1#zhc#0 狗``; None for any other line."""
    match = _TOKEN_LINE.fullmatch(line)
    return (match[1], match[2] or "") if match else None
