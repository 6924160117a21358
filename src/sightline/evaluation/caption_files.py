"""Captions by photo, read from the formats in which the field keeps them; the content tells which it is.

- COCO results, ``[{"image_id": 1, "caption": "..."}, ...]``, and COCO annotations, the same list under ``annotations``
- ``{"photo.jpg": ["...", "..."], ...}`` or ``{"photo.jpg": "...", ...}``
- JSON lines, ``{"image": "photo.jpg", "caption": "..."}`` each, or ``"captions"`` with a list
- CSV with a header that names a column for the photo and one for the caption, e.g. Flickr8k's ``image,caption``
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from sightline.errors import SightlineError

# Names by which the field calls a photo, the first found wins; then those for its caption or captions.
_PHOTO = ("image_id", "image", "image_name", "file_name", "filename", "photo", "id")
_CAPTION = ("caption", "captions", "hypothesis", "references", "comment", "text")
_SHAPES = (
    "COCO results or annotations, {photo: [captions]}, JSON lines with image and caption, or CSV with image,caption"
)

Entry = tuple[str, str]  # photo, caption


def read_references(path: Path) -> dict[str, list[str]]:
    """Photo -> its captions, in the order of the file.

    `SightlineError` if the file cannot be read, has no captions, or is of no known shape; it says where and the mend.
    """
    references: dict[str, list[str]] = {}
    for photo, caption in _entries(path):
        references.setdefault(photo, []).append(caption)
    return references


def read_hypotheses(path: Path) -> dict[str, str]:
    """Photo -> its one caption; `SightlineError` as `read_references`, and if a photo has more than one."""
    hypotheses: dict[str, str] = {}
    for photo, caption in _entries(path):
        if photo in hypotheses:
            raise SightlineError(f"{path}: {photo!r} has more than one hypothesis; keep one caption a photo")
        hypotheses[photo] = caption
    return hypotheses


def _entries(path: Path) -> Iterable[Entry]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SightlineError(f"{path}: not text in UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not text.strip():
        raise SightlineError(f"{path}: empty; write captions to it as {_SHAPES}")
    entries = list(_parse(path, text))
    if not entries:
        raise SightlineError(f"{path}: holds no captions; write captions to it as {_SHAPES}")
    return entries


def _parse(path: Path, text: str) -> Iterator[Entry]:
    if text.lstrip()[0] not in "[{":
        return _from_csv(path, text)
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if len(lines) > 1 and text.lstrip()[0] == "{" and _is_json(lines[0][1]):
        return _from_json_lines(path, lines)
    return _from_json(path, _load(path, text))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _load(where: object, text: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise SightlineError(f"{where}: {twice!r} stands there twice; keep one of the two")
        return content

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        raise SightlineError(f"{where}: broken JSON ({error}); write captions as {_SHAPES}") from None


def _from_json(path: Path, content: object) -> Iterator[Entry]:
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    elif isinstance(content, dict) and len(content) > 1 and set(content) & set(_PHOTO) and set(content) & set(_CAPTION):
        content = [content]  # JSON lines of one line
    if isinstance(content, list):
        for number, record in enumerate(content, start=1):
            yield from _from_record(f"{path}, entry {number}", record)
    elif isinstance(content, dict):
        for photo, captions in content.items():
            yield from _with_photo(f"{path}: {photo!r}", photo, captions)


def _from_json_lines(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    for number, line in lines:
        where = f"{path}, line {number}"
        yield from _from_record(where, _load(where, line))


def _from_record(where: str, record: object) -> Iterator[Entry]:
    if not isinstance(record, dict):
        raise SightlineError(f"{where}: not an object with image and caption; write captions as {_SHAPES}")
    photo, captions = _column(_PHOTO, record), _column(_CAPTION, record)
    if photo is None or captions is None:
        lacking = "photo, e.g. image_id" if photo is None else "caption"
        raise SightlineError(f"{where}: no field for the {lacking}; it has {', '.join(record) or 'none'}")
    name = record[photo]
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise SightlineError(f"{where}: {photo} is neither text nor a whole number; name the photo by one of them")
    yield from _with_photo(f"{where}: {name!r}", str(name), record[captions])


def _with_photo(where: str, photo: str, captions: object) -> Iterator[Entry]:
    several = [captions] if isinstance(captions, str) else captions
    if not isinstance(several, list) or not all(isinstance(caption, str) for caption in several):
        raise SightlineError(f"{where} is neither a caption nor a list of captions; write captions as {_SHAPES}")
    if not several:
        raise SightlineError(f"{where} has no caption; give it at least one, or leave it out")
    for caption in several:
        yield photo, caption


def _from_csv(path: Path, text: str) -> Iterator[Entry]:
    header = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t|", key=header.count)
    rows = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t")
    names = [name.strip().lower() for name in next(rows)]
    photo, caption = _column(_PHOTO, names), _column(_CAPTION, names)
    if photo is None or caption is None:
        raise SightlineError(f"{path}: the first line names no columns for photo and caption; begin with image,caption")
    photo_at, caption_at = names.index(photo), names.index(caption)
    for row in rows:
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(names):
            raise SightlineError(
                f"{path}, line {rows.line_num}: {len(row)} columns, not {len(names)} ({row[0]!r}); "
                f'put quotes ("") around captions that hold {delimiter!r}'
            )
        yield row[photo_at].strip(), row[caption_at].strip()


def _column(names: Iterable[str], found: Iterable[str]) -> str | None:
    present = set(found)
    return next((name for name in names if name in present), None)
