"""Hypotheses and references in, a report of the field's scores out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.metrics import METRICS, Corpus, Score, compute, metric_of, tokenizer_of
from sightline.metrics.bootstrap import intervals
from sightline.metrics.tokenizers import misfit
from sightline.vocabulary import END, PAD, SPECIAL_TOKENS, START

# `<unk>` is a word that the captioner chose; the others only frame a caption.
_FRAME = re.compile("|".join(re.escape(SPECIAL_TOKENS[index]) for index in (PAD, START, END)))


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """What the metrics say about the captions of N photos; printed, it is the table of `sightline score`.

    Attributes:
        photos: the N photos' ids, in the order of every `per_photo`.
        scores: all scores by name, e.g. ``BLEU-4``; those that could not be computed have a value of None and a note.
        tokenizer: the name of what made words of the captions, see `sightline.metrics.TOKENIZERS`.
        warning: one line where that does not fit the captions; otherwise empty.
    """

    photos: tuple[Any, ...]
    scores: Mapping[str, Score]
    tokenizer: str = "ptb"
    warning: str = ""

    def __getitem__(self, name: str) -> float | None:
        return self.scores[name].value

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {in_print(name, s.value)}" for name, s in self.scores.items() if s.value is not None)
        return f"Scores({len(self.photos)} photos: {told})"

    def __str__(self) -> str:
        return "\n".join(self.table())

    def per_photo(self, name: str) -> NDArray[np.float64] | None:
        """float64 ``(N,)``, a score of each photo alone; None for what only a corpus has, or could not be computed."""
        return self.scores[name].per_photo

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Name -> 95% bootstrap interval over photos, of every score that has one."""
        return intervals(self.scores.values())

    def as_dict(self, with_intervals: bool = False) -> dict[str, object]:
        """The scores as plain numbers, ready for JSON.

        What could not be computed is under ``missing``, with why; what a reader must know of a number under ``notes``.

        ``with_intervals`` adds `intervals`.
        """
        report: dict[str, object] = {
            "photos": len(self.photos),
            "tokenizer": tokenizer_of(self.tokenizer).told,
            "scores": {name: score.value for name, score in self.scores.items() if score.value is not None},
            "notes": {name: s.note for name, s in self.scores.items() if s.value is not None and s.note},
            "missing": {name: score.note for name, score in self.scores.items() if score.value is None},
        }
        if with_intervals:
            report["intervals"] = {name: list(ends) for name, ends in self.intervals().items()}
        return report

    def table(self, remarks: Iterable[str] = ()) -> list[str]:
        """Lines: the scores as the literature prints them, their 95% intervals, and what a reader must know of them."""
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
        told = [f"{', '.join(names)}: {note}" for note, names in notes.items()]
        words = f"tokenizer: {tokenizer_of(self.tokenizer).told}"
        return [*lines, "", "times 100, but for vocabulary (words) and length (words a caption)", words, *told]


def in_print(name: str, value: float, signed: bool = False) -> str:
    """A score as the literature prints it: times 100, but for the vocabulary (words) and length (words a caption)."""
    scale = 1 if name in ("vocabulary", "length") else 100
    return f"{scale * value:{'+' if signed else ''}.{0 if name == 'vocabulary' else 2}f}"


def score_captions(
    hypotheses: Mapping[Any, str],
    references: Mapping[Any, Sequence[str]],
    training_captions: Iterable[str] | None = None,
    metrics: Iterable[str] | None = None,
    tokenizer: str = "ptb",
) -> Scores:
    """Score one caption a photo against the photo's references, as pycocoevalcap does.

    Args:
        hypotheses: photo -> caption, as text; tokenizing is done here.
        references: the same photos -> their captions, as people wrote them, at least one.
        training_captions: what the captioner learnt from; without them the share of novel captions is missing.
        metrics: names of metrics (``cider``) or of single scores (``CIDEr``), as `compute` takes them; None for all.
            METEOR is the slow one, and needs Java.
        tokenizer: what makes words of all of them, one of `sightline.metrics.TOKENIZERS`: ``"ptb"``, the field's own
            for English; ``"words"``, ``"characters"``; or ``"none"``, for captions that are tokenized.

    Raises `SightlineError` if a hypothesis is no text or references no list of texts, the photos differ, a photo has no
    reference, there is no photo at all, a hypothesis still holds ``<start>``, ``<end>`` or ``<pad>``, or a metric or
    tokenizer is unknown.
    """
    _check_texts(hypotheses, references, training_captions, metrics)
    check_photos(hypotheses, references)
    for photo, caption in hypotheses.items():
        if token := _FRAME.search(caption):
            raise SightlineError(f"hypothesis of {photo}: {token[0]} is not a word; strip it before scoring")
    names = list(METRICS) if metrics is None else list(metrics)
    for name in names:
        metric_of(name)
    warning = misfit(tokenizer, list(chain.from_iterable(references.values())))
    corpus = Corpus.of_captions(hypotheses, references, training_captions, tokenizer)
    return Scores(tuple(hypotheses), compute(corpus, names), tokenizer, warning)


def _check_texts(hypotheses: object, references: object, training_captions: object, metrics: object) -> None:
    """Raise `SightlineError` unless these are what `score_captions` asks for: a text is no list of texts."""
    if not isinstance(hypotheses, Mapping) or not isinstance(references, Mapping):
        raise SightlineError("hypotheses and references: pass {photo: caption} and {photo: [captions]}")
    for photo, caption in hypotheses.items():
        if not isinstance(caption, str):
            raise SightlineError(f"hypothesis of {photo}: {_short(caption)} is not a caption; pass one string a photo")
    for photo, captions in references.items():
        if not _are_texts(captions):
            raise SightlineError(f"references of {photo}: {_short(captions)} is not a list of captions")
    for name, texts in (("training_captions", training_captions), ("metrics", metrics)):
        if isinstance(texts, str):
            raise SightlineError(f"{name}: {_short(texts)} is one string; pass a list of strings")


def _are_texts(captions: object) -> bool:
    return (
        isinstance(captions, Sequence) and not isinstance(captions, str) and all(isinstance(c, str) for c in captions)
    )


def _short(value: object) -> str:
    return repr(value)[:60]


def check_photos(
    hypotheses: Mapping[Any, str],
    references: Mapping[Any, Sequence[str]],
    hypotheses_from: object = "hypotheses",
    references_from: object = "references",
) -> None:
    """Raise `SightlineError` unless both are about the same photos and each has a reference; ``*_from`` names them."""
    for here, there, here_from, there_from, mend in (
        (hypotheses, references, hypotheses_from, references_from, "caption that photo, or leave it out"),
        (references, hypotheses, references_from, hypotheses_from, "add its references, or leave it out"),
    ):
        if not here:
            raise SightlineError(f"{here_from}: no captions; nothing can be scored")
        if missing := [photo for photo in there if photo not in here]:
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise SightlineError(f"{here_from}: no {missing[0]!r}{more}, but {there_from} has it; {mend} there")
    if bare := [photo for photo, captions in references.items() if not captions]:
        raise SightlineError(f"{references_from}: {bare[0]!r} has no caption; give it at least one")
