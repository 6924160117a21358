"""Reading the text files and listing the photos of a dataset, the same way for every layout."""

from __future__ import annotations

import io
import json
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.photos.formats import is_photo
from sightline.photos.place import File, Place

_SPLIT_LISTS = {"train": "*trainImages.txt", "val": "*devImages.txt", "test": "*testImages.txt"}


def as_path(path: object) -> Path:
    """A path as a person may pass it; `SightlineError` if it is none."""
    if not isinstance(path, str | os.PathLike) or isinstance(path, bytes):
        raise SightlineError(f"{path!r}: not a path; pass a string or a Path")
    return Path(path)


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


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """`read_lines` of a text that was read."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            yield number, line.strip()


# A photo may be named "1.jpg.1", so the number is what stands after the first "#" that a blank follows.
_TOKEN_LINE = re.compile(r"(.+?)#\d+(?:\s+(.*))?")


def parse_token_line(line: str) -> tuple[str, str] | None:
    """The photo and the caption, maybe empty, of a line ``1.jpg#0<tab>a dog``; None if it is no such line."""
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


def read_split_lists(folder: Path) -> dict[str, tuple[str, ...]] | None:
    """The image names in ``*trainImages.txt``, ``*devImages.txt`` and ``*testImages.txt``; None without any list.

    Raises:
        SightlineError: two files claim the same split.
    """
    splits = {}
    for split, pattern in _SPLIT_LISTS.items():
        lists = _visible(folder.glob(pattern))
        if len(lists) > 1:
            names = " and ".join(path.name for path in lists)
            raise SightlineError(f"{folder}: {names} both list the {split} split; keep one")
        if lists:
            splits[split] = tuple(dict.fromkeys(line for _, line in read_lines(lists[0])))
    return splits or None


def list_photos(folder: Path, named: Collection[str], prefix: str = "") -> dict[str, Place]:
    """``prefix`` + file name -> its place, for what looks like a photo or is in ``named``; empty if there is no folder.

    One listing of the folder and no look at any single file, so that 100,000 photos take a moment.
    """
    if not folder.is_dir():
        return {}
    photos: dict[str, Place] = {}
    for file in sorted(os.listdir(folder)):  # noqa: PTH208  (a name, not a Path, for each of a million)
        name = prefix + unicodedata.normalize("NFC", file)
        if not file.startswith(".") and (is_photo(file) or name in named):
            photos[name] = File(os.path.join(folder, file))  # noqa: PTH118
    return photos


def find_photos(root: Path, named: Collection[str]) -> dict[str, Place]:
    """The photos of a dataset whose files name them by path, relative to ``root`` or to a folder right below it.

    The first of these folders that holds any of them counts; the other photos beside them are listed too.
    """
    prefixes = {name[: name.rfind("/") + 1] for name in named}
    for base in (root, *_visible(path for path in root.iterdir() if path.is_dir())):
        photos: dict[str, Place] = {}
        for prefix in sorted(prefixes):
            photos |= list_photos(base / prefix, named, prefix)
        if any(name in photos for name in named):
            return photos
    return {}


def _visible(paths: Iterable[Path]) -> list[Path]:
    # Archives packed on a Mac carry a hidden "._" twin of every file.
    return sorted((path for path in paths if not path.name.startswith(".")), key=lambda path: path.name)
