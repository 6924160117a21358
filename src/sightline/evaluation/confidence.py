"""Confidence and keywords against what people wrote: do they rank, and do they come true as often as they say."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.caption import Caption, confidence_in_words
from sightline.data.example import Example
from sightline.data.regions.nouns import singular, words_of
from sightline.evaluation.pointing import share
from sightline.metrics.probabilities import area_under_curve, brier, calibration_error, risk_by_coverage
from sightline.metrics.registry import Score

_ALL_ALIKE = "all captions are right, or none: nothing to tell apart"
_WIDE, _HIGH = 720, 200


@dataclass(frozen=True)
class Judged:
    """A caption's ``confidence``, its number of ``nouns``, and how many of these no reference has (``unseen``)."""

    photo: str
    confidence: float
    nouns: int
    unseen: int


def judge(captions: Mapping[str, Caption], examples: Mapping[str, Example]) -> tuple[Judged, ...]:
    """The captions that have a confidence, against their references; nouns are the words with one of their own."""
    judged = []
    for photo, caption in captions.items():
        if caption.confidence is not None and caption.word_confidence is not None:
            pairs = zip(caption.words, np.isnan(caption.word_confidence), strict=True)
            nouns = [singular(word) for word, names_none in pairs if not names_none]
            known = words_of(examples[photo])
            unseen = sum(noun not in known for noun in nouns)
            judged.append(Judged(photo, caption.confidence, len(nouns), unseen))
    return tuple(judged)


def confidence_scores(judged: Sequence[Judged]) -> tuple[Score, ...]:
    """Whether confidence tells right captions, without an unseen noun, from others; empty where there is none."""
    if not judged:
        return ()
    confidence = np.array([each.confidence for each in judged])
    right = np.array([not each.unseen for each in judged], float)
    area = area_under_curve(confidence, right)
    surer = np.argsort(-confidence, kind="stable")[: -(-len(judged) // 2)]
    nouns = sum(judged[at].nouns for at in surer)
    unseen = sum(judged[at].unseen for at in surer)
    return (
        Score("confidence AUC", area, note="" if area is not None else _ALL_ALIKE),
        Score("confidence Brier", brier(confidence, right), (confidence - right) ** 2),
        Score("calibration error", calibration_error(confidence, right)),
        Score("hallucinated nouns, surer half", unseen / max(1, nouns)),
    )


def keyword_scores(captions: Mapping[str, Caption], examples: Mapping[str, Example]) -> tuple[Score, ...]:
    """How many of the keywords are in a reference; empty where no caption has any."""
    values, owners = [], []
    for at, (photo, caption) in enumerate(captions.items()):
        known = words_of(examples[photo])
        values += [float(keyword.word in known) for keyword in caption.keywords]
        owners += [at] * len(caption.keywords)
    return (share("true keywords", values, np.array(owners, np.int64), len(captions), ""),) if values else ()


def confidence_section(judged: Sequence[Judged]) -> str:
    """The report's section as HTML: the risk-coverage curve, and how often each word for confidence is right."""
    if not judged:
        return ""
    confidence = [each.confidence for each in judged]
    unseen = np.array([each.unseen for each in judged], float)
    nouns = np.array([each.nouns for each in judged], float)
    # Nouns of the surest captions together, as the measure of all of them has it.
    risk = risk_by_coverage(confidence, unseen) / np.maximum(risk_by_coverage(confidence, nouns), 1e-9)
    return (
        "<section>\n<h2>Confidence: does it know when it is wrong?</h2>\n<p>The share of nouns that no person has"
        " named, in the captions that it is surest of, from few of them to all. A caption is right if"
        f" people have named all of its nouns.</p>\n{_curve(risk)}\n{_by_word(judged)}\n</section>\n"
    )


def _curve(risk: np.ndarray) -> str:  # type: ignore[type-arg]
    """An SVG of risk by coverage; the first few captions, whose share is chance, are left out."""
    first = min(len(risk) - 1, max(9, len(risk) // 50))
    top = max(0.1, float(np.ceil(10 * risk[first:].max()) / 10))
    at = np.unique(np.linspace(first, len(risk) - 1, 200).astype(int))
    points = " ".join(f"{_WIDE * (i + 1) / len(risk):.1f},{20 + _HIGH * (1 - risk[i] / top):.1f}" for i in at)
    marks = "".join(f'<text x="{_WIDE * part:.0f}" y="{_HIGH + 38}">{part:.0%}</text>' for part in (0.25, 0.5, 0.75))
    half = risk[(len(risk) - 1) // 2]
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDE} {_HIGH + 44}" role="img" aria-label="Risk by coverage: {half:.0%}'
        f' of the nouns at half of the captions, {risk[-1]:.0%} at all">'
        f'<path class="axis" d="M0 20H{_WIDE}M0 {20 + _HIGH}H{_WIDE}M{_WIDE / 2} 20V{20 + _HIGH}"/>'
        f'<polyline points="{points}" fill="none" stroke="var(--accent)" stroke-width="2"/>'
        f'<text class="top" x="0" y="14">{top:.0%} of the nouns</text>{marks}'
        f'<text x="{_WIDE}" y="{_HIGH + 38}" style="text-anchor: end">all captions</text></svg>'
    )


def _by_word(judged: Sequence[Judged]) -> str:
    rows = ""
    for word in ("sure", "perhaps", "a guess"):
        of_word = [each for each in judged if confidence_in_words(each.confidence) == word]
        right = f"{np.mean([not each.unseen for each in of_word]):.0%}" if of_word else "–"
        rows += f"<tr><th>{html.escape(word)}</th><td>{len(of_word):,}</td><td>{right}</td></tr>\n"
    head = "<thead><tr><th></th><th>captions</th><th>right</th></tr></thead>"
    return f"<table>\n{head}\n<tbody>\n{rows}</tbody>\n</table>"
