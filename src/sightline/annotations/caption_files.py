"""Read any caption file; the content tells its form.

- COCO results, ``[{"image_id": 1, "caption": "..."}, ...]``, and COCO annotations, the same list under ``annotations``
- ``{"photo.jpg": ["...", "..."], ...}`` or ``{"photo.jpg": "...", ...}``, and pycocoevalcap's
  ``{"1": [{"caption": "..."}, ...], ...}``
- Karpathy's JSON, of which one split is read
- JSON lines, ``{"image": "photo.jpg", "caption": "..."}`` each, or ``"captions"`` with a list, and what
  ``sightline caption --json`` prints
- CSV with a header that names a column for the photo and one for the caption, e.g. Flickr8k's ``image,caption``
- ``.token`` files, ``photo.jpg#0<tab>caption`` a line, and Flickr8k-CN's
- Parquet, as a dataset's table

The names of columns and fields are listed in `sightline.images.columns`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sightline.annotations.delimited import Table, parse_table
from sightline.annotations.json_files import (
    coco_file_names,
    karpathy_images,
    parse_json,
    rows_of_json,
    rows_of_karpathy,
    rows_of_lines,
)
from sightline.annotations.records import FORMS, CaptionRows, Row, RowMaker, names_photo_and_caption
from sightline.annotations.split_names import split_named
from sightline.annotations.text import beginning_of, parse_token_line, read_lines, read_text, split_lines
from sightline.errors import SightlineError
from sightline.images.columns import COLUMNS_TOLD, PHOTO_COLUMNS, captions_in, plain_photo
from sightline.images.formats import is_photo
from sightline.model_folder import as_path

# An id comes first: in results it is the photo's name, where a dataset needs the file's.
_ID_FIRST = tuple(sorted(PHOTO_COLUMNS, key=lambda name: name != "image_id"))
# The beginning of {photo: captions}.
_BY_PHOTO = re.compile(r'\{\s*"((?:[^"\\]|\\.)+)"\s*:\s*["\[{]')
DELIMITED, OBJECTS, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".parquet", ".pq")


@dataclass
class CaptionFile:
    """The content of a caption file.

    Attributes:
        entries: (photo, caption) in the order of the file.
        aliases: another name that the file gives a photo, such as COCO's file_name beside its id -> the photos.
        split: the split that was read, of a file with several; otherwise empty.
        left_out: the lines of a table that make no sense, one in a hundred at most.
        failed: photo -> why it has no caption, as `sightline caption --out` writes it.
    """

    entries: list[tuple[str, str]]
    aliases: dict[str, set[str]] = field(default_factory=dict)
    split: str = ""
    left_out: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    def by_photo(self) -> dict[str, list[str]]:
        """Photo -> its captions, in the order of the file."""
        captions: dict[str, list[str]] = {}
        for photo, caption in self.entries:
            captions.setdefault(photo, []).append(caption)
        return captions

    def hypotheses(self, path: str | os.PathLike[str]) -> dict[str, str]:
        """Photo -> its one caption; `SightlineError` naming ``path`` if it has several, or if lines were left out."""
        if self.left_out:
            raise SightlineError(f"{path}, {self.left_out[0]}")
        captions = dict(self.entries)
        if len(captions) < len(self.entries):
            photo, _ = Counter(photo for photo, _ in self.entries).most_common(1)[0]
            raise SightlineError(f"{path}: {photo!r} has more than one hypothesis; keep one caption a photo")
        return captions


def read_references(path: str | os.PathLike[str], split: str = "test") -> dict[str, list[str]]:
    """Photo -> its captions, in the order of the file; of Karpathy's JSON, those of ``split``.

    Raises:
        SightlineError: the file cannot be read, has no captions, or an entry makes no sense.
    """
    return read_captions(path, split).by_photo()


def read_hypotheses(path: str | os.PathLike[str]) -> dict[str, str]:
    """Photo -> its one caption; `SightlineError` as `read_references`, and if a photo has more than one."""
    return read_captions(path).hypotheses(path)


def read_captions(path: str | os.PathLike[str], split: str = "test") -> CaptionFile:
    """The content of a file; see `read_references`."""
    path = as_path(path)
    try:
        text = read_text(path)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not text.strip():
        raise SightlineError(f"{path}: empty; write captions to it as {FORMS}")
    content = _read(path, text, split)
    if not content.entries and content.failed:
        photo, reason = next(iter(content.failed.items()))
        raise SightlineError(f"{path}: no photo in it has a caption, each failed, such as {photo} ({reason})")
    if not content.entries:
        raise SightlineError(f"{path}: holds no captions; write captions to it as {FORMS}")
    return content


def read_table(path: Path) -> CaptionRows | None:
    """The rows of a dataset's table, by its suffix: JSON lines, JSON, Parquet, or delimited text.

    JSON is a list of objects, or {photo: captions} of photos that are named with their suffix.

    None if it names no column for the photo or none for the caption; `SightlineError` if it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        from sightline.annotations.parquet import read_parquet

        return read_parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        rows = list(rows_of_lines(read_lines(path)))
        return CaptionRows(rows) if any(row.photo for row in rows) else None
    if suffix != ".json":
        return rows_of_table(read_text(path), PHOTO_COLUMNS)
    key = _BY_PHOTO.match(beginning := beginning_of(path))  # without reading all of half a gigabyte of boxes
    if not beginning.startswith("[") and not (key and is_photo(key[1])):
        return None
    try:
        content = parse_json(read_text(path))
    except ValueError:
        return None
    if isinstance(content, dict):
        is_table = captions_in(next(iter(content.values()))) is not None
    else:
        objects = (entry for entry in content if isinstance(entry, dict) and entry)
        is_table = names_photo_and_caption(next(objects, None), PHOTO_COLUMNS)
    return CaptionRows(rows_of_json(content)) if is_table else None


