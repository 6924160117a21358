"""ROUGE-L (Lin 2004), as pycocoevalcap computes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.metrics.registry import Corpus, Score, register

BETA = 1.2  # weight of recall over precision


@register("rouge", "ROUGE-L")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """ROUGE-L, in [0, 1]: the mean over photos.

    >>> (score,) = compute(Corpus(["a dog runs"], [["a dog is running", "the dog runs"]]))
    >>> print(f"{score.name} {score.value:.3f}")
    ROUGE-L 0.667
    """
    pairs = zip(corpus.hypotheses, corpus.references, strict=True)
    per_photo = np.array([rouge_l(hypothesis, references) for hypothesis, references in pairs], np.float64)
    return (Score.mean("ROUGE-L", per_photo),)


def rouge_l(hypothesis: str, references: Sequence[str]) -> float:
    """ROUGE-L of one caption: the F-measure of Lin 2004, equation 4, of the best precision and the best recall.

    The two may come from different references. As in pycocoevalcap, captions are split at single spaces, so an empty
    caption is one empty word: it matches an empty reference and nothing else.
    """
    words = hypothesis.split(" ")
    positions: dict[str, int] = {}
    for index, word in enumerate(words):
        positions[word] = positions.get(word, 0) | 1 << index
    sentences = [reference.split(" ") for reference in references]
    common = [_longest_common_subsequence(positions, len(words), sentence) for sentence in sentences]
    precision = max(common) / len(words)
    recall = max(length / len(sentence) for length, sentence in zip(common, sentences, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _longest_common_subsequence(positions: dict[str, int], length: int, sentence: Sequence[str]) -> int:
    """Its length, by the bit-parallel recurrence of Hyyrö 2004; ``positions`` has a word's as bits."""
    full = (1 << length) - 1
    row = full
    for word in sentence:
        matches = row & positions.get(word, 0)
        row = (row + matches) | (row - matches)
    return length - (row & full).bit_count()
