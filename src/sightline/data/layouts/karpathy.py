"""Karpathy's JSON, the form in which Flickr8k, Flickr30k and COCO share one format and their usual splits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.annotations.match import find_photos
from sightline.annotations.split_names import split_named
from sightline.annotations.text import read_text
from sightline.data.layout import Progress, Source, register_layout
from sightline.errors import SightlineError


@dataclass(frozen=True)
class Karpathy:
    """What one such file says; see `sightline.data.layout.Source`."""

    captions: dict[str, tuple[str, ...]]
    splits: dict[str, tuple[str, ...]] | None
    unread: tuple[str, ...]


@register_layout("karpathy", looks_for="dataset*.json with images, their split and sentences", rank=1)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``images[]`` with ``filename``, ``sentences[].raw`` and, where there are, ``filepath`` and ``split``.

    The photos lie below ``root``; an image's name is ``filepath/filename``. Of several files, that one counts of whose
    photos there are any.
    """
    said = {path.name: read_karpathy(path) for path in sorted(root.glob("dataset*.json"))}
    read = {name: content for name, content in said.items() if content}
    found = {name: find_photos(root, content.captions) for name, content in read.items()}
    if not read:
        return None
    there = {name: sum(image in found[name].photos for image in content.captions) for name, content in read.items()}
    several = [name for name, count in there.items() if count] or list(there)
    if len(several) > 1:
        told = ", ".join(f"{name} ({there[name]:,} of whose photos are here)" for name in several)
        raise SightlineError(f"{root}: several datasets, {told}; keep one")
    (name,) = several
    return Source(
        read[name].captions,
        found[name].photos,
        read[name].splits,
        read[name].unread,
        read=(name,),
        unclear=found[name].unclear,
    )


def read_karpathy(path: Path) -> Karpathy | None:
    """What the file says; None if it holds no list of images.

    Raises:
        SightlineError: it is no JSON, no image in it makes sense, or a split is unknown.
    """
    images = _images(path)
    if images is None:
        return None
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, dict[str, None]] = {}
    odd: list[str] = []
    for index, image in enumerate(images):
        place = f"{path.name} images[{index}]"
        record = _record(image)
        if record is None:
            odd.append(place)
            continue
        name, sentences, split = record
        captions[name] = (*captions.get(name, ()), *sentences)
        if split:
            splits.setdefault(split_named(split, f"{path.parent / place}"), {})[name] = None
    if odd and not captions:
        raise SightlineError(f"{path.parent / odd[0]}: an image needs a filename and sentences, each with its raw text")
    return Karpathy(captions, {split: tuple(names) for split, names in splits.items()} or None, tuple(odd))


def _images(path: Path) -> list[Any] | None:
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SightlineError(f"{path}: not JSON ({error}); fetch the file again") from None
    images = document.get("images") if isinstance(document, dict) else None
    return images if isinstance(images, list) else None


def _record(image: Any) -> tuple[str, list[str], str] | None:
    """An image's name, sentences and split, if it has one; None if it makes no sense."""
    try:
        name = "/".join(part for part in ((image.get("filepath") or "").strip("/"), image["filename"]) if part)
        sentences = [sentence["raw"].strip() for sentence in image["sentences"]]
        return name, sentences, (image.get("split") or "").strip()
    except (AttributeError, KeyError, TypeError):
        return None
