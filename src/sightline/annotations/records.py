"""Tables of photos and captions, read from CSV, JSON lines, JSON and Parquet alike: one record a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.annotations.delimited import parse_table
from sightline.annotations.match import folder_of
from sightline.annotations.split_names import SPLITS, split_in, split_named
from sightline.annotations.text import first_line, group_captions, read_lines, read_text
from sightline.images.columns import CAPTION_COLUMNS, PHOTO_COLUMNS, find_column, plain_column, plain_photo, split_cell
from sightline.images.source import ImageSource


@dataclass(frozen=True)
class Records:
    """What a file says, row by row.

    Attributes:
        photo: the name of the photo's column.
        caption: the name of the caption's column, or of a list of captions.
        rows: the line of each, and its values by lower-case column; None where the line makes no sense.
        photos: name -> the photos that the file itself holds, once its rows are gone through.
    """

    photo: str
    caption: str
    rows: Iterable[tuple[int, Mapping[str, Any] | None]]
    photos: Mapping[str, ImageSource] = field(default_factory=dict)


@dataclass(frozen=True)
class Collected:
    """What the tables of a dataset say together; see `sightline.data.layout.Source`."""

    captions: dict[str, tuple[str, ...]]
    splits: dict[str, tuple[str, ...]] | None
    unread: tuple[str, ...]
    photos: dict[str, ImageSource]


def read_records(path: Path) -> Records | None:
    """What the file says; None if it names no column for the photo or none for the caption."""
    return _READERS.get(path.suffix.lower(), _read_delimited)(path)


def _read_delimited(path: Path) -> Records | None:
    table = parse_table(read_text(path), PHOTO_COLUMNS, CAPTION_COLUMNS)
    return Records(table.photo, table.caption, table.rows) if table else None


def _read_json_lines(path: Path) -> Records | None:
    return _of_objects([(number, _record(line)) for number, line in read_lines(path)])


def _read_json(path: Path) -> Records | None:
    """A list of objects; any other JSON, broken too, is none of ours."""
    if not first_line(path).startswith("["):  # without reading all of what may be half a gigabyte of boxes
        return None
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError):
        return None
    return _of_objects([(number, _plain(entry)) for number, entry in enumerate(content, start=1)])


def _of_objects(rows: list[tuple[int, dict[str, Any] | None]]) -> Records | None:
    names = next((row for _, row in rows if row), {})
    photo, caption = find_column(PHOTO_COLUMNS, names), find_column(CAPTION_COLUMNS, names)
    return Records(photo, caption, rows) if photo and caption else None


def _record(line: str) -> dict[str, Any] | None:
    try:
        return _plain(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _plain(entry: Any) -> dict[str, Any] | None:
    return {plain_column(key): value for key, value in entry.items()} if isinstance(entry, dict) else None


def _read_parquet(path: Path) -> Records | None:
    from sightline.annotations.parquet import read_parquet

    return read_parquet(path)


DELIMITED, OBJECTS, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")
_READERS: dict[str, Callable[[Path], Records | None]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    **dict.fromkeys(PARQUET, _read_parquet),
}


def collect(tables: Mapping[str, Records], folders: bool = False) -> Collected:
    """Image -> captions, and so on, of tables by their paths in the dataset.

    The splits come from a column "split"; else from the words of the tables' paths, as in ``train.csv`` and
    ``val.csv``; else from those of the photos' folders, if every photo lies in one and there are several.

    Args:
        tables: path, with ``/``, relative to the dataset's folder -> what it says.
        folders: whether the photos' names are relative to their table's folder rather than to the dataset's. In a
            folder named for a split they are in any case.

    Raises:
        SightlineError: a row is in a split that there is not.
    """
    rows = _Rows()
    homes = {path: split_in(path) for path in tables}
    several = len(set(homes.values())) > 1
    captions = group_captions(
        pair
        for path, table in tables.items()
        for pair in rows.pairs(path, table, homes[path] if several else "", folders or bool(split_in(folder_of(path))))
    )
    splits = _listed(rows.splits) or splits_of_folders(captions)
    return Collected(captions, splits, tuple(rows.unread), rows.photos)


class _Rows:
    """Goes through tables, and keeps what they say beside the captions."""

    def __init__(self) -> None:
        self.splits: dict[str, dict[str, None]] = {}
        self.unread: list[str] = []
        self.photos: dict[str, ImageSource] = {}

    def pairs(self, path: str, table: Records, home: str, in_folder: bool) -> Iterator[tuple[str, str]]:
        """(image, caption), row by row."""
        prefix = folder_of(path) if in_folder else ""
        written, image = None, ""  # a photo's rows mostly follow one another
        for line, row in table.rows:
            name, text, split = (row.get(table.photo), row.get(table.caption), row.get("split")) if row else (None,) * 3
            if name != written or name is None:
                written, image = name, _photo_name(name)
            # Of a million rows, most are one caption.
            texts = [text.strip()] if isinstance(text, str) and not text.startswith("[") else _texts(text)
            split = split or home
            if not image or texts is None or not isinstance(split, str):
                self.unread.append(f"{path} line {line}")
                continue
            named = prefix + image
            if split:
                self.splits.setdefault(split_named(split, f"{path} line {line}"), {})[named] = None
            for caption in texts:
                yield named, caption
        self.photos |= {prefix + name: place for name, place in table.photos.items()}


def _photo_name(value: Any) -> str:
    """What a cell calls the photo; empty if it is neither text nor a whole number."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return plain_photo(str(value)) if is_number or isinstance(value, str) else ""


def splits_of_folders(images: Iterable[str]) -> dict[str, tuple[str, ...]] | None:
    """Split -> images, by the words of their folders; None unless every image has a split, and there are several."""
    splits: dict[str, dict[str, None]] = {}
    homes: dict[str, str] = {}
    for image in images:
        folder = folder_of(image.replace("\\", "/"))
        if folder not in homes:
            homes[folder] = split_in(folder)
        splits.setdefault(homes[folder], {})[image] = None
    return _listed(splits) if len(splits) > 1 and "" not in splits else None


def _listed(splits: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {split: tuple(splits[split]) for split in SPLITS if split in splits}


def _texts(value: Any) -> list[str] | None:
    """A caption or a list of captions as a list; None if it is neither."""
    texts = split_cell(value) if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    return [text.strip() for text in texts]
