"""Karpathy's JSON, in which Flickr8k, Flickr30k and COCO share one form and their usual splits."""

from __future__ import annotations

from pathlib import Path

from sightline.annotations.json_files import read_karpathy
from sightline.data.layout import Progress, Source, complete, register_layout
from sightline.errors import SightlineError


@register_layout("karpathy", looks_for="dataset*.json with images, their split and sentences", rank=1)
def read(root: Path, progress: Progress) -> Source | None:
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
