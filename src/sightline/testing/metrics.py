"""What every metric promises."""

from __future__ import annotations

import numpy as np

from sightline.metrics import METRICS, Corpus, metric_of, scores_of

CORPUS = Corpus(
    ("a dog runs", "two boys play in the park", "a dog runs", ""),
    (("the dog runs", "a dog"), ("boys play",), ("a dog runs",), ("a cat", "a cat sits")),
    frozenset(["two boys play in the park"]),
)


def check_metric(name: str) -> None:
    """Check a registered metric, by its name, on four captions, of which one is empty.

    - It gives the scores that it was registered with, each a number, or a note that says why there is none.
    - A score of each photo is float64 (N,), and comes with what the bootstrap needs, which agrees with the score.
    - Scores do not depend on the order of the photos.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such metric.
    """
    scores = METRICS[name](CORPUS)
    names = tuple(score.name for score in scores)
    assert names == scores_of(name), f"{name} gives {names}, and is registered with {scores_of(name)}"
    assert len(set(names)) == len(names) > 0, "scores have names of their own"
    others = [score for metric in METRICS.own() if metric != name for score in scores_of(metric)]
    assert not set(names) & set(others), "another metric has a score of that name"
    assert {metric_of(score) for score in names} == {name}, "a score is found by its own name"
    for score in scores:
        if score.value is None:
            assert score.note, f"{score.name}: a note says why it has no value"
            continue
        assert isinstance(score.value, float) and np.isfinite(score.value) and score.value >= 0, score.name
        assert (score.resampled is None) == (score.per_photo is None), f"{score.name}: per_photo and resampled, or none"
        if score.per_photo is not None and score.resampled is not None:
            assert score.per_photo.shape == (4,) and score.per_photo.dtype == np.float64, f"{score.name}: float64 (N,)"
            once = score.resampled(np.ones((1, 4)))
            assert np.allclose(once, score.value, rtol=0, atol=1e-12), f"{score.name}: each photo once is the score"
    _check_order(name)


def _check_order(name: str) -> None:
    backwards = Corpus(CORPUS.hypotheses[::-1], CORPUS.references[::-1], CORPUS.training_captions)
    for score, again in zip(METRICS[name](CORPUS), METRICS[name](backwards), strict=True):
        if score.value is None or again.value is None:
            assert score.value == again.value, f"{score.name} depends on the order of the photos"
            continue
        assert abs(again.value - score.value) <= 1e-12, f"{score.name} depends on the order of the photos"
        if score.per_photo is not None and again.per_photo is not None:
            assert np.allclose(again.per_photo[::-1], score.per_photo, rtol=0, atol=1e-12), f"{score.name}, by photo"
