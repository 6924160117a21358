"""Intervals and the paired test: resampled scores are the scores of resampled corpora."""

import numpy as np
import pytest

from sightline.metrics import METRICS, Corpus, Score
from sightline.metrics.bootstrap import compare, intervals, resample

HYPOTHESES = ("a dog runs in the park", "two boys play", "a car", "the red car stands there")
REFERENCES = (
    ("a dog runs", "the dog runs in a park"),
    ("two boys play with a ball",),
    ("a red car", "there is a car"),
    ("a red car stands on the road",),
)


def scores_of(photos: list[int]) -> dict[str, Score]:
    corpus = Corpus(tuple(HYPOTHESES[i] for i in photos), tuple(REFERENCES[i] for i in photos))
    return {score.name: score for name in ("bleu", "rouge", "diversity") for score in METRICS[name](corpus)}


def noisy(name: str, mean: float, photos: int = 400, seed: int = 0) -> Score:
    return Score.mean(name, np.random.default_rng(seed).normal(mean, 1, photos))


@pytest.mark.parametrize("name", ["BLEU-1", "BLEU-4", "ROUGE-L", "length"])
def test_a_resampled_score_is_the_score_of_the_resampled_corpus(name: str) -> None:
    score = scores_of([0, 1, 2, 3])[name]
    again = scores_of([0, 0, 2, 3, 3, 3])[name]
    assert score.resampled is not None
    weights = np.array([[2.0, 0, 1, 3], [1, 1, 1, 1]])
    np.testing.assert_allclose(score.resampled(weights), [again.value, score.value], rtol=0, atol=1e-12)


def test_intervals_hold_the_score_and_narrow_with_more_photos() -> None:
    few, many = noisy("few", 5, photos=50), noisy("many", 5, photos=5000)
    (few_low, few_high), (many_low, many_high) = intervals([few])["few"], intervals([many])["many"]
    assert few.value is not None and many.value is not None
    assert few_low < few.value < few_high and many_low < many.value < many_high
    assert 7 < (few_high - few_low) / (many_high - many_low) < 14  # a tenth, as the square root of 100 says


def test_a_95_percent_interval_covers_the_truth_as_often() -> None:
    ends = [intervals([noisy("x", 3, photos=60, seed=seed)], resamples=200)["x"] for seed in range(200)]
    assert 0.88 <= np.mean([low <= 3 <= high for low, high in ends]) <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    score = noisy("x", 1)
    assert intervals([score], seed=1) == intervals([score], seed=1) != intervals([score], seed=2)


def test_scores_without_photos_have_no_interval() -> None:
    assert intervals([Score("distinct-1", 0.5)]) == {}
    assert compare(Score("distinct-1", 0.5), Score("distinct-1", 0.4)) is None


def test_resampling_draws_as_many_photos_as_there_are() -> None:
    drawn = resample([lambda weights: weights.sum(axis=1)], photos=7, resamples=250)
    assert drawn.shape == (1, 250) and (drawn == 7).all()


@pytest.mark.parametrize(("photos", "resamples"), [(0, 10), (10, 0), (10, -1)])
def test_nothing_to_draw_is_refused(photos: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="both must be 1 or more"):
        resample([lambda weights: weights.sum(axis=1)], photos, resamples)


def test_all_statistics_see_the_same_draws() -> None:
    scores = [Score.mean("x", np.arange(9.0)), Score.mean("x", np.arange(9.0) + 2)]
    first, second = resample([score.resampled for score in scores], photos=9)
    np.testing.assert_allclose(second - first, 2)


def test_a_clear_difference_is_significant_and_none_is_not() -> None:
    better, worse = noisy("x", 5.5), noisy("x", 5, seed=1)
    clear = compare(better, worse)
    assert clear is not None and better.value is not None and worse.value is not None
    assert clear.value == pytest.approx(better.value - worse.value)
    assert 0 < clear.low < clear.value < clear.high and clear.p_value < 0.01
    swapped = compare(worse, better)
    assert swapped is not None and swapped.value == -clear.value and swapped.p_value == clear.p_value
    same = compare(better, better)
    assert same is not None and (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_pairing_finds_a_small_difference_that_intervals_hide() -> None:
    photos = np.random.default_rng(0).normal(5, 3, 300)
    nudge = np.random.default_rng(1).normal(0.1, 0.1, 300)
    better, worse = Score.mean("x", photos + nudge), Score.mean("x", photos)
    assert intervals([better])["x"][0] < intervals([worse])["x"][1]
    difference = compare(better, worse)
    assert difference is not None and difference.p_value < 0.01


def test_a_chance_difference_is_significant_as_rarely_as_promised() -> None:
    found = [compare(noisy("x", 0, 80, seed), noisy("x", 0, 80, 1000 + seed), resamples=200) for seed in range(200)]
    assert np.mean([difference is not None and difference.p_value < 0.05 for difference in found]) < 0.12


def test_unlike_scores_are_not_compared() -> None:
    with pytest.raises(ValueError, match="BLEU-4 cannot be compared with CIDEr"):
        compare(noisy("BLEU-4", 1), noisy("CIDEr", 1))
    with pytest.raises(ValueError, match="400 photos cannot be compared with 399"):
        compare(noisy("x", 1), noisy("x", 1, photos=399))
