"""Where in a photo the things are that its captions name, and the registry of files that tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.example import Box, Example, Regions


@dataclass(frozen=True)
class Located:
    """What a source of regions says of some examples.

    Attributes:
        source: what told, and where it lies, for people.
        regions: image name -> its `Regions`; images of which nothing is known are not there.
        problems: what makes no sense and is left out, each with its place.
    """

    source: str
    regions: Mapping[str, Regions]
    problems: tuple[str, ...] = ()


RegionReader = Callable[[Path, Sequence[Example]], Located | None]
REGION_READERS: dict[str, RegionReader] = {}


def register_regions(name: str) -> Callable[[RegionReader], RegionReader]:
    """Make a reader known: given a dataset's folder and examples, what it finds there, or None if it has no files."""

    def register(read: RegionReader) -> RegionReader:
        REGION_READERS[name] = read
        return read

    return register


def read_regions(root: Path, examples: Sequence[Example]) -> Located | None:
    """What the first source of regions that there is for the dataset in ``root`` says of ``examples``; None: no source.

    Raises:
        SightlineError: the source cannot be read.
    """
    found = (read(root, examples) for read in REGION_READERS.values())
    return next((located for located in found if located is not None), None)


def relative_box(left: float, top: float, right: float, bottom: float, width: float, height: float) -> Box | None:
    """A box in pixels of a photo ``width`` x ``height`` as a `Box`, cut off at the photo's edges; None outside it."""
    box = (max(left / width, 0.0), max(top / height, 0.0), min(right / width, 1.0), min(bottom / height, 1.0))
    return box if box[0] < box[2] and box[1] < box[3] else None


def cell_shares(boxes: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    """The share of each cell of a grid (h, w) over the photo that lies in each of ``boxes`` (B, 4): (B, h, w)."""
    height, width = grid
    down, across = _overlap(boxes[:, 1], boxes[:, 3], height), _overlap(boxes[:, 0], boxes[:, 2], width)
    return down[:, :, None] * across[:, None, :]


def _overlap(starts: NDArray[np.float32], ends: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """The share of each of ``cells`` equal parts of the line from 0 to 1 that lies between starts and ends (B,)."""
    edges = np.linspace(0, cells, cells + 1, dtype=np.float32)
    low, high = starts[:, None] * cells, ends[:, None] * cells
    return (np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])).clip(0)
