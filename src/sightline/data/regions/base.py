"""Regions: bounding boxes of the phrases of captions, and the registry of sources that they are read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.example import Box, Example, Regions
from sightline.errors import SightlineError
from sightline.registry import Registry


@dataclass(frozen=True)
class Located:
    """The regions of some examples, from one source.

    Attributes:
        source: the kind of source and its path, such as ``"Flickr30k Entities in DIR"``.
        regions: image name -> its `Regions`; images without any are left out.
        problems: annotations that make no sense and are left out, each with its place.
    """

    source: str
    regions: Mapping[str, Regions]
    problems: tuple[str, ...] = ()

    @property
    def photos(self) -> int:
        """How many photos have at least one box."""
        return sum(map(any, self.regions.values()))


Read = Callable[[Path, Sequence[Example]], Located | None]


@dataclass(frozen=True)
class RegionReader:
    """A registered source: given a folder and examples it gives their regions, or None if it has no files there."""

    name: str
    looks_for: str
    rank: int
    read: Read


REGION_READERS: Registry[RegionReader] = Registry("reader of regions", "regions", "sightline.data.regions")


def register_regions(name: str, *, looks_for: str, rank: int) -> Callable[[Read], Read]:
    """Make a reader known under ``name``.

    Args:
        looks_for: the files that it reads, as an error message names them.
        rank: sources are tried in this order, and the first that is there is used: 0 for regions in the dataset's own
            shards, 1 for those drawn with it, 2 for boxes that people gave to the captions' phrases (Flickr30k
            Entities), 3 for boxes of categories, which are matched to words by name (COCO).
    """

    def register(read: Read) -> Read:
        REGION_READERS.add(name, RegionReader(name, looks_for, rank, read), by=read)
        return read

    return register


def check_path(path: Path | None) -> None:
    """Raise `SightlineError` where a person named a file or folder of regions that does not exist."""
    if path is not None and not path.exists():
        raise SightlineError(f"{path}: there is no such file or folder of regions; give another --regions")


def read_regions(root: Path, examples: Sequence[Example], path: Path | None = None) -> Located | None:
    """The regions of ``examples``, from the source of the lowest rank in ``root``, or in ``path``; None without one.

    Raises:
        SightlineError: the source cannot be read, or there are none in ``path``.
    """
    check_path(path)
    readers = sorted(REGION_READERS.values(), key=lambda reader: reader.rank)
    results = (reader.read(path or root, examples) for reader in readers)
    located = next((result for result in results if result is not None), None)
    if path is None or located is not None:
        return located
    raise SightlineError(f"{path}: holds no regions; looked for {'; '.join(reader.looks_for for reader in readers)}")


def relative_box(left: float, top: float, right: float, bottom: float, width: float, height: float) -> Box | None:
    """A box in pixels of a photo ``width`` x ``height`` as a `Box`, clipped to the photo; None if outside it."""
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
