"""Regions: bounding boxes of what the phrases of captions name, by which attention is supervised and scored.

sightline data check FOLDER --plugin regions.py

Here: a file boxes.psv beside the captions, with lines such as `a.jpg | dog | 0.1 0.2 0.5 0.9`: a word, and its box's
left, top, right and bottom as shares of the photo's width and height.
"""

from collections.abc import Sequence
from pathlib import Path

from sightline.data.example import Box, Example, Region
from sightline.data.regions.base import Located, register_regions, relative_box
from sightline.vocabulary import split_words

FILE = "boxes.psv"


# Rank 2: boxes that people drew; `register_regions` says which others there are.
@register_regions("pipes", looks_for=f"{FILE}, lines of photo | word | box", rank=2)
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """The regions of ``examples``, or None where there is no such file in ``root``."""
    path = root / FILE
    if not path.is_file():
        return None
    boxes: dict[tuple[str, str], list[Box]] = {}
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            name, word, corners = (part.strip() for part in line.split("|"))
            left, top, right, bottom = map(float, corners.split())
        except ValueError:
            problems.append(f"{FILE} line {number}: not photo | word | left top right bottom")
            continue
        if box := relative_box(left, top, right, bottom, width=1, height=1):
            boxes.setdefault((name, word.lower()), []).append(box)
    regions = {
        example.name: tuple(_regions(example.name, text, boxes) for text in example.captions) for example in examples
    }
    return Located(f"{FILE} in {root}", {name: each for name, each in regions.items() if any(each)}, tuple(problems))


def _regions(name: str, caption: str, boxes: dict[tuple[str, str], list[Box]]) -> tuple[Region, ...]:
    """A region for each word of the caption that has boxes; positions are those of `split_words`."""
    words = enumerate(split_words(caption))
    return tuple(Region(at, at + 1, tuple(boxes[name, word])) for at, word in words if (name, word) in boxes)
