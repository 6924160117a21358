"""Captions in JSON: lists and lines of objects, {photo: captions}, COCO's and Karpathy's files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sightline.annotations.records import (
    CaptionRows,
    Collector,
    Records,
    Row,
    names_photo_and_caption,
    rows_of_objects,
    with_captions,
)
from sightline.annotations.text import read_text
from sightline.errors import SightlineError
from sightline.images.columns import PHOTO_COLUMNS


def parse_json(text: str, unique: bool = False) -> Any:
    """The value; `ValueError` if it is no JSON or, if ``unique``, has a key twice, of which Python keeps the last."""
    try:
        return json.loads(text, object_pairs_hook=_unique_keys if unique else None)
    except _RepeatedKey:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"broken JSON ({error})") from None


class _RepeatedKey(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _RepeatedKey(f"{twice!r} stands there twice: keep one of the two")
    return content


def rows_of_lines(
    lines: Iterable[tuple[int, str]], photo_names: Sequence[str] = PHOTO_COLUMNS, unique: bool = False
) -> Iterator[Row]:
    """The rows of JSON lines, numbered lines of an object each."""

    def parse(line: str) -> object:
        try:
            return parse_json(line, unique)
        except ValueError as error:
            return error

    return rows_of_objects(((f"line {number}", parse(line)) for number, line in lines), photo_names)


def rows_of_json(content: object, photo_names: Sequence[str] = PHOTO_COLUMNS) -> Iterator[Row]:
    """The rows of a list of objects, of COCO's annotations, of {photo: captions}, or of a single object."""
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    elif names_photo_and_caption(content, photo_names):
        content = [content]  # JSON lines of one line
    if isinstance(content, dict):
        yield from (with_captions("", photo, captions) for photo, captions in content.items())
    elif isinstance(content, list):
        entries = ((f"entry {number}", entry) for number, entry in enumerate(content, start=1))
        yield from rows_of_objects(entries, photo_names)


def coco_file_names(content: object) -> dict[str, set[str]]:
    """COCO's file_name -> ids, each as text, of annotations; empty for any other JSON."""
    names: dict[str, set[str]] = {}
    for image in karpathy_images(content) or ():
        if isinstance(image, dict) and isinstance(image.get("file_name"), str) and "id" in image:
            names.setdefault(image["file_name"], set()).add(str(image["id"]))
    return names


def rows_of_coco(images: Sequence[Any], annotations: Sequence[Any], folder: str) -> Iterator[Row]:
    """A row without captions for each image, named ``folder/file_name``, then one for each annotation."""
    names: dict[Any, str] = {}
    for index, image in enumerate(images):
        place = f"images[{index}]"
        try:
            name = names[image["id"]] = f"{folder}/{image['file_name'].rpartition('/')[2]}"
        except (AttributeError, KeyError, TypeError):
            yield Row(place, problem="needs an id and a file_name; fetch the file again")
        else:
            yield Row(place, name)
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        try:
            yield Row(place, names[annotation["image_id"]], (annotation["caption"].strip(),))
        except (AttributeError, KeyError, TypeError):
            yield Row(place, problem="needs the image_id of one of the images, and a caption; fetch the file again")


def karpathy_images(content: object) -> list[Any] | None:
    """The images of a file in Karpathy's form; None if it holds no list of images."""
    images = content.get("images") if isinstance(content, dict) else None
    return images if isinstance(images, list) else None


def rows_of_karpathy(images: Iterable[Any]) -> Iterator[Row]:
    """A row for each image, named ``filepath/filename``; its alias is COCO's id, or else the image's number."""
    for index, image in enumerate(images):
        place, split = f"images[{index}]", ""
        try:
            split = (image.get("split") or "").strip()
            name = "/".join(part for part in ((image.get("filepath") or "").strip("/"), image["filename"]) if part)
            captions = [sentence["raw"].strip() for sentence in image["sentences"]]
        except (AttributeError, KeyError, TypeError):
            problem = "needs a filename and sentences, each with its raw text"
            yield Row(place, split=split, problem=problem)
        else:
            # COCO's id comes first: the other one only counts the file's images.
            alias = next((str(image[key]) for key in ("cocoid", "imgid") if key in image), "")
            yield Row(place, name, captions, split, alias=alias)


def read_karpathy(path: Path) -> Records | None:
    """A dataset's file in Karpathy's form; None if it holds no list of images.

    Raises:
        SightlineError: it is no JSON, no image in it makes sense, or a split is unknown.
    """
    images = karpathy_images(read_json(path))
    if images is None:
        return None
    records = Collector().add(path.name, CaptionRows(rows_of_karpathy(images))).records()
    if records.problem and not records.captions:
        raise SightlineError(f"{path.parent / records.problem}")
    return records


def read_json(path: Path) -> Any:
    """The value in a downloaded file; `SightlineError` if it is no JSON."""
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise SightlineError(f"{path}: {error}; fetch the file again") from None
