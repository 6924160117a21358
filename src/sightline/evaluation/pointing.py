"""The pointing game (Zhang et al. 2018): whether attention and evidence lie on the thing that a word names.

The words are the nouns of generated captions (`sightline.data.regions.nouns`) for which the photo has boxes, from any
of its references.

- pointing: the share of these words whose map has its maximum in a cell with its centre in one of the thing's boxes
- mass: the mean share of the map inside the boxes; a cell that a box covers in part counts in part

Baselines need no model: pointing of a random cell and of the photo's centre, and the mass of uniform attention. For
evidence, negative values count as zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption
from sightline.data.example import Example
from sightline.data.regions.base import cell_shares
from sightline.data.regions.nouns import boxes_by_noun, singular
from sightline.metrics.registry import Score

Boxes = NDArray[np.float32]
NO_NOUN = "no generated noun has boxes"
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
    """One noun of a generated caption, and where the model looked when it wrote it.

    Attributes:
        photo: the photo's name.
        position: the word's index in the caption.
        noun: the word in the singular.
        boxes: the boxes of the thing that it names, float32 (B, 4).
        points, mass: of attention, see above.
        evidence_points, evidence_mass: of evidence; None if the caption has none.
        random_points, middle_points, uniform_mass: the baselines.
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
    """A `Look` for each noun of a caption for which the photo's example has boxes."""
    all_looks = []
    for photo, caption in captions.items():
        known = boxes_by_noun(examples[photo])
        for position, noun in enumerate(map(singular, caption.words)):
            if noun in nouns and noun in known:
                boxes, (height, width) = known[noun], caption.attention.shape[1:]
                rows, columns = np.mgrid[0:height, 0:width] + 0.5
                attention = where(caption.attention[position], boxes)
                evidence: tuple[float | None, float | None] = (None, None)
                if caption.evidence is not None:
                    evidence = where(caption.evidence[position].clip(0), boxes)
                random = in_boxes(columns / width, rows / height, boxes).mean()
                middle = in_boxes(np.array(0.5), np.array(0.5), boxes)
                baselines = float(random), float(middle), float(covered(boxes, (height, width)).mean())
                all_looks.append(Look(photo, position, noun, boxes, *attention, *evidence, *baselines))
    return tuple(all_looks)


def where(weights: NDArray[np.float32], boxes: Boxes) -> tuple[float, float]:
    """Whether a map over the photo, (h, w), >= 0, has its maximum in ``boxes`` (B, 4), 1 or 0, and its share inside."""
    height, width = weights.shape
    total = float(weights.sum())
    if total <= 0:
        return 0.0, 0.0
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    peak = in_boxes(np.array((column + 0.5) / width), np.array((row + 0.5) / height), boxes)
    return float(peak), float((weights * covered(boxes, (height, width))).sum()) / total


def in_boxes(x: NDArray[np.floating], y: NDArray[np.floating], boxes: Boxes) -> NDArray[np.bool_]:
    """Whether points, of any shape, lie in any of ``boxes`` (B, 4)."""
    left, top, right, bottom = boxes.T
    x, y = x[..., None], y[..., None]
    return np.asarray(((left <= x) & (x < right) & (top <= y) & (y < bottom)).any(-1))


def covered(boxes: Boxes, grid: tuple[int, int]) -> NDArray[np.float32]:
    """The share of each cell (h, w) that ``boxes`` (B, 4) cover, at most 1 where they overlap."""
    return cell_shares(boxes, grid).sum(0).clip(max=1)


def pointing_scores(looks: Sequence[Look], photos: Sequence[str]) -> tuple[Score, ...]:
    """The scores of `NAMES`, means over words; the bootstrap draws photos."""
    indices = {photo: index for index, photo in enumerate(photos)}
    owners = np.array([indices[look.photo] for look in looks], np.int64)
    columns = {key: [getattr(look, key) for look in looks] for key in NAMES}
    return tuple(
        share(NAMES[key], values, owners, len(photos), NO_NOUN) for key, values in columns.items() if None not in values
    )


def share(name: str, values: Sequence[float], owners: NDArray[np.int64], photos: int, missing: str) -> Score:
    """The mean of values, each of the photo with index ``owners[i]``; ``missing`` is the note if there are none."""
    if not values:
        return Score(name, None, note=missing)
    sums = np.bincount(owners, weights=np.asarray(values, np.float64), minlength=photos)
    counts = np.bincount(owners, minlength=photos).astype(np.float64)
    each = np.divide(sums, counts, out=np.full(photos, np.nan), where=counts > 0)
    value = float(sums.sum() / counts.sum())
    return Score(name, value, each, lambda weights: weights @ sums / np.maximum(weights @ counts, 1e-12))


def by_noun(looks: Iterable[Look]) -> dict[str, list[Look]]:
    """The looks of each noun, the most frequent first."""
    groups: dict[str, list[Look]] = {}
    for look in looks:
        groups.setdefault(look.noun, []).append(look)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))
