"""How varied captions are, and how many of them are broken off: what comparisons with references do not show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from sightline.metrics.registry import Corpus, Score, register

_MIN_COUNT = 20  # how often two words must occur in whole captions to say whether a sentence can end there
_MAX_RATIO = 50  # and a sentence cannot end there if fewer than one in so many of their occurrences do


@register("diversity", "distinct-1", "distinct-2", "novel", "vocabulary", "length")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """Distinct n-grams, share of novel captions, vocabulary used and mean length of the hypotheses.

    Distinct-n (Li et al. 2016, section 5.2): different n-grams / all n-grams, in [0, 1]. A caption is novel if no
    training caption has the same words. Length and vocabulary count words after tokenization.

    >>> {score.name: score.value for score in compute(Corpus(["a dog", "a cat"], [["a dog"], ["a cat"]]))}
    {'distinct-1': 0.75, 'distinct-2': 1.0, 'novel': None, 'vocabulary': 3.0, 'length': 2.0}
    """
    captions, known = [hypothesis.split() for hypothesis in corpus.hypotheses], corpus.training_captions
    novel = Score("novel", None, note="needs the training captions")
    if known is not None:
        novel = Score.mean("novel", np.array([caption not in known for caption in corpus.hypotheses], np.float64))
    return (
        Score("distinct-1", _distinct(captions, 1)),
        Score("distinct-2", _distinct(captions, 2)),
        novel,
        Score("vocabulary", float(len({word for caption in captions for word in caption}))),
        Score.mean("length", np.array([len(caption) for caption in captions], np.float64)),
    )


def _distinct(captions: Sequence[Sequence[str]], n: int) -> float:
    ngrams = [tuple(caption[i : i + n]) for caption in captions for i in range(len(caption) - n + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0


class Endings:
    """Which two words no whole caption, in words or ids, ends with, such as "a dirt", although they are frequent.

    >>> endings = Endings([["on", "a", "dirt", "road"]] * 20)
    >>> endings.break_off(["on", "a", "dirt"]), endings.break_off(["a", "dirt", "road"])
    (True, False)
    """

    def __init__(self, captions: Iterable[Sequence[Hashable]]) -> None:
        counts: Counter[tuple[Hashable, ...]] = Counter()
        last: Counter[tuple[Hashable, ...]] = Counter()
        for caption in captions:
            counts.update(pairwise(caption))
            last[tuple(caption[-2:])] += 1
        frequent = {pair for pair, count in counts.items() if count >= _MIN_COUNT}
        self.known = bool(frequent)
        self._open = {pair for pair in frequent if last[pair] * _MAX_RATIO < counts[pair]}

    def break_off(self, caption: Sequence[Hashable]) -> bool:
        """Whether it ends with two words that occur at least 20 times, fewer than one time in 50 as an ending."""
        return tuple(caption[-2:]) in self._open


@register("endings", "broken off", lower=["broken off"])
def broken_off(corpus: Corpus) -> tuple[Score, ...]:
    """The share of captions that are broken off, see `Endings` of the references; about 0.01 for people's captions."""
    endings = Endings(caption.split() for captions in corpus.references for caption in captions)
    if not endings.known:
        return (Score("broken off", None, note="too few references to tell how sentences end"),)
    broken = [endings.break_off(caption.split()) for caption in corpus.hypotheses]
    return (Score.mean("broken off", np.array(broken, np.float64)),)
