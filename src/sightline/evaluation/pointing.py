"""Whether attention and evidence lie on the thing that a word names, where boxes tell.

The words are the nouns of captions (`sightline.data.regions.nouns`) for which the photo has boxes, by any of its
captions.

- pointing: the share of them whose map peaks in a cell with its middle in one of the thing's boxes
- mass: the mean share of a map's weight that lies in the boxes, cells that they cut counting by their share

Beside these stand what needs no model: a random cell's pointing, that of the photo's middle, and the mass of attention
that is the same everywhere. Evidence below zero weighs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption
from sightline.data.example import Example
from sightline.data.regions.base import cell_shares
from sightline.data.regions.nouns import boxes_by_noun, singular
from sightline.metrics.registry import Score

Boxes = NDArray[np.float32]
NAMES = {
    "points": "pointing",
    "mass": "mass",
    "evidence_points": "evidence pointing",
    "evidence_mass": "evidence mass",
    "random_points": "random cell",
    "middle_points": "middle of photo",
    "uniform_mass": "uniform mass",
}


@dataclass(frozen=True, eq=False)
class Look:
    """One noun of a caption, and where the model looked when it said it.

    Attributes:
        photo: the photo's name.
        position: the word's place in the caption.
        noun: the word in the singular.
        boxes: of the thing that it names, float32 (B, 4).
        points, mass: of attention, see above.
        evidence_points, evidence_mass: of evidence; None where the caption has none.
        random_points, middle_points, uniform_mass: what needs no model.
    """

    photo: str
    position: int
    noun: str
    boxes: Boxes
    points: float
    mass: float
    evidence_points: float | None
    evidence_mass: float | None
    random_points: float
    middle_points: float
    uniform_mass: float


def looks(captions: Mapping[str, Caption], examples: Mapping[str, Example], nouns: frozenset[str]) -> tuple[Look, ...]:
    """A `Look` for each noun that a caption says of a thing whose boxes its photo's example knows."""
    return tuple(
        look for photo, caption in captions.items() for look in looks_of(photo, caption, examples[photo], nouns)
    )


def looks_of(photo: str, caption: Caption, example: Example, nouns: frozenset[str]) -> Iterator[Look]:
    """As `looks`, of one photo."""
    known = boxes_by_noun(example)
    for position, word in enumerate(caption.words):
        noun = singular(word)
        if noun not in nouns or noun not in known:
            continue
        boxes = known[noun]
        rests = None if caption.evidence is None else where(np.maximum(caption.evidence[position], 0), boxes)
        looked = where(caption.attention[position], boxes)
        height, width = caption.attention.shape[1:]
        inside = in_boxes(*_middles(height, width), boxes)
        yield Look(
            photo,
            position,
            noun,
            boxes,
            looked.points,
            looked.mass,
            None if rests is None else rests.points,
            None if rests is None else rests.mass,
            float(inside.mean()),
            float(in_boxes(np.array(0.5), np.array(0.5), boxes)),
            float(covered(boxes, (height, width)).mean()),
        )


class Where(NamedTuple):
    """Whether a map peaks in the boxes (1 or 0), and the share of it that lies in them."""

    points: float
    mass: float


def where(weights: NDArray[np.float32], boxes: Boxes) -> Where:
    """How a map over the photo, (h, w), none below zero, lies in ``boxes`` (B, 4)."""
    height, width = weights.shape
    total = float(weights.sum())
    if total <= 0:
        return Where(0.0, 0.0)
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    peak = in_boxes(np.array((column + 0.5) / width), np.array((row + 0.5) / height), boxes)
    return Where(float(peak), float((weights * covered(boxes, (height, width))).sum()) / total)


def in_boxes(x: NDArray[np.floating], y: NDArray[np.floating], boxes: Boxes) -> NDArray[np.bool_]:
    """Whether points, of any shape, lie in any of ``boxes`` (B, 4)."""
    left, top, right, bottom = boxes.T
    x, y = x[..., None], y[..., None]
    return np.asarray(((left <= x) & (x < right) & (top <= y) & (y < bottom)).any(-1))


def covered(boxes: Boxes, grid: tuple[int, int]) -> NDArray[np.float32]:
    """The share of each cell (h, w) that ``boxes`` (B, 4) cover together; where they overlap, once, as far as seen."""
    return cell_shares(boxes, grid).sum(0).clip(max=1)


def _middles(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns = np.mgrid[0:height, 0:width]
    return (columns + 0.5) / width, (rows + 0.5) / height


def pointing_scores(found: Sequence[Look], photos: Sequence[str]) -> tuple[Score, ...]:
    """The scores of `NAMES`, means over words; photos are what the bootstrap draws."""
    place = {photo: index for index, photo in enumerate(photos)}
    owners = np.array([place[look.photo] for look in found], np.int64)
    told = {key: [getattr(look, key) for look in found] for key in NAMES}
    return tuple(
        share(NAMES[key], values, owners, len(photos), "no noun of a known thing was said")
        for key, values in told.items()
        if None not in values
    )


def share(name: str, values: Sequence[float], owners: NDArray[np.int64], photos: int, lacking: str) -> Score:
    """The mean of values, each owned by a photo (its index); ``lacking`` says why where there is none."""
    if not values:
        return Score(name, None, note=lacking)
    sums = np.bincount(owners, weights=np.asarray(values, np.float64), minlength=photos)
    counts = np.bincount(owners, minlength=photos).astype(np.float64)
    each = np.divide(sums, counts, out=np.full(photos, np.nan), where=counts > 0)
    return Score(
        name,
        float(sums.sum() / counts.sum()),
        each,
        lambda weights: weights @ sums / np.maximum(weights @ counts, 1e-12),
    )


def by_noun(found: Iterable[Look]) -> dict[str, list[Look]]:
    """The looks of each noun, the commonest first."""
    groups: dict[str, list[Look]] = {}
    for look in found:
        groups.setdefault(look.noun, []).append(look)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))
