"""Your own data: one CSV or JSONL file that names photos and their captions, anywhere beside the photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline.data.files import find_photos, group_captions, read_lines, read_rows
from sightline.data.layout import Source, register_layout, split_named
from sightline.errors import SightlineError

_IMAGE_COLUMNS = ("file_name", "filename", "image", "image_name")
_CAPTION_COLUMNS = ("caption", "captions", "text", "comment")
_DELIMITERS = ",;\t|"

# A row of a table: the line it stands on, and its cells by lower-case column; None where the line makes no sense.
Row = tuple[int, dict[str, Any] | None]


@register_layout("table", looks_for="a .csv or .jsonl file with image and caption columns", rank=2)
def read(root: Path) -> Source | None:
    """Read the folder's one table; its columns are an image, a caption or a list of them, and perhaps a split.

    The photos lie under ``root`` or in a folder right below it.
    """
    tables = [path for path in sorted(root.iterdir()) if not path.name.startswith(".") and _columns(path)]
    if not tables:
        return None
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise SightlineError(f"{root}: {names} all name images and captions; join them, with a split column")
    path = tables[0]
    image_column, caption_column = _columns(path) or ("", "")
    pairs: list[tuple[str, str]] = []
    unread: list[str] = []
    splits: dict[str, list[str]] = {}
    for line, row in _rows(path):
        image = row and row.get(image_column)
        texts = _texts(row and row.get(caption_column))
        split = (row and row.get("split")) or ""
        if not isinstance(image, str) or not image or texts is None or not isinstance(split, str):
            unread.append(f"{path.name} line {line}")
            continue
        image = image.removeprefix("./")
        pairs += [(image, text) for text in texts]
        if split:
            splits.setdefault(split_named(split, f"{path} line {line}"), []).append(image)
    captions = group_captions(pairs)
    listed = {split: tuple(dict.fromkeys(names)) for split, names in splits.items()}
    return Source(captions, find_photos(root, captions), listed or None, tuple(unread))


def _columns(path: Path) -> tuple[str, str] | None:
    """The table's image column and caption column; None if the file is no such table."""
    if path.suffix.lower() not in (".csv", ".tsv", ".jsonl") or not path.is_file():
        return None
    _, first = next(_rows(path), (0, None))
    image = next((name for name in _IMAGE_COLUMNS if name in (first or ())), None)
    caption = next((name for name in _CAPTION_COLUMNS if name in (first or ())), None)
    return (image, caption) if image and caption else None


def _rows(path: Path) -> Iterator[Row]:
    return _json_rows(path) if path.suffix.lower() == ".jsonl" else _csv_rows(path)


def _json_rows(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        is_object = isinstance(record, dict)
        yield number, {key.lower(): value for key, value in record.items()} if is_object else None


def _csv_rows(path: Path) -> Iterator[Row]:
    _, first_line = next(read_lines(path), (0, ""))
    delimiter = max(_DELIMITERS, key=first_line.count)
    rows = read_rows(path, delimiter)
    _, header = next(rows, (0, []))
    columns = [name.lower() for name in header]
    for line, cells in rows:
        yield line, dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else None


def _texts(value: Any) -> list[str] | None:
    """A caption or a list of captions as a list; None if it is neither."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    return [text.strip() for text in texts]
