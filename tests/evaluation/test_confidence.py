"""Confidence against references: scores and the report's section."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sightline.caption import Caption, Keyword
from sightline.data.dataset import read_dataset
from sightline.data.example import Example
from sightline.evaluation.confidence import (
    Judged,
    confidence_scores,
    confidence_section,
    judge,
    keyword_scores,
)
from sightline.evaluation.protocol_warnings import warnings_about
from sightline.shapes.draw import draw_shapes


def caption(text: str, confidence: float | None, nouns: str, keywords: str = "") -> Caption:
    words = tuple(text.split())
    of_words = np.array([0.5 if word in nouns.split() else np.nan for word in words], np.float32)
    return Caption(
        text,
        words,
        np.zeros(len(words), np.float32),
        np.ones((len(words), 1, 1), np.float32),
        0.0,
        confidence=confidence,
        word_confidence=None if confidence is None else of_words,
        keywords=tuple(Keyword(word, 0.9) for word in keywords.split()),
    )


def example(*captions: str) -> Example:
    return Example("photo", None, captions)  # type: ignore[arg-type]


EXAMPLES = {
    "a": example("two dogs on grass", "a field"),
    "b": example("a cat"),
    "c": example("a boat", "the sea"),
    "d": example("men"),
}
CAPTIONS = {
    "a": caption("a dog on grass", 0.9, "dog grass", "dog field red"),
    "b": caption("a dog on grass", 0.2, "dog grass"),
    "c": caption("a boat with a dog", 0.4, "boat dog", "sea"),
    "d": caption("a man", 0.8, "man"),
}


def test_a_caption_is_right_if_people_name_all_its_nouns():
    judged = judge(CAPTIONS, EXAMPLES)
    assert [(each.photo, each.nouns, each.unseen) for each in judged] == [
        *(("a", 2, 0), ("b", 2, 2), ("c", 2, 1), ("d", 1, 0))
    ]
    assert judge({"a": caption("a dog", None, "dog")}, EXAMPLES) == ()


def test_scores_of_confidence():
    scores = {score.name: score.value for score in confidence_scores(judge(CAPTIONS, EXAMPLES))}
    assert scores["confidence AUC"] == 1.0
    assert scores["confidence Brier"] == pytest.approx((0.1**2 + 0.2**2 + 0.4**2 + 0.2**2) / 4)
    assert scores["calibration error"] == pytest.approx((0.1 + 0.2 + 0.4 + 0.2) / 4)
    assert scores["hallucinated nouns, surer half"] == 0.0
    alike = confidence_scores([Judged("a", 0.5, 1, 0), Judged("b", 0.6, 1, 0)])
    assert alike[0].value is None and "all captions are right" in alike[0].note
    assert confidence_scores(()) == ()


def test_scores_of_keywords():
    (score,) = keyword_scores(CAPTIONS, EXAMPLES)
    assert score.value == pytest.approx(3 / 4)
    without = {photo: replace(each, keywords=()) for photo, each in CAPTIONS.items()}
    assert keyword_scores(without, EXAMPLES) == ()


def test_a_model_that_was_calibrated_on_these_photos_is_noticed(tmp_path):
    draw_shapes(tmp_path / "mine", photos=30, seed=1)
    dataset = read_dataset(tmp_path / "mine")
    for data, split, warned in (("mine", "val", 1), (["a", "mine"], "val", 1), ("mine", "test", 0), ("a", "val", 0)):
        warnings = warnings_about(dataset, split, {"calibration": {"data": data}})
        assert sum("confidence was learned on these photos" in warning for warning in warnings) == warned


def test_the_section_draws_the_risk_and_counts_words():
    rng = np.random.default_rng(0)
    sure = rng.random(300)
    judged = [Judged(str(i), float(p), 2, int(rng.random() > p)) for i, p in enumerate(sure)]
    section = confidence_section(judged)
    heights = [float(point.split(",")[1]) for point in re.search(r'points="([^"]+)"', section)[1].split()]
    assert heights[0] > heights[-1] + 20  # the surer, the less risk: lower on the page is less
    rows = re.findall(r"<tr><th>([^<]+)</th><td>(\d+)</td><td>(\d+)%</td>", section)
    assert [word for word, _, _ in rows] == ["sure", "perhaps", "a guess"]
    assert sum(int(count) for _, count, _ in rows) == 300
    assert [int(right) for _, _, right in rows] == sorted((int(right) for _, _, right in rows), reverse=True)
    assert confidence_section(()) == ""
