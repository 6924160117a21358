"""Regions of the drawn shapes, from the ``objects.json`` that `sightline data shapes` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.annotations.text import read_text
from sightline.data.example import Example, Region
from sightline.data.regions.base import Located, register_regions, relative_box
from sightline.errors import SightlineError
from sightline.shapes.captions import pointing_targets
from sightline.shapes.draw import OBJECTS, SETTINGS, WIDTH
from sightline.vocabulary import split_words


@register_regions("shapes", looks_for=f"{OBJECTS} of `sightline data shapes`", rank=1)
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """Each colour or shape word is a phrase of its own, with the box of the object that it names."""
    path = root / OBJECTS
    if not (path.is_file() and (root / SETTINGS).is_file()):
        return None
    try:
        objects = json.loads(read_text(path))
        regions = {
            example.name: tuple(_regions(caption, objects[example.name]) for caption in example.captions)
            for example in examples
            if example.name in objects
        }
    except (ValueError, TypeError, KeyError) as error:
        raise SightlineError(f"{path}: not as `sightline data shapes` wrote it ({error!r}); draw it again") from None
    return Located(f"{OBJECTS} in {root}", regions)


def _regions(caption: str, objects: Sequence[dict[str, Any]]) -> tuple[Region, ...]:
    named = pointing_targets(split_words(caption), objects)
    boxes = ((word, relative_box(*box, WIDTH, WIDTH)) for word, box in named.items())
    return tuple(Region(word, word + 1, (box,)) for word, box in boxes if box)
