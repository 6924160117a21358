"""Karpathy's JSON, the form in which Flickr8k, Flickr30k and COCO share one format and their usual splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sightline.data.files import find_photos, read_text
from sightline.data.layout import Progress, Source, register_layout, split_named
from sightline.errors import SightlineError


@register_layout("karpathy", looks_for="dataset*.json with images, their split and sentences", rank=0)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``images[]`` with ``filename``, ``sentences[].raw`` and, where there are, ``filepath`` and ``split``.

    The photos lie under ``root`` or in a folder right below it; an image's name is ``filepath/filename``.
    """
    documents = {path: _images(path) for path in sorted(root.glob("dataset*.json"))}
    found = [(path, images) for path, images in documents.items() if images is not None]
    if not found:
        return None
    if len(found) > 1:
        raise SightlineError(f"{root}: {' and '.join(path.name for path, _ in found)} are both datasets; keep one")
    path, images = found[0]
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, list[str]] = {}
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
            splits.setdefault(split_named(split, f"{root / place}"), []).append(name)
    if odd and not captions:
        raise SightlineError(f"{root / odd[0]}: an image needs a filename and sentences, each with its raw text")
    listed = {split: tuple(dict.fromkeys(names)) for split, names in splits.items()}
    return Source(captions, find_photos(root, captions), listed or None, tuple(odd))


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
