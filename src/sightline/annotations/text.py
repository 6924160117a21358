"""Reading the text files and listing the photos of a dataset, the same way for every layout."""

from __future__ import annotations

import io
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError


def read_text(path: Path) -> str:
    """The file's text, UTF-8 or UTF-16, without a byte order mark and in Unicode's composed form.

    Composed, because some file systems and editors write ``ü`` as two characters, and names would not match.

    Raises:
        SightlineError: the file is of another encoding.
    """
    data = path.read_bytes()
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SightlineError(f"{path} line {line}: this is not UTF-8 text; save the file as UTF-8") from None
    return unicodedata.normalize("NFC", text)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, stripped, each with its number from 1; any of the usual line ends."""
    return split_lines(read_text(path))


def first_line(path: Path) -> str:
    """The first line that is not blank, of the file's first 64 kB, undecodable letters replaced; "" without any."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    text = start.decode(json.detect_encoding(start), "replace")
    return next((line for _, line in split_lines(text)), "")


def files_in(root: Path, pattern: str) -> list[str]:
    """The files in ``root``, for ``""``, or in those folders below it that a pattern such as ``"*/"`` names.

    Sorted, relative to ``root``, hidden ones apart: archives packed on a Mac carry a hidden ``._`` twin of every file.
    """
    found = (path.relative_to(root) for path in root.glob(pattern)) if pattern else (Path(),)
    folders = (path for path in found if not any(part.startswith(".") for part in path.parts))
    prefixes = sorted(f"{path.as_posix()}/" if path.parts else "" for path in folders if (root / path).is_dir())
    return [
        prefix + name
        for prefix in prefixes
        for name in sorted(os.listdir(root / prefix))  # noqa: PTH208  (a name, not a Path, for each of a million)
        if not name.startswith(".")
    ]


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """`read_lines` of a text that was read."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            yield number, line.strip()


# A photo may be named "1.jpg.1", so the number is what stands after the first "#" that a blank follows. Before it,
# Flickr8k-CN names the language.
_TOKEN_LINE = re.compile(r"(.+?)(?:#[a-z]+)?#\d+(?:\s+(.*))?")


def parse_token_line(line: str) -> tuple[str, str] | None:
    """The photo and the caption, maybe empty, of ``1.jpg#0<tab>a dog`` or ``1#zhc#0 狗``; None if it is no such."""
    match = _TOKEN_LINE.fullmatch(line)
    return (match[1], match[2] or "") if match else None


def read_token_file(path: Path) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Image -> captions of a ``.token`` file, as Flickr8k and Flickr30k came, and the places of lines left out."""
    pairs, unread = [], []
    for number, line in read_lines(path):
        if pair := parse_token_line(line):
            pairs.append(pair)
        else:
            unread.append(f"{path.name} line {number}")
    return group_captions(pairs), tuple(unread)


def group_captions(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """(image, caption) pairs as image -> captions, both in the order they came."""
    groups: dict[str, Any] = {}
    for image, caption in pairs:
        groups.setdefault(image, []).append(caption)
    for image, captions in groups.items():  # in place: of a million captions there is no second copy
        groups[image] = tuple(captions)
    return groups
