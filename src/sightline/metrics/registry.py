"""What every metric takes and gives, and the table they register in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.metrics.ngrams import ReferenceNgrams
from sightline.metrics.tokenizer import tokenize
from sightline.metrics.tokenizers import tokenizer_of

# A corpus metric under a resampling of its photos: (B, N) float64 weights, how often each photo counts -> (B,) scores.
Resampled = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokenized captions of N photos, as every metric takes them; lists will do for tuples.

    Attributes:
        hypotheses: N captions, words separated by one space.
        references: for each of the N photos its captions, at least one.
        training_captions: what the captioner learnt from, tokenized alike; None where that is not known.
        tokenizer: the name of what made words of them, one of `sightline.metrics.TOKENIZERS`.

    Raises:
        SightlineError: these are not captions of the same N photos, N > 0, each with a reference, or one is not as
            the tokenizer ptb, `sightline.metrics.tokenize`, writes it.
    """

    hypotheses: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    training_captions: frozenset[str] | None = None
    tokenizer: str = "ptb"

    def __post_init__(self) -> None:
        texts = partial(_texts, check=self.tokenizer == "ptb")
        hypotheses = texts("hypotheses", self.hypotheses)
        if isinstance(self.references, str):
            raise SightlineError(f"references: {self.references[:60]!r} is one string; pass a list of captions a photo")
        references = tuple(texts(f"references[{i}]", captions) for i, captions in enumerate(self.references))
        if not hypotheses or len(hypotheses) != len(references):
            told = f"{len(hypotheses)} hypotheses, but references of {len(references)} photos"
            raise SightlineError(f"{told}; pass one hypothesis a photo, and at least one")
        if bare := [index for index, captions in enumerate(references) if not captions]:
            raise SightlineError(f"references[{bare[0]}]: no caption; give each photo at least one")
        object.__setattr__(self, "hypotheses", hypotheses)
        object.__setattr__(self, "references", references)
        if self.training_captions is not None:
            object.__setattr__(self, "training_captions", frozenset(texts("training_captions", self.training_captions)))

    @classmethod
    def of_captions(
        cls,
        hypotheses: Mapping[Any, str],
        references: Mapping[Any, Sequence[str]],
        training_captions: Iterable[str] | None = None,
        tokenizer: str = "ptb",
    ) -> Corpus:
        """The corpus of captions by photo, as people wrote them; its photos are in the order of ``hypotheses``.

        Each of the three is tokenized as a whole and in its own order, as the reference does. Raises
        `SightlineError` if there is no such tokenizer.
        """
        apply = tokenizer_of(tokenizer).apply
        written = iter(apply(chain.from_iterable(references.values())))
        by_photo = {photo: tuple(islice(written, len(captions))) for photo, captions in references.items()}
        return cls(
            tuple(apply(hypotheses.values())),
            tuple(by_photo[photo] for photo in hypotheses),
            None if training_captions is None else frozenset(apply(training_captions)),
            tokenizer,
        )

    @cached_property
    def reference_ngrams(self) -> ReferenceNgrams:
        """The n-grams of the references up to four words, counted once for all metrics."""
        return ReferenceNgrams(self.references, order=4)


# What `tokenize` never leaves: capitals, blanks other than one space between words, or a sign at a word's end.
_UNTOKENIZED = re.compile(r"^ | $|[\t-\r]|  |[^\W\d_]{3}[.,!?;](?: |$)|(?:^| )[.,!?;:](?: |$)")


def _texts(name: str, captions: Iterable[str], check: bool) -> tuple[str, ...]:
    if isinstance(captions, str):
        raise SightlineError(f"{name}: {captions[:60]!r} is one string; pass a list of captions")
    captions = tuple(captions)
    for caption in captions:
        if not isinstance(caption, str):
            raise SightlineError(f"{name}: {repr(caption)[:60]} is not a caption; pass strings")
        if check and (caption != caption.lower() or _UNTOKENIZED.search(caption)) and tokenize(caption) != caption:
            raise SightlineError(
                f"{name}: {caption[:60]!r} is not tokenized; pass it through sightline.metrics.tokenize, "
                "or call score_captions, which does"
            )
    return captions


@dataclass(frozen=True, eq=False)
class Score:
    """One number about N hypotheses, and where it comes from.

    Attributes:
        name: as in the literature, e.g. ``BLEU-4``.
        value: the score of the corpus; None if it could not be computed, and ``note`` says why.
        per_photo: float64 ``(N,)``, the score of each photo alone; None for what only a corpus has.
        resampled: the corpus score under other weights of the photos, for the bootstrap; None where undefined.
        note: what a reader of the number must know; empty for most.
    """

    name: str
    value: float | None
    per_photo: NDArray[np.float64] | None = None
    resampled: Resampled | None = None
    note: str = ""

    @classmethod
    def mean(cls, name: str, per_photo: NDArray[np.float64], note: str = "") -> Score:
        """A score whose corpus value is the mean of the photos' own."""
        return cls(name, float(per_photo.mean()), per_photo, lambda weights: weighted_mean(per_photo, weights), note)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of ``(N,)`` values under each of the ``(B, N)`` weights, float64 ``(B,)``."""
    return np.asarray(weights @ values / weights.sum(axis=1))


Metric = Callable[[Corpus], tuple[Score, ...]]
METRICS: dict[str, Metric] = {}
SCORES: dict[str, str] = {}  # a score's name -> its metric's


def register(name: str, *scores: str) -> Callable[[Metric], Metric]:
    """Enter a metric in `METRICS`; a module of `sightline.metrics` that does so is found without being listed.

    ``scores``: the names of all that it gives, by which `compute` finds it too.
    """

    def enter(metric: Metric) -> Metric:
        if name in METRICS:
            raise ValueError(f"two metrics are named {name!r}")
        METRICS[name] = metric
        SCORES.update(dict.fromkeys(scores, name))
        return metric

    return enter


def compute(corpus: Corpus, names: Iterable[str]) -> dict[str, Score]:
    """Scores by their names, in the order of ``names``: those of metrics (``bleu``) or of single scores (``BLEU-4``).

    Raises `SightlineError` if there is none of a name.
    """
    scores: dict[str, Score] = {}
    computed: dict[str, tuple[Score, ...]] = {}
    for name in names:
        metric = metric_of(name)
        if metric not in computed:
            computed[metric] = METRICS[metric](corpus)
        scores |= {score.name: score for score in computed[metric] if name in (metric, score.name)}
    return scores


def metric_of(name: str) -> str:
    """The metric that gives what ``name`` says, its own name or a score's; `SightlineError` if there is none."""
    if name in METRICS:
        return name
    if name not in SCORES:
        raise SightlineError(f"no metric is named {name!r}; choose from {', '.join((*METRICS, *SCORES))}")
    return SCORES[name]
