"""How varied the captions are, whatever the references say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.metrics.registry import Corpus, Score, register


@register("diversity", "distinct-1", "distinct-2", "novel", "vocabulary", "length")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """Distinct n-grams, share of novel captions, vocabulary used and mean length of the hypotheses.

    Distinct-n (Li et al. 2016, section 5.2): different n-grams / all n-grams, in [0, 1]. A caption is novel if no
    training caption has the same words. Length and vocabulary count words after tokenization.
    """
    captions = [hypothesis.split() for hypothesis in corpus.hypotheses]
    return (
        Score("distinct-1", _distinct(captions, 1)),
        Score("distinct-2", _distinct(captions, 2)),
        _novel(corpus),
        Score("vocabulary", float(len({word for caption in captions for word in caption}))),
        Score.mean("length", np.array([len(caption) for caption in captions], np.float64)),
    )


def _distinct(captions: Sequence[Sequence[str]], n: int) -> float:
    ngrams = [tuple(caption[i : i + n]) for caption in captions for i in range(len(caption) - n + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def _novel(corpus: Corpus) -> Score:
    known = corpus.training_captions
    if known is None:
        return Score("novel", None, note="needs the training captions")
    return Score.mean("novel", np.array([hypothesis not in known for hypothesis in corpus.hypotheses], np.float64))
