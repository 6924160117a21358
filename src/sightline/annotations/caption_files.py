"""Captions by photo, read from the formats in which the field keeps them; the content tells which it is.

- COCO results, ``[{"image_id": 1, "caption": "..."}, ...]``, and COCO annotations, the same list under ``annotations``
- ``{"photo.jpg": ["...", "..."], ...}`` or ``{"photo.jpg": "...", ...}``, and pycocoevalcap's
  ``{"1": [{"caption": "..."}, ...], ...}``
- Karpathy's JSON, of which one split counts
- JSON lines, ``{"image": "photo.jpg", "caption": "..."}`` each, or ``"captions"`` with a list, and what
  ``sightline caption --json`` prints
- CSV with a header that names a column for the photo and one for the caption, e.g. Flickr8k's ``image,caption``
- ``.token`` files, ``photo.jpg#0<tab>caption`` a line, and Flickr8k-CN's

Columns and fields are called as `sightline.images.columns` has it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.annotations.delimited import parse_table
from sightline.annotations.split_names import split_named
from sightline.annotations.text import parse_token_line, read_text, split_lines
from sightline.errors import SightlineError
from sightline.images.columns import (
    CAPTION_COLUMNS,
    COLUMNS_TOLD,
    PHOTO_COLUMNS,
    find_column,
    plain_column,
    plain_photo,
    split_cell,
)
from sightline.model_folder import as_path

# An id comes first: of results, photos are known by it, where a dataset needs the file.
_PHOTO = tuple(sorted(PHOTO_COLUMNS, key=lambda name: name != "image_id"))
_ERROR = "error"
_SHAPES = (
    "COCO results or annotations, {photo: [captions]}, JSON lines with image and caption, or CSV with image,caption"
)

Entry = tuple[str, str]  # photo, caption


@dataclass
class CaptionFile:
    """What a file says.

    Attributes:
        entries: (photo, caption) in the order of the file.
        aliases: another name that the file gives a photo, such as COCO's file_name beside its id -> the photos.
        split: the one split that was read of several; empty where the file knows none.
        left_out: the lines that make no sense, one in a hundred at most, as Flickr30k's ``results.csv`` has one.
        failed: photo -> why it has no caption, as `sightline caption --out` writes it.
    """

    entries: list[Entry]
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


def read_references(path: str | os.PathLike[str], split: str = "test") -> dict[str, list[str]]:
    """Photo -> its captions, in the order of the file.

    ``split``: which one of a file in Karpathy's JSON; as in the literature, test unless you say otherwise.

    `SightlineError` if the file cannot be read, has no captions, or is of no known shape; it says where and the mend.
    """
    return read_captions(path, split).by_photo()


def read_hypotheses(path: str | os.PathLike[str]) -> dict[str, str]:
    """Photo -> its one caption; `SightlineError` as `read_references`, and if a photo has more than one."""
    return hypotheses_of(path, read_captions(path))


def hypotheses_of(path: str | os.PathLike[str], content: CaptionFile) -> dict[str, str]:
    """The same of what `read_captions` has read."""
    hypotheses: dict[str, str] = {}
    if content.left_out:
        raise SightlineError(f"{path}, {content.left_out[0]}; mend that line")
    for photo, caption in content.entries:
        if photo in hypotheses:
            raise SightlineError(f"{path}: {photo!r} has more than one hypothesis; keep one caption a photo")
        hypotheses[photo] = caption
    return hypotheses


def read_captions(path: str | os.PathLike[str], split: str = "test") -> CaptionFile:
    """All that the file says; see `read_references`."""
    path = as_path(path)
    try:
        text = read_text(path)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not text.strip():
        raise SightlineError(f"{path}: empty; write captions to it as {_SHAPES}")
    content = _parse(path, text, split)
    if not content.entries and content.failed:
        photo, reason = next(iter(content.failed.items()))
        raise SightlineError(f"{path}: no photo in it has a caption, each failed, such as {photo} ({reason})")
    if not content.entries:
        raise SightlineError(f"{path}: holds no captions; write captions to it as {_SHAPES}")
    return content


def _parse(path: Path, text: str, split: str) -> CaptionFile:
    lines = split_lines(text)
    number, first = next(lines)
    if first[0] not in "[{":
        return CaptionFile(list(_from_token(path, text))) if parse_token_line(first) else _from_csv(path, text)
    if first[0] == "{" and _is_json(first) and (second := next(lines, None)):
        return _from_json_lines(path, [(number, first), second, *lines])
    content = _load(path, text)
    if isinstance(content, dict) and _is_karpathy(content.get("images")):
        return _from_karpathy(path, content["images"], split_named(split, "split"))
    return _from_json(path, content)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
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
    except (ValueError, RecursionError) as error:
        raise SightlineError(f"{where}: broken JSON ({error}); write captions as {_SHAPES}") from None


def _from_json(path: Path, content: object) -> CaptionFile:
    found = CaptionFile([], _file_names(content))
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    elif isinstance(content, dict) and find_column(_PHOTO, content) and find_column(CAPTION_COLUMNS, content):
        content = [content]  # JSON lines of one line
    if isinstance(content, list):
        for number, record in enumerate(content, start=1):
            _take_record(f"{path}, entry {number}", record, found)
    elif isinstance(content, dict):
        for photo, captions in content.items():
            found.entries += _with_photo(f"{path}: {photo!r}", photo, captions)
    return found


def _from_json_lines(path: Path, lines: Iterable[tuple[int, str]]) -> CaptionFile:
    found = CaptionFile([])
    for number, line in lines:
        where = f"{path}, line {number}"
        _take_record(where, _load(where, line), found)
    return found


def _take_record(where: str, record: object, into: CaptionFile) -> None:
    if not isinstance(record, dict):
        raise SightlineError(f"{where}: not an object with image and caption; write captions as {_SHAPES}")
    fields = {plain_column(name): value for name, value in record.items()}
    photo, captions = find_column(_PHOTO, fields), find_column(CAPTION_COLUMNS, fields)
    if photo is None or captions is None:
        lacking = "photo, e.g. image_id" if photo is None else "caption"
        raise SightlineError(
            f"{where}: no field for the {lacking}; it has {', '.join(record) or 'none'}; {COLUMNS_TOLD}"
        )
    name = fields[photo]
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise SightlineError(f"{where}: {photo} is neither text nor a whole number; name the photo by one of them")
    if fields[captions] is None and fields.get(_ERROR):
        into.failed[plain_photo(str(name))] = str(fields[_ERROR])
    else:
        into.entries += _with_photo(f"{where}: {name!r}", plain_photo(str(name)), fields[captions])


def _with_photo(where: str, photo: str, captions: object) -> Iterator[Entry]:
    several = captions if isinstance(captions, list) else [captions]
    # pycocoevalcap's records hold the caption and, at times, the photo's id once more.
    texts = [one.get("caption") if isinstance(one, dict) else one for one in several]
    if not all(isinstance(text, str) for text in texts):
        raise SightlineError(f"{where} is neither a caption nor a list of captions; write captions as {_SHAPES}")
    if not texts:
        raise SightlineError(f"{where} has no caption; give it at least one, or leave it out")
    for text in texts:
        yield photo, str(text)


def _file_names(content: object) -> dict[str, set[str]]:
    """COCO's file_name -> its id, of annotations."""
    images = content.get("images") if isinstance(content, dict) else None
    aliases: dict[str, set[str]] = {}
    for image in images if isinstance(images, list) else ():
        if isinstance(image, dict) and isinstance(image.get("file_name"), str) and "id" in image:
            aliases.setdefault(image["file_name"], set()).add(str(image["id"]))
    return aliases


