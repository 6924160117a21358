"""The input and output of every metric, and the registry of metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.metrics.ngrams import ReferenceNgrams
from sightline.metrics.tokenizers import tokenize, tokenizer_of
from sightline.registry import Registry
from sightline.vocabulary import END, PAD, SPECIAL_TOKENS, START

# A corpus metric under a resampling of its photos: (B, N) float64 weights, how often each photo counts -> (B,) scores.
Resampled = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokenized captions of N photos, the input of every metric; captions are checked here and nowhere else.

    >>> corpus = Corpus(["a dog runs"], [["a dog is running", "the dog runs"]])
    >>> list(compute(corpus, ["BLEU-1", "rouge"]))
    ['BLEU-1', 'ROUGE-L']

    Attributes:
        hypotheses: N captions, words separated by one space. Any sequence may be passed, here and below.
        references: for each of the N photos its captions, at least one.
        training_captions: the captions the model was trained on, tokenized alike; None if unknown.
        tokenizer: the name of the tokenizer that was applied, one of `sightline.metrics.TOKENIZERS`.
        language: of the captions, for METEOR, one of `sightline.metrics.meteor.LANGUAGES`; None if nobody said.

    Raises:
        SightlineError: these are not captions of the same N photos, N > 0, each with a reference; or the tokenizer is
            ptb, and a caption does not look as `sightline.metrics.tokenize` writes it.
    """

    hypotheses: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    training_captions: frozenset[str] | None = None
    tokenizer: str = "ptb"
    language: str | None = None

    def __post_init__(self) -> None:
        hypotheses = _captions("hypotheses", self.hypotheses)
        if isinstance(self.references, str | Mapping) or not isinstance(self.references, Iterable):
            raise SightlineError(f"references: {self.references!r:.60} is not a list; pass a list of captions a photo")
        references = tuple(_captions(f"references[{i}]", captions) for i, captions in enumerate(self.references))
        if not hypotheses or len(hypotheses) != len(references):
            raise SightlineError(
                f"{len(hypotheses)} hypotheses, but references of {len(references)} photos; pass one hypothesis a"
                " photo, and at least one"
            )
        if empty := [index for index, captions in enumerate(references) if not captions]:
            raise SightlineError(f"references[{empty[0]}]: no caption; give each photo at least one")
        training = self.training_captions
        if training is not None:
            training = frozenset(_captions("training_captions", training))
        if self.tokenizer == "ptb":
            _check_tokenized("hypotheses", hypotheses)
            for index, captions in enumerate(references):
                _check_tokenized(f"references[{index}]", captions)
            _check_tokenized("training_captions", training or ())
        # The fields are frozen for others.
        self.__dict__.update(hypotheses=hypotheses, references=references, training_captions=training)

    @classmethod
    def of_captions(
        cls,
        hypotheses: Mapping[Any, str],
        references: Mapping[Any, Sequence[str]],
        training_captions: Iterable[str] | None = None,
        tokenizer: str = "ptb",
        language: str | None = None,
    ) -> Corpus:
        """The corpus of untokenized captions by photo; its photos are in the order of ``hypotheses``.

        A photo may be a number on one side and text on the other: 1, 1.0, "1" and "0001" are the same.
        Each of the three is tokenized as a whole and in its own order, as the reference does.

        >>> Corpus.of_captions({"1.jpg": "A dog runs."}, {"1.jpg": ["The dog's running!"]}).references
        (("the dog 's running",),)

        Raises:
            SightlineError: these are not captions of the same photos, each with a reference; a hypothesis contains
                ``<start>``, ``<end>`` or ``<pad>``; or there is no such tokenizer.
        """
        apply = tokenizer_of(tokenizer).apply
        if not isinstance(hypotheses, Mapping) or not isinstance(references, Mapping):
            raise SightlineError("hypotheses and references: pass {photo: caption} and {photo: [captions]}")
        for photo, caption in hypotheses.items():
            _captions(f"hypothesis of {photo}", (caption,))
            if token := _FRAME.search(caption):
                raise SightlineError(f"hypothesis of {photo}: {token[0]} is not a word; strip it before scoring")
        references = {photo: _captions(f"references of {photo}", each) for photo, each in references.items()}
        references = _named_as(hypotheses, references)
        check_photos(hypotheses, references)
        if training_captions is not None:
            training_captions = frozenset(apply(_captions("training_captions", training_captions)))
        tokenized = iter(apply(chain.from_iterable(references.values())))
        by_photo = {photo: tuple(islice(tokenized, len(captions))) for photo, captions in references.items()}
        ordered = tuple(by_photo[photo] for photo in hypotheses)
        corpus = cls.__new__(
            cls
        )  # not by the constructor, which takes the "dog." that is left of "dog.:" for untokenized
        corpus.__dict__.update(hypotheses=tuple(apply(hypotheses.values())), references=ordered)
        corpus.__dict__.update(training_captions=training_captions, tokenizer=tokenizer, language=language)
        return corpus

    @cached_property
    def reference_ngrams(self) -> ReferenceNgrams:
        """The n-grams of the references up to four words, counted once for all metrics."""
        return ReferenceNgrams(self.references, order=4)


