"""The bootstrap over photos: percentile intervals of scores, and the paired test of a difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics.registry import Resampled, Score

Floats = NDArray[np.float64]
_BLOCK = 100  # resamples at a time, so that memory does not grow with their number


@dataclass(frozen=True)
class Difference:
    """One corpus score minus another's on the same photos, and the ends of the interval of this difference.

    ``p_value``: two-sided share of resamples on the wrong side of zero, in (0, 1]; small means that the difference is
    unlikely to come from the choice of photos.
    """

    value: float
    low: float
    high: float
    p_value: float


def resample(
    statistics: Sequence[Resampled],
    photos: int,
    resamples: int = 1000,
    seed: int = 0,
    order: Sequence[int] | None = None,
) -> Floats:
    """Each of S statistics under draws of ``photos`` photos with replacement, float64 ``(S, resamples)``.

    All statistics, and all calls with the same seed, use the same draws: that makes comparisons paired. ``order`` lists
    the photos' indices as the draws are to meet them. ``ValueError`` if there is no photo or no draw.
    """
    if photos < 1 or resamples < 1:
        raise ValueError(f"{photos} photos drawn {resamples} times: both must be 1 or more")
    random = np.random.default_rng(seed)
    uniform = np.full(photos, 1 / photos)
    sizes = [min(_BLOCK, resamples - done) for done in range(0, resamples, _BLOCK)]
    places = slice(None) if order is None else np.argsort(order)
    draws = (random.multinomial(photos, uniform, size).astype(np.float64)[:, places] for size in sizes)
    blocks = [np.stack([statistic(weights) for statistic in statistics]) for weights in draws]
    return np.concatenate(blocks, axis=1)


def intervals(
    scores: Iterable[Score],
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    order: Sequence[int] | None = None,
) -> dict[str, tuple[float, float]]:
    """Name -> percentile bootstrap interval of the corpus score (Efron and Tibshirani 1993, chapter 13).

    The scores must be of the same photos; those that cannot be resampled are left out. ``order`` as in `resample`.
    """
    usable = [
        (score.name, score.resampled, len(score.per_photo))
        for score in scores
        if score.resampled is not None and score.per_photo is not None
    ]
    if not usable:
        return {}
    names, statistics, photos = zip(*usable, strict=True)
    values = resample(statistics, photos[0], resamples, seed, order)
    return {name: _percentiles(row, level) for name, row in zip(names, values, strict=True)}


def compare(
    first: Score, second: Score, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Difference | None:
    """The paired bootstrap of two results on the same photos in the same order (Koehn 2004).

    None for scores that cannot be resampled; ``ValueError`` if the two are of different metrics or numbers of photos.
    """
    if first.name != second.name:
        raise ValueError(f"{first.name} cannot be compared with {second.name}")
    if first.resampled is None or second.resampled is None or first.per_photo is None or second.per_photo is None:
        return None
    photos = len(first.per_photo)
    if len(second.per_photo) != photos:
        raise ValueError(f"{photos} photos cannot be compared with {len(second.per_photo)}")
    values = resample([first.resampled, second.resampled], photos, resamples, seed)
    differences = values[0] - values[1]
    once = np.ones((1, photos))
    value = float((first.resampled(once) - second.resampled(once))[0])
    # Twice the smaller tail, the observed result counted among the resamples, so never zero.
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return Difference(value, *_percentiles(differences, level), min(1.0, 2 * (tail + 1) / (resamples + 1)))


def _percentiles(values: Floats, level: float) -> tuple[float, float]:
    # Sums over photos in another order differ in their last digits.
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).round(12)
    return float(low), float(high)