def _is_karpathy(images: object) -> bool:
    return isinstance(images, list) and any(isinstance(image, dict) and "sentences" in image for image in images)


def _from_karpathy(path: Path, images: list[Any], wanted: str) -> CaptionFile:
    content = CaptionFile([], split=wanted if any(_split(path, image) for image in images) else "")
    for index, image in enumerate(images):
        if content.split and _split(path, image) != wanted:
            continue
        where = f"{path}, images[{index}]"
        try:
            name = "/".join(part for part in (image.get("filepath", ""), image["filename"]) if part)
            captions = [sentence["raw"] for sentence in image["sentences"]]
        except (AttributeError, KeyError, TypeError):
            raise SightlineError(f"{where}: needs a filename and sentences, each with its raw text") from None
        content.entries += _with_photo(where, name, captions)
        for key in ("cocoid", "imgid"):
            if key in image:
                # COCO's id comes first: the other one only counts the file's images.
                content.aliases.setdefault(str(image[key]), set()).add(name)
                break
    if not content.entries:
        raise SightlineError(f"{path}: no photos in its {wanted} split; name another split")
    return content


def _split(path: Path, image: object) -> str:
    word = image.get("split") if isinstance(image, dict) else None
    return split_named(word, str(path)) if isinstance(word, str) and word else ""


def _from_token(path: Path, text: str) -> Iterator[Entry]:
    for number, line in split_lines(text):
        entry = parse_token_line(line)
        if entry is None:
            raise SightlineError(f"{path}, line {number}: not photo.jpg#0, a tab and a caption; mend that line")
        yield entry


def _from_csv(path: Path, text: str) -> CaptionFile:
    table = parse_table(text, _PHOTO, CAPTION_COLUMNS)
    if table is None:
        told = "the first line names no columns for photo and caption; begin with image,caption"
        raise SightlineError(f"{path}: {told}; {COLUMNS_TOLD}")
    content, left_out = CaptionFile([]), []
    for number, row in table.rows:
        if row is None:
            told = f"not {len(table.columns)} columns ({', '.join(table.columns)}), or a quote left open"
            left_out.append(f"line {number}: {told}")
            continue
        photo, error = plain_photo(row[table.photo]), row.get(_ERROR)
        if error and not row[table.caption]:
            content.failed[photo] = error
        else:
            content.entries += [(photo, caption) for caption in split_cell(row[table.caption])]
    if 100 * len(left_out) > len(content.entries):
        raise SightlineError(f"{path}, {left_out[0]}; mend that line")
    content.left_out = tuple(left_out)
    return content