def _named_as(hypotheses: Mapping[Any, str], references: Mapping[Any, Sequence[str]]) -> dict[Any, Sequence[str]]:
    """The references by the hypotheses' names, where those are numbers and these text, or the other way round."""
    by_number: dict[str, list[Any]] = {}
    for photo in hypotheses:
        by_number.setdefault(_number(photo), []).append(photo)
    named: dict[Any, Sequence[str]] = {}
    for photo, captions in references.items():
        same = [] if photo in hypotheses else by_number.get(_number(photo), [])
        name = same[0] if len(same) == 1 and isinstance(same[0], str) != isinstance(photo, str) else photo
        if name in named:
            raise SightlineError(f"references: {photo!r} is there as a number and as text; give its captions once")
        named[name] = captions
    return named


def _number(photo: Any) -> str:
    text = str(int(photo)) if isinstance(photo, float) and photo.is_integer() else str(photo)
    return text.lstrip("0") or text


def check_photos(
    hypotheses: Mapping[Any, str],
    references: Mapping[Any, Sequence[str]],
    hypotheses_from: object = "hypotheses",
    references_from: object = "references",
) -> None:
    """Raise `SightlineError` unless both have the same photos, each with a reference; ``*_from`` names their files."""
    for here, there, here_from, there_from, advice in (
        (hypotheses, references, hypotheses_from, references_from, "caption that photo, or leave it out"),
        (references, hypotheses, references_from, hypotheses_from, "add its references, or leave it out"),
    ):
        if not here:
            raise SightlineError(f"{here_from}: no captions; nothing can be scored")
        if missing := [photo for photo in there if photo not in here]:
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise SightlineError(f"{here_from}: no {missing[0]!r}{more}, but {there_from} has it; {advice} there")
    if empty := [photo for photo, captions in references.items() if not captions]:
        raise SightlineError(f"{references_from}: {empty[0]!r} has no caption; give it at least one")


# `<unk>` is a word that the captioner chose; the others only frame a caption.
_FRAME = re.compile("|".join(re.escape(SPECIAL_TOKENS[index]) for index in (PAD, START, END)))
# What `tokenize` hardly ever leaves: spaces other than one between words, or punctuation at a word's end.
_UNTOKENIZED = re.compile(r"^ | $|[\t-\r]|  |[^\W\d_]{3}[.,!?;](?: |$)|(?:^| )[.,!?;:](?: |$)")


def _captions(name: str, captions: Iterable[str]) -> tuple[str, ...]:
    if isinstance(captions, str | Mapping) or not isinstance(captions, Iterable):
        raise SightlineError(f"{name}: {captions!r:.60} is not a list of captions; pass a list of strings")
    captions = tuple(captions)
    for caption in captions:
        if not isinstance(caption, str):
            raise SightlineError(f"{name}: {caption!r:.60} is not a caption; pass strings")
    return captions


