"""Karpathy's JSON, the form in which Flickr8k, Flickr30k and COCO share one format and their usual splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sightline.data.files import find_photos, read_text
from sightline.data.layout import Source, register_layout, split_named
from sightline.errors import SightlineError


@register_layout("karpathy", looks_for="dataset*.json with images, their split and sentences", rank=0)
def read(root: Path) -> Source | None:
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
    for index, image in enumerate(images):
        place = f"{path} images[{index}]"
        name, sentences, split = _record(image, place)
        captions[name] = (*captions.get(name, ()), *sentences)
        if split:
            splits.setdefault(split_named(split, place), []).append(name)
    listed = {split: tuple(dict.fromkeys(names)) for split, names in splits.items()}
    return Source(captions, find_photos(root, captions), listed or None)


def _images(path: Path) -> list[Any] | None:
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise SightlineError(f"{path}: not JSON ({error}); fetch the file again") from None
    images = document.get("images") if isinstance(document, dict) else None
    return images if isinstance(images, list) else None


def _record(image: Any, place: str) -> tuple[str, list[str], str]:
    try:
        name = "/".join(part for part in (image.get("filepath", "").strip("/"), image["filename"]) if part)
        return name, [sentence["raw"].strip() for sentence in image["sentences"]], image.get("split", "").strip()
    except (AttributeError, KeyError, TypeError):
        raise SightlineError(f"{place}: an image needs a filename and sentences, each with its raw text") from None
