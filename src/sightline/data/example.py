"""One captioned photo of a dataset, and where in it the things are that its captions name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sightline.images.source import ImageSource

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of the photo's width and height: 0 <= left < right <= 1, and so downwards."""


@dataclass(frozen=True)
class Region:
    """A phrase of a caption, and where in the photo that is which it names.

    Attributes:
        start, stop: the phrase is ``split_words(caption)[start:stop]``; it has at least one word.
        boxes: where; at least one box, several for a phrase about several things.
    """

    start: int
    stop: int
    boxes: tuple[Box, ...]


Regions: TypeAlias = tuple[tuple[Region, ...], ...]
"""The regions of a photo, aligned with its captions."""


@dataclass(frozen=True)
class Example:
    """One photo: its name in the dataset, where its bytes are, and one or more captions, none of them empty.

    ``regions`` are aligned with the captions, or empty if nothing is known; `Dataset.located_split` fills them in.
    """

    name: str
    photo: ImageSource
    captions: tuple[str, ...]
    regions: Regions = ()
