"""COCO as its authors publish it: ``annotations/captions_train2017.json`` beside the folder ``train2017/``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sightline.annotations.match import find_photos
from sightline.annotations.split_names import split_named
from sightline.annotations.text import group_captions, read_text
from sightline.data.layout import Progress, Source, register_layout
from sightline.errors import SightlineError

_NAME = re.compile(r"captions_([A-Za-z]+)(\d*)\.json")


@register_layout("coco", looks_for="annotations/captions_train2017.json beside train2017/", rank=2)
def read(root: Path, progress: Progress) -> Source | None:
    """Read every ``captions_SPLIT.json`` of the year whose photos are there; an image's name is ``SPLIT/file_name``.

    The files lie in ``annotations/`` or under ``root``, the photos' folders anywhere below; a photo may lie in another
    folder than its split's, as no two have the same file name.
    """
    files = {path: match for path in _files(root) if (match := _NAME.fullmatch(path.name))}
    if not files:
        return None
    years = {match[2] for match in files.values() if _has_photos(root, match[1] + match[2])}
    if len(years) > 1:
        told = " and ".join(sorted(years))
        raise SightlineError(f"{root}: photos of {told}, which share some; keep one year's in this folder")
    said = [
        _read_year(root, {path: match for path, match in files.items() if match[2] == year})
        for year in sorted(years or {match[2] for match in files.values()})
    ]
    return max(said, key=lambda source: sum(name in source.photos for name in source.captions))


def _read_year(root: Path, files: dict[Path, re.Match[str]]) -> Source:
    pairs: list[tuple[str, str]] = []
    splits: dict[str, list[str]] = {}
    unread: list[str] = []
    for path, match in files.items():
        names, found, odd = _read_file(path, match[1] + match[2])
        splits.setdefault(split_named(match[1], str(path)), []).extend(names)
        pairs += found
        unread += odd
    listed = {split: tuple(dict.fromkeys(names)) for split, names in splits.items()}
    photos = find_photos(root, {name for names in listed.values() for name in names}, unique=True)
    read = tuple(path.relative_to(root).as_posix() for path in files)
    return Source(group_captions(pairs), photos.photos, listed, tuple(unread), read=read, unclear=photos.unclear)


def _files(root: Path) -> list[Path]:
    return sorted(path for folder in (root, root / "annotations") for path in folder.glob("captions_*.json"))


def _has_photos(root: Path, folder: str) -> bool:
    return any(path.is_dir() for base in ("", "*/") for path in root.glob(base + folder))


def _read_file(path: Path, folder: str) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """The names of its images, (name, caption) pairs, and the places of entries that make no sense."""
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SightlineError(f"{path}: not JSON ({error}); fetch the file again") from None
    parts = [document.get(part) if isinstance(document, dict) else None for part in ("images", "annotations")]
    if not all(isinstance(part, list) for part in parts):
        raise SightlineError(f"{path}: not COCO's captions, which have images and annotations; fetch the file again")
    unread: list[str] = []
    names: dict[Any, str] = {}
    for index, image in enumerate(parts[0] or ()):
        try:
            names[image["id"]] = f"{folder}/{image['file_name'].rpartition('/')[2]}"
        except (AttributeError, KeyError, TypeError):
            unread.append(f"{path.name} images[{index}]")
    pairs: list[tuple[str, str]] = []
    for index, annotation in enumerate(parts[1] or ()):
        try:
            pairs.append((names[annotation["image_id"]], annotation["caption"].strip()))
        except (AttributeError, KeyError, TypeError):
            unread.append(f"{path.name} annotations[{index}]")
    return list(names.values()), pairs, unread
