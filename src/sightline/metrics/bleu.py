"""BLEU-1 to BLEU-4 (Papineni et al. 2002), as pycocoevalcap computes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sightline.metrics.ngrams import Caption, Ints, ReferenceNgrams, key
from sightline.metrics.registry import Corpus, Score, register

ORDER = 4
# pycocoevalcap's guards against division by zero; they show in the last digits, so equality needs them.
_SMALL, _TINY = 1e-9, 1e-15


@register("bleu", *(f"BLEU-{n}" for n in range(1, ORDER + 1)))
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """BLEU-1..4 of the corpus and of each photo, in [0, 1].

    >>> bleu_1, *_ = compute(Corpus(["a dog runs"], [["a dog is running", "the dog runs"]]))
    >>> print(f"{bleu_1.name} {bleu_1.value:.3f}")
    BLEU-1 1.000
    """
    statistics = _statistics(corpus.reference_ngrams, corpus.hypotheses, np.arange(len(corpus.hypotheses)))
    values, per_photo = bleu(statistics.sum(axis=0)), bleu(statistics)
    resampled = (partial(lambda n, weights: bleu(weights @ statistics)[:, n], n) for n in range(ORDER))
    return tuple(Score(f"BLEU-{n + 1}", float(values[n]), per_photo[:, n], each) for n, each in enumerate(resampled))


def sentence_bleu(
    references: ReferenceNgrams, hypotheses: Sequence[Caption], photos: Sequence[int] | Ints
) -> NDArray[np.float64]:
    """BLEU-4 of N captions one by one, float64 ``(N,)`` in [0, 1]; ``photos`` says which photo each describes.

    Smoothed by adding one to matched and total n-grams for n > 1 (Lin and Och 2004, "ORANGE", section 4), as most
    sentences share no four words in a row with a reference. Suits as the reward of self-critical training.
    ``IndexError`` if a photo is not in 0..P-1.
    """
    statistics = _statistics(references, hypotheses, np.asarray(photos, np.int64))
    statistics[:, 1:ORDER] += 1
    statistics[:, ORDER + 1 : 2 * ORDER] += 1
    return bleu(statistics)[:, -1]


def bleu(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU-1..4, float64 ``(..., 4)``, from sums of sufficient statistics, ``(..., 10)``, see `_statistics`.

    Papineni et al. 2002, section 2.3, with uniform weights: the geometric mean of the precisions p_1..p_n times
    ``exp(1 - r/c)`` if the hypotheses' length c falls short of the references' r.
    """
    matched, total = statistics[..., :ORDER], statistics[..., ORDER : 2 * ORDER]
    length, reference_length = statistics[..., -2:-1], statistics[..., -1:]
    product = np.cumprod((matched + _TINY) / (total + _SMALL), axis=-1)
    ratio = (length + _TINY) / (reference_length + _SMALL)
    brevity = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
    return np.asarray(product ** (1 / np.arange(1, ORDER + 1)) * brevity)


def _statistics(references: ReferenceNgrams, hypotheses: Sequence[Caption], photos: Ints) -> NDArray[np.float64]:
    """Whole numbers, ``(N, 10)``: matched n-grams (n = 1..4), all n-grams (n = 1..4), length, closest reference's."""
    lengths, counts = references.count(hypotheses)
    matched, total = [], []
    for n, rows in enumerate(counts, start=1):
        # An n-gram matches at most as often as it is in the reference of the photo that has it most.
        keys, (known, highest) = key(photos[rows.caption], rows.ngram), references.most_in_one_reference[n - 1]
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        most = np.where(known[at] == keys, highest[at], 0) if len(known) else np.zeros(len(keys), np.int64)
        matched.append(np.bincount(rows.caption, np.minimum(rows.times, most), len(lengths)))
        total.append(np.maximum(lengths - n + 1, 0))
    begins, caption, reference = references.pairs(photos)
    # A number that sorts by distance, then by length: of two equally close references the shorter counts.
    ranked = key(np.abs(references.lengths[reference] - lengths[caption]), references.lengths[reference])
    closest = np.minimum.reduceat(ranked, begins) & 0xFFFFFFFF
    return np.stack([*matched, *total, lengths, closest], axis=1).astype(np.float64)
