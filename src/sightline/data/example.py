"""One captioned photo of a dataset, and the regions of its captions' phrases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sightline.images.source import ImageSource

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of width and height: 0 <= left < right <= 1, 0 <= top < bottom <= 1."""


@dataclass(frozen=True)
class Region:
    """A phrase of a caption with the boxes of what it names.

    Attributes:
        start, stop: the phrase is ``split_words(caption)[start:stop]``; it has at least one word.
        boxes: one or more, as the phrase names one thing or several.
    """

    start: int
    stop: int
    boxes: tuple[Box, ...]


Regions: TypeAlias = tuple[tuple[Region, ...], ...]
"""The regions of a photo, aligned with its captions."""


@dataclass(frozen=True)
class Example:
    """One photo of a dataset.

    Attributes:
        name: its name in the dataset.
        photo: where its bytes are.
        captions: one or more, none of them empty.
        regions: aligned with the captions, or empty if none are known; `Dataset.located_split` fills them in.
    """

    name: str
    photo: ImageSource
    captions: tuple[str, ...]
    regions: Regions = ()
