"""Your own data: one CSV or JSONL file that names photos and their captions, anywhere beside the photos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.data.files import find_photos, group_captions, read_lines, read_text
from sightline.data.layout import Progress, Source, register_layout, split_named
from sightline.data.rows import parse_table
from sightline.errors import SightlineError

_PHOTO_COLUMNS = ("file_name", "filename", "image", "image_name", "photo")
_CAPTION_COLUMNS = ("caption", "captions", "text", "comment")


@dataclass(frozen=True)
class Records:
    """What a file says, row by row.

    Attributes:
        photo: the name of the photo's column.
        caption: the name of the caption's column, or of a list of captions.
        rows: the line of each, and its values by lower-case column; None where the line makes no sense.
    """

    photo: str
    caption: str
    rows: Iterable[tuple[int, dict[str, Any] | None]]


@register_layout("table", looks_for="a .csv or .jsonl file with image and caption columns", rank=2)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one table; its columns are an image, a caption or a list of them, and perhaps a split.

    The photos lie under ``root`` or in a folder right below it.
    """
    found = {path: table for path in sorted(root.iterdir()) if _may_be_table(path) and (table := read_table(path))}
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise SightlineError(f"{root}: {names} all name images and captions; join them, with a split column")
    ((path, table),) = found.items()
    captions, splits, unread = collect(path, table)
    return Source(captions, find_photos(root, captions), splits, unread)


def _may_be_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".jsonl") and not path.name.startswith(".") and path.is_file()


def read_table(path: Path) -> Records | None:
    """What the file says; None if it names no column for the photo or none for the caption."""
    if path.suffix.lower() == ".jsonl":
        return _read_json_lines(path)
    table = parse_table(read_text(path), _PHOTO_COLUMNS, _CAPTION_COLUMNS)
    return Records(table.photo, table.caption, table.rows) if table else None


def _read_json_lines(path: Path) -> Records | None:
    rows = [(number, _record(line)) for number, line in read_lines(path)]
    names = next((row for _, row in rows if row), {})
    photo = next((name for name in _PHOTO_COLUMNS if name in names), None)
    caption = next((name for name in _CAPTION_COLUMNS if name in names), None)
    return Records(photo, caption, rows) if photo and caption else None


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return {key.lower(): value for key, value in record.items()} if isinstance(record, dict) else None


def collect(
    path: Path, table: Records
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]] | None, tuple[str, ...]]:
    """Image -> captions; the splits, or None without a column of that name; and the places of lines left out.

    Raises:
        SightlineError: a row is in a split that there is not.
    """
    unread: list[str] = []
    splits: dict[str, dict[str, None]] = {}
    captions = group_captions(_pairs(path, table, splits, unread))
    listed = {split: tuple(names) for split, names in splits.items()}
    return captions, listed or None, tuple(unread)


def _pairs(
    path: Path, table: Records, splits: dict[str, dict[str, None]], unread: list[str]
) -> Iterator[tuple[str, str]]:
    """(image, caption), row by row; fills ``splits`` and ``unread``."""
    for line, row in table.rows:
        image = row and row.get(table.photo)
        texts = _texts(row and row.get(table.caption))
        split = (row and row.get("split")) or ""
        if not isinstance(image, str) or not image or texts is None or not isinstance(split, str):
            unread.append(f"{path.name} line {line}")
            continue
        image = image.removeprefix("./")
        if split:
            splits.setdefault(split_named(split, f"{path} line {line}"), {})[image] = None
        for text in texts:
            yield image, text


def _texts(value: Any) -> list[str] | None:
    """A caption or a list of captions as a list; None if it is neither."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    return [text.strip() for text in texts]
