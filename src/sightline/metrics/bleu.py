"""BLEU-1 to BLEU-4 (Papineni et al. 2002), as pycocoevalcap computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.metrics.ngrams import Ints, ReferenceNgrams, firsts, key
from sightline.metrics.registry import Corpus, Score, register

ORDER = 4
# pycocoevalcap's guards against division by zero; they show in the last digits, so equality needs them.
_SMALL, _TINY = 1e-9, 1e-15


@register("bleu", *(f"BLEU-{n}" for n in range(1, ORDER + 1)))
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """BLEU-1..4 of the corpus and of each photo, in [0, 1]."""
    statistics = sufficient_statistics(corpus)
    values, per_photo = bleu(statistics.sum(axis=0)), bleu(statistics)
    return tuple(
        Score(
            f"BLEU-{n}",
            float(values[n - 1]),
            per_photo[:, n - 1],
            lambda weights, n=n: bleu(weights @ statistics)[:, n - 1],  # type: ignore[misc]
        )
        for n in range(1, ORDER + 1)
    )


def sufficient_statistics(corpus: Corpus) -> NDArray[np.float64]:
    """All that BLEU needs to know about each photo: whole numbers, float64 ``(N, 10)``, to be summed over photos.

    Columns: matched n-grams for n = 1..4 (each counted at most as often as in the reference that has it most), n-grams
    of the hypothesis for n = 1..4, the hypothesis's length in words, and the closest reference length (the shorter of
    two equally close).
    """
    references = corpus.reference_ngrams
    lengths, counts = references.count(corpus.hypotheses)
    matched, total = [], []
    for n, rows in enumerate(counts, start=1):
        most = _most_in_one_reference(references, n, key(rows.caption, rows.ngram))
        matched.append(np.bincount(rows.caption, np.minimum(rows.times, most), len(lengths)))
        total.append(np.maximum(lengths - n + 1, 0))
    return np.stack([*matched, *total, lengths, _closest_lengths(references, lengths)], axis=1).astype(np.float64)


def bleu(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU-1..4, float64 ``(..., 4)``, from sums of `sufficient_statistics`, ``(..., 10)``.

    Papineni et al. 2002, section 2.3, with uniform weights: the geometric mean of the precisions p_1..p_n times
    ``exp(1 - r/c)`` if the hypotheses' length c falls short of the references' r.
    """
    matched, total = statistics[..., :ORDER], statistics[..., ORDER : 2 * ORDER]
    length, reference_length = statistics[..., -2:-1], statistics[..., -1:]
    product = np.cumprod((matched + _TINY) / (total + _SMALL), axis=-1)
    ratio = (length + _TINY) / (reference_length + _SMALL)
    brevity = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
    return np.asarray(product ** (1 / np.arange(1, ORDER + 1)) * brevity)


def _most_in_one_reference(references: ReferenceNgrams, n: int, keys: Ints) -> Ints:
    """For photo-and-n-gram ``keys``, the highest count in any one reference of the photo; 0 if it is in none."""
    if not len(references.keys[n - 1]):
        return np.zeros(len(keys), np.int64)
    starts = firsts(references.keys[n - 1])
    photo_ngrams = references.keys[n - 1][starts]
    highest = np.maximum.reduceat(references.rows[n - 1].times, starts)
    places = np.minimum(np.searchsorted(photo_ngrams, keys), len(photo_ngrams) - 1)
    return np.where(photo_ngrams[places] == keys, highest[places], 0)


def _closest_lengths(references: ReferenceNgrams, lengths: Ints) -> Ints:
    per_reference = np.repeat(lengths, np.diff(references.first))
    # One number that sorts by distance, then by length.
    ranked = key(np.abs(references.lengths - per_reference), references.lengths)
    return np.minimum.reduceat(ranked, references.first[:-1]) & 0xFFFFFFFF
