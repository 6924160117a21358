"""How good probabilities are: do they rank, and do they come true as often as they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10


def area_under_curve(probabilities: ArrayLike, true: ArrayLike) -> float | None:
    """The probability that something true gets a higher one than something false (AUC of the ROC curve), in [0, 1].

    ``probabilities`` (N,), ``true`` (N,) of 0 and 1; equal probabilities count half. None where all are true or none.

    >>> area_under_curve([0.9, 0.2, 0.4, 0.4], [1, 0, 1, 0])
    0.875
    """
    values, labels = np.asarray(probabilities, np.float64), np.asarray(true, bool)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # from 1, the mean rank of equal ones (Mann & Whitney 1947)
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def brier(probabilities: ArrayLike, true: ArrayLike) -> float:
    """The mean squared difference from what came true (Brier 1950), in [0, 1], lower is better.

    >>> round(brier([0.9, 0.2], [1, 0]), 3)
    0.025
    """
    return float(np.mean((np.asarray(probabilities, np.float64) - np.asarray(true, np.float64)) ** 2))


def calibration_error(probabilities: ArrayLike, true: ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error, in [0, 1]: how far probabilities are from the share that came true.

    The mean difference over ``bins`` of as many entries each, by their size, from the least to the most probable, so
    that no bin is nearly empty.

    >>> calibration_error([0.5, 0.5, 1.0, 1.0], [0, 1, 1, 1], bins=2)
    0.0
    """
    values, labels = np.asarray(probabilities, np.float64), np.asarray(true, np.float64)
    order = np.argsort(values, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    apart = sum(abs(values[part].mean() - labels[part].mean()) * len(part) for part in parts)
    return float(apart / max(1, len(values)))


def risk_by_coverage(probabilities: ArrayLike, risks: ArrayLike) -> NDArray[np.float64]:
    """(N,): the mean of ``risks`` (N,) over the 1, 2, ... N surest entries, by ``probabilities`` (N,).

    >>> risk_by_coverage([0.2, 0.9], [1.0, 0.0]).tolist()
    [0.0, 0.5]
    """
    order = np.argsort(-np.asarray(probabilities, np.float64), kind="stable")
    return np.cumsum(np.asarray(risks, np.float64)[order]) / np.arange(1, len(order) + 1)


def average_precision(scores: NDArray[np.floating], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(W,): for each of W words, how precisely ``scores`` (N, W) rank the photos where it is ``true`` (N, W) first.

    The mean, over those photos, of the precision at their rank (Salton & McGill 1983); nan for a word of none.

    >>> average_precision(np.array([[0.9], [0.8], [0.1]]), np.array([[True], [False], [True]])).round(3).tolist()
    [0.833]
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    found = np.take_along_axis(true, order, axis=0)
    precision = found.cumsum(0) / np.arange(1, len(found) + 1)[:, None]
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = (precision * found).sum(0) / found.sum(0)
    return mean
