"""Scores of hypotheses against references, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.meanings import meaning_of
from sightline.evaluation.signature import signature
from sightline.metrics import METRICS, Corpus, Score, compute, metric_of, tokenizer_of
from sightline.metrics.bootstrap import intervals
from sightline.metrics.tokenizers import misfit

UNITS = "times 100, but for vocabulary (words) and length (words a caption)"


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """The scores of the captions of N photos; printed, the table of `sightline score`.

    Attributes:
        photos: the N photos' ids, in the order of every `per_photo`.
        scores: all scores by name, e.g. ``BLEU-4``; those that could not be computed have a value of None and a note.
        tokenizer: the name of the tokenizer, one of `sightline.metrics.TOKENIZERS`.
        warning: one line if the tokenizer does not fit the captions; otherwise empty.
        order: the photos' indices in an order that does not depend on theirs, in which the bootstrap draws them.
        signature: what the numbers depend on beside the captions, in one line; see `signature.signature`.
    """

    photos: tuple[Any, ...]
    scores: Mapping[str, Score]
    tokenizer: str = "ptb"
    warning: str = ""
    order: Sequence[int] | None = None
    signature: str = ""

    def __getitem__(self, name: str) -> float | None:
        return self.scores[name].value

    def __repr__(self) -> str:
        listed = (f"{name} {in_print(name, s.value)}" for name, s in self.scores.items() if s.value is not None)
        return f"Scores({len(self.photos)} photos: {', '.join(listed)})"

    def __str__(self) -> str:
        return "\n".join(self.table())

    def per_photo(self, name: str) -> NDArray[np.float64] | None:
        """float64 ``(N,)``, the score of each photo alone; None for scores of a corpus only, or not computed."""
        return self.scores[name].per_photo

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Name -> 95% bootstrap interval over photos, of every score that has one."""
        return intervals(self.scores.values(), order=self.order)

    def as_dict(self, with_intervals: bool = False) -> dict[str, object]:
        """Plain values for JSON: scores, ``notes`` on them, why some are ``missing``, `intervals` where asked for."""
        numbers: dict[str, object] = {
            "photos": len(self.photos),
            "tokenizer": tokenizer_of(self.tokenizer).description,
            "signature": self.signature,
            "scores": {name: score.value for name, score in self.scores.items() if score.value is not None},
            "notes": {name: s.note for name, s in self.scores.items() if s.value is not None and s.note},
            "missing": {name: score.note for name, score in self.scores.items() if score.value is None},
        }
        if with_intervals:
            numbers["intervals"] = {name: list(ends) for name, ends in self.intervals().items()}
        return numbers

    def table(self, remarks: Iterable[str] = ()) -> list[str]:
        """Lines: ``remarks``, the scores as papers print them, their 95% intervals, and notes on them."""
        intervals = self.intervals()
        photos, wide = len(self.photos), max(12, *(len(name) + 1 for name in self.scores))
        lines = [f"{photos} photo{'s' * (photos != 1)}", *remarks, "", f"{'':<{wide}}{'score':>8}   95% interval"]
        notes: dict[str, list[str]] = {}
        for name, entry in self.scores.items():
            if entry.value is None:
                lines.append(f"{name:<{wide}}{'-':>8}   {entry.note}")
                continue
            spread = " to ".join(in_print(name, end) for end in intervals.get(name, ()))
            lines.append(f"{name:<{wide}}{in_print(name, entry.value):>8}   {spread}".rstrip())
            if entry.note:
                notes.setdefault(entry.note, []).append(name)
        if lower := [name for name in self.scores if meaning_of(name).better == "lower"]:
            notes = {"lower is better": lower, **notes}
        remarks = [f"{', '.join(names)}: {note}" for note, names in notes.items()]
        tokenizer = f"tokenizer: {tokenizer_of(self.tokenizer).description}"
        return [*lines, "", UNITS, tokenizer, f"signature: {self.signature}", *remarks]


def in_print(name: str, value: float, signed: bool = False) -> str:
    """A score as papers print it, in `UNITS`."""
    scale = 1 if name in ("vocabulary", "length") else 100
    return f"{scale * value:{'+' if signed else ''}.{0 if name == 'vocabulary' else 2}f}"


def score_captions(
    hypotheses: Mapping[Any, str],
    references: Mapping[Any, Sequence[str]],
    training_captions: Iterable[str] | None = None,
    metrics: Iterable[str] | None = None,
    tokenizer: str = "ptb",
    language: str | None = None,
) -> Scores:
    """`sightline.score` of ``{photo: caption}`` and ``{photo: captions}``; ``metrics`` None also runs METEOR."""
    names = list(METRICS) if metrics is None else list(metrics)
    for name in names:
        metric_of(name)
    corpus = Corpus.of_captions(hypotheses, references, training_captions, tokenizer, language)
    warning = misfit(tokenizer, list(chain.from_iterable(references.values())))
    photos = tuple(hypotheses)
    # By what is known of a photo: its references, and its name, which is a number in a list.
    order = sorted(range(len(photos)), key=lambda at: (sorted(corpus.references[at]), str(photos[at])))
    scores = compute(corpus, names)
    return Scores(photos, scores, tokenizer, warning, order, signature(corpus, scores))