def _check_tokenized(name: str, captions: Iterable[str]) -> None:
    for caption in captions:
        if (caption != caption.lower() or _UNTOKENIZED.search(caption)) and tokenize(caption) != caption:
            raise SightlineError(
                f"{name}: {caption!r:.60} is not tokenized; pass it through sightline.metrics.tokenize, "
                "or use Corpus.of_captions, which does"
            )


@dataclass(frozen=True, eq=False)
class Score:
    """One number about N hypotheses, of the corpus and of each photo.

    Attributes:
        name: as in the literature, e.g. ``BLEU-4``.
        value: the score of the corpus; None if it could not be computed, and ``note`` says why.
        per_photo: float64 ``(N,)``, the score of each photo alone; None for scores of a corpus only.
        resampled: the corpus score under other weights of the photos, for the bootstrap; None where undefined.
        note: a remark for readers of the number; empty for most.
    """

    name: str
    value: float | None
    per_photo: NDArray[np.float64] | None = None
    resampled: Resampled | None = None
    note: str = ""

    @classmethod
    def mean(cls, name: str, per_photo: NDArray[np.float64], note: str = "") -> Score:
        """A score whose corpus value is the mean of the photos' own."""
        mean = float(per_photo.mean())
        return cls(name, mean, per_photo, lambda weights: weights @ per_photo / weights.sum(axis=1), note)


Metric = Callable[[Corpus], tuple[Score, ...]]
# In the order of papers' tables; others follow.
METRICS: Registry[Metric] = Registry(
    "metric", "metrics", "sightline.metrics", first=("bleu", "meteor", "rouge", "cider", "diversity")
)
_SCORES: dict[str, tuple[str, ...]] = {}  # a metric's name -> those of its scores
_LOWER: set[str] = set()


def register(name: str, *scores: str, lower: Iterable[str] = ()) -> Callable[[Metric], Metric]:
    """A decorator that enters a metric in `METRICS`.

    ``scores``: the names of all its scores, by which `compute` finds it too; ``lower``: those of which less is better.
    """

    def enter(metric: Metric) -> Metric:
        METRICS.add(name, metric)
        _SCORES[name] = scores
        _LOWER.update(lower)
        return metric

    return enter


def scores_of(metric: str) -> tuple[str, ...]:
    """The names of a metric's scores; `SightlineError` if there is no such metric.

    >>> scores_of("rouge")
    ('ROUGE-L',)
    """
    METRICS[metric]  # which loads it
    return _SCORES[metric]


def is_lower_better(score: str) -> bool:
    """Whether less of a metric's score is better; `SightlineError` if no metric has it.

    >>> is_lower_better("broken off"), is_lower_better("CIDEr")
    (True, False)
    """
    metric_of(score)  # which loads it
    return score in _LOWER


def compute(corpus: Corpus, names: Iterable[str]) -> dict[str, Score]:
    """Scores by name in the order of ``names``: metrics (``bleu``) or scores (``BLEU-4``); else `SightlineError`.

    >>> scores = compute(Corpus(["a dog runs"], [["a dog is running", "the dog runs"]]), ["BLEU-2", "length"])
    >>> {name: round(score.value, 3) for name, score in scores.items()}
    {'BLEU-2': 1.0, 'length': 3.0}
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
    """The metric of a name, its own or one of its scores'; `SightlineError` if there is none.

    >>> metric_of("BLEU-4")
    'bleu'
    """
    if name in METRICS:
        return name
    metrics = {score: metric for metric in METRICS for score in scores_of(metric)}
    if name not in metrics:
        raise SightlineError(f"no metric is named {name!r}; choose from {', '.join((*METRICS, *metrics))}")
    return metrics[name]


def quick_metrics() -> list[str]:
    """The names of all metrics but METEOR, which needs Java and takes longer than all others together."""
    return [name for name in METRICS if name != "meteor"]