def rows_of_table(text: str, photo_names: tuple[str, ...]) -> CaptionRows | None:
    """The rows of delimited text; None if its first line names no column for the photo or none for the caption."""
    table = parse_table(text, photo_names)
    return CaptionRows(_rows_of_lines(table)) if table else None


def _rows_of_lines(table: Table) -> Iterator[Row]:
    columns = table.columns
    problem = f"not {len(columns)} columns ({', '.join(columns)}), or a quote left open; mend that line"
    maker = RowMaker(table.photo, table.captions)
    photo_at, caption_at = columns.index(table.photo), columns.index(table.captions[0])
    is_one = len(table.captions) == 1
    split_at = columns.index("split") if "split" in columns else None
    previous, photo = "", ""
    for number, cells in table.lines:
        if cells is None:
            yield Row(f"line {number}", problem=problem)
            continue
        if cells[photo_at] != previous:
            previous = cells[photo_at]
            photo = plain_photo(previous)
        caption = cells[caption_at]
        if is_one and photo and caption and caption[0] != "[":  # nearly all rows; as `RowMaker.make`, in half the time
            yield Row(f"line {number}", photo, (caption,), cells[split_at] if split_at is not None else "")
        else:
            yield maker.make(f"line {number}", dict(zip(columns, cells, strict=True)))


def rows_of_token_lines(lines: Iterable[tuple[int, str]]) -> CaptionRows:
    """The rows of a ``.token`` file, as Flickr8k and Flickr30k came."""
    broken = Row("", problem="not photo.jpg#0, a tab and a caption; mend that line")
    rows = ((number, parse_token_line(line)) for number, line in lines)
    return CaptionRows(
        Row(f"line {n}", row[0], (row[1],)) if row else broken._replace(place=f"line {n}") for n, row in rows
    )


def _read(path: Path, text: str, split: str) -> CaptionFile:
    """Tell the form from the first lines, and read the file by it."""
    lines = split_lines(text)
    number, first = next(lines)
    if first[0] not in "[{":
        if parse_token_line(first):
            return _strict(path, rows_of_token_lines(split_lines(text)).rows)
        table = rows_of_table(text, _ID_FIRST)
        if table is None:
            problem = "the first line names no columns for photo and caption; begin with image,caption"
            raise SightlineError(f"{path}: {problem}; {COLUMNS_TOLD}")
        return _strict(path, table.rows, tolerant=True)
    is_object = False
    with suppress(ValueError):
        is_object = isinstance(parse_json(first), dict)
    if is_object and (second := next(lines, None)):
        return _strict(path, rows_of_lines([(number, first), second, *lines], _ID_FIRST, unique=True))
    try:
        content = parse_json(text, unique=True)
    except ValueError as error:
        raise SightlineError(f"{path}: {error}; write captions as {FORMS}") from None
    images = karpathy_images(content)
    if images and any(isinstance(image, dict) and "sentences" in image for image in images):
        return _strict(path, *_of_split(path, list(rows_of_karpathy(images)), split_named(split, "split")))
    read = _strict(path, rows_of_json(content, _ID_FIRST))
    read.aliases.update(coco_file_names(content))
    return read


def _of_split(path: Path, rows: list[Row], split: str) -> tuple[list[Row], str]:
    """Karpathy's rows of one split, and its name; all rows and "" if none names a split."""
    if not any(row.split for row in rows):
        return rows, ""
    chosen = [row for row in rows if row.split and split_named(row.split, str(path)) == split]
    if not chosen:
        raise SightlineError(f"{path}: no photos in its {split} split; name another split")
    return chosen, split


def _strict(path: Path, rows: Iterable[Row], split: str = "", tolerant: bool = False) -> CaptionFile:
    """The content of rows; the first that makes no sense is raised, or, if ``tolerant``, up to 1% of them left out."""
    content, left_out = CaptionFile([], split=split), []
    for row in rows:
        problem = row.problem
        if not problem and not row.captions and not row.error:
            problem = f"{row.photo!r} has no caption; give it at least one, or leave it out"
        if problem and not tolerant:
            raise SightlineError(f"{path}{', ' * bool(row.place)}{row.place}: {problem}")
        if problem:
            left_out.append(f"{row.place}: {problem}")
        elif row.error:
            content.failed[row.photo] = row.error
        content.entries += [(row.photo, caption) for caption in row.captions]
        if row.alias:
            content.aliases.setdefault(row.alias, set()).add(row.photo)
    if 100 * len(left_out) > len(content.entries):
        raise SightlineError(f"{path}, {left_out[0]}")
    content.left_out = tuple(left_out)
    return content
