"""Regions of COCO, from ``instances_SPLIT.json`` beside ``captions_SPLIT.json``: boxes of eighty categories.

COCO does not link boxes to the words of captions. A word, or two in a row, that is a category's name, in singular or
plural, gets all boxes of that category: "two dogs" those of every dog. Synonyms are not matched.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sightline.annotations.text import read_text
from sightline.data.example import Box, Example, Region
from sightline.data.regions.base import Located, register_regions, relative_box
from sightline.data.regions.nouns import singular
from sightline.errors import SightlineError
from sightline.vocabulary import split_words

Boxes = dict[tuple[str, ...], tuple[Box, ...]]  # a category's name, its words in the singular -> boxes


@register_regions("coco_instances", looks_for="COCO's instances_*.json, also in annotations/", rank=3)
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """Read the files in ``root`` or its ``annotations/``, or the one file ``root``; photos match by file name."""
    files = sorted(path for folder in (root, root / "annotations") for path in folder.glob("instances_*.json"))
    if root.is_file() and root.match("instances_*.json"):
        files = [root]
    if not files:
        return None
    wanted = {example.name.rpartition("/")[2]: example for example in examples}
    regions, problems = {}, []
    for path in files:
        boxes, odd = _boxes(path, wanted.keys())
        problems += odd
        for name, by_category in boxes.items():
            example = wanted[name]
            regions[example.name] = tuple(tuple(_regions(caption, by_category)) for caption in example.captions)
    return Located(f"COCO's {', '.join(map(str, files))}", regions, tuple(problems))


def _boxes(path: Path, wanted: Collection[str]) -> tuple[dict[str, Boxes], list[str]]:
    """File name -> category -> boxes, of the wanted photos; and the places of annotations that make no sense."""
    try:
        document = json.loads(read_text(path))
        names = {entry["id"]: _words(entry["name"]) for entry in document["categories"]}
        images = {
            image["id"]: (image["file_name"].rpartition("/")[2], image["width"], image["height"])
            for image in document["images"]
            if image["file_name"].rpartition("/")[2] in wanted
        }
        annotations = enumerate(document["annotations"])
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise SightlineError(f"{path}: not COCO's instances ({error!r}); fetch the file again") from None
    boxes: dict[str, Boxes] = {name: {} for name, _, _ in images.values()}
    problems = []
    for index, annotation in annotations:
        try:
            if annotation["image_id"] not in images:
                continue
            name, width, height = images[annotation["image_id"]]
            left, top, wide, high = annotation["bbox"]
            category = names[annotation["category_id"]]
            box = relative_box(left, top, left + wide, top + high, width, height)
        except (ValueError, TypeError, KeyError, ZeroDivisionError):
            problems.append(f"{path.name} annotations[{index}]")
            continue
        if box:
            boxes[name][category] = (*boxes[name].get(category, ()), box)
        # COCO's boxes may exceed the photo by half a pixel, from rounding.
        if not box or min(left, top) < -0.5 or left + wide > width + 0.5 or top + high > height + 0.5:
            problems.append(f"{path.name} annotations[{index}] (a box lies outside the photo {name})")
    return boxes, problems


def _regions(caption: str, boxes: Boxes) -> Iterator[Region]:
    """The longest category name at each word: a "hot dog" is not a dog."""
    words = _words(caption)
    start = 0
    while start < len(words):
        named = [name for name in boxes if words[start : start + len(name)] == name]
        longest = max(named, key=len, default=())
        if longest:
            yield Region(start, start + len(longest), boxes[longest])
        start += max(1, len(longest))


def _words(text: str) -> tuple[str, ...]:
    return tuple(map(singular, split_words(text)))
