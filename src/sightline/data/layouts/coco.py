"""COCO as its authors publish it, and Karpathy's JSON, one form for COCO, Flickr8k and Flickr30k with their splits."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.annotations.json_files import read_json, read_karpathy, rows_of_coco
from sightline.annotations.records import CaptionRows, Collector
from sightline.data.layout import Progress, Source, complete, register_layout
from sightline.errors import SightlineError

_NAME = re.compile(r"captions_([A-Za-z]+)(\d*)\.json")


@register_layout("coco", looks_for="annotations/captions_train2017.json beside train2017/", rank=2)
def read_published(root: Path, progress: Progress) -> Source | None:
    """Read every ``captions_SPLIT.json`` of the year whose photos are here; a photo's name is ``SPLIT/file_name``.

    The files are in ``annotations/`` or ``root``, the photos' folders anywhere below; a photo may be in another folder
    than its split's, because no two have the same file name.
    """
    paths = sorted(path for folder in (root, root / "annotations") for path in folder.glob("captions_*.json"))
    files = {path: match for path in paths if (match := _NAME.fullmatch(path.name))}
    if not files:
        return None
    years = {match[2] for match in files.values() if _has_photos(root, match[1] + match[2])}
    if len(years) > 1:
        named = " and ".join(sorted(years))
        raise SightlineError(f"{root}: photos of {named}, which share some; keep one year's in this folder")
    sources = [
        _read_year(root, {path: match for path, match in files.items() if match[2] == year})
        for year in sorted(years or {match[2] for match in files.values()})
    ]
    return max(sources, key=lambda source: sum(name in source.photos for name in source.captions))


def _read_year(root: Path, files: dict[Path, re.Match[str]]) -> Source:
    collector = Collector()
    for path, match in files.items():
        document = read_json(path)
        parts = [document.get(part) if isinstance(document, dict) else None for part in ("images", "annotations")]
        if not all(isinstance(part, list) for part in parts):
            raise SightlineError(f"{path}: not COCO's captions, of images and annotations; fetch the file again")
        rows = rows_of_coco(parts[0] or (), parts[1] or (), folder=match[1] + match[2])
        collector.add(path.name, CaptionRows(rows), split=match[1])
    names = [path.relative_to(root).as_posix() for path in files]
    return complete(root, collector.records(), names, unique=True)


def _has_photos(root: Path, folder: str) -> bool:
    return any(path.is_dir() for base in ("", "*/") for path in root.glob(base + folder))


@register_layout("karpathy", looks_for="dataset*.json with images, their split and sentences", rank=1)
def read_karpathy_json(root: Path, progress: Progress) -> Source | None:
    """Read ``images[]`` with ``filename``, ``sentences[].raw`` and, where they exist, ``filepath`` and ``split``.

    The photos are anywhere below ``root``; a photo's name is ``filepath/filename``. Of several files, the one whose
    photos are here is read.
    """
    files = {path.name: read_karpathy(path) for path in sorted(root.glob("dataset*.json"))}
    sources = {name: complete(root, records, [name]) for name, records in files.items() if records}
    if not sources:
        return None
    here = {name: sum(photo in source.photos for photo in source.captions) for name, source in sources.items()}
    several = [name for name, count in here.items() if count] or list(here)
    if len(several) > 1:
        counts = ", ".join(f"{name} ({here[name]:,} of whose photos are here)" for name in several)
        raise SightlineError(f"{root}: several datasets, {counts}; keep one")
    return sources[several[0]]
