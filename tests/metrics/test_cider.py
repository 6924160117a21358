"""CIDEr-D as the reward of self-critical training: any photos, any batch, ids or strings."""

import numpy as np
import pytest

from sightline.metrics import METRICS, Corpus, tokenize
from sightline.metrics.cider import CiderD

REFERENCES = [
    ["a dog runs in the park", "the brown dog runs", "a dog plays in the grass"],
    ["two boys play football", "boys in a park play with a ball"],
    ["a red car on the road"],
    ["the car is red", "a car stands in the park", "a red car", "there is a car on the grass"],
]
HYPOTHESES = [
    "a dog runs in the grass",
    "two boys play in the park",
    "a car a car a car",
    "zebra",
    "",
    "the car is red",
]
PHOTOS = [0, 1, 2, 3, 0, 3]


def ids_of(caption: str, ids: dict[str, int]) -> list[int]:
    return [ids.setdefault(word, len(ids) + 4) for word in caption.split()]


def test_equals_pycocoevalcap_with_the_same_document_frequencies() -> None:
    """Their scorer takes document frequencies from the photos it scores: here each scored photo stands for all four."""
    scorer = pytest.importorskip("pycocoevalcap.cider.cider_scorer")
    for hypothesis in HYPOTHESES:
        whole = scorer.CiderScorer()
        for references in REFERENCES:
            whole += (hypothesis, references)
        expected = whole.compute_score()[1]
        np.testing.assert_allclose(CiderD(REFERENCES).score([hypothesis] * 4, range(4)), expected, rtol=0, atol=1e-9)


def test_token_ids_and_strings_score_alike() -> None:
    ids: dict[str, int] = {}
    references = [[ids_of(caption, ids) for caption in photo] for photo in REFERENCES]
    hypotheses = [ids_of(caption, ids) for caption in HYPOTHESES]
    np.testing.assert_array_equal(
        CiderD(references).score(hypotheses, PHOTOS), CiderD(REFERENCES).score(HYPOTHESES, PHOTOS)
    )


def test_ids_may_come_from_an_array() -> None:
    references = [[np.array([5, 6, 7, 8]), np.array([5, 6, 9])], [np.array([6, 7])]]
    scores = CiderD(references).score(np.array([[5, 6, 7, 8], [6, 7, 6, 7]]), np.array([0, 1]))
    plain = CiderD([[list(map(int, caption)) for caption in photo] for photo in references])
    np.testing.assert_array_equal(scores, plain.score([[5, 6, 7, 8], [6, 7, 6, 7]], [0, 1]))


def test_a_caption_scores_the_same_in_any_company() -> None:
    scorer = CiderD(REFERENCES)
    together = scorer.score(HYPOTHESES, PHOTOS)
    alone = [scorer.score([caption], [photo])[0] for caption, photo in zip(HYPOTHESES, PHOTOS, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scorer.score(HYPOTHESES[::-1], PHOTOS[::-1]), together[::-1], rtol=0, atol=1e-12)
    assert together.dtype == np.float64 and together.shape == (6,)


def test_its_own_reference_scores_highest_and_strangers_nothing() -> None:
    scorer = CiderD(REFERENCES)
    right, wrong, unseen, empty = scorer.score(
        ["a red car on the road", "two boys play", "zebra gnu", ""], [2, 2, 2, 2]
    )
    assert right == pytest.approx(10) and 0 <= wrong < 1 and unseen == 0 and empty == 0


def test_repeating_a_word_does_not_pay() -> None:
    """What the clipping and the Gaussian of CIDEr-D are for."""
    scorer = CiderD(REFERENCES)
    once, often = scorer.score(["red car", "red car red car red car red car red car"], [3, 3])
    assert often < once


def test_no_captions_no_scores() -> None:
    assert CiderD(REFERENCES).score([], []).shape == (0,)


def test_what_cannot_be_scored_is_refused() -> None:
    scorer = CiderD(REFERENCES)
    assert len(scorer) == 4
    with pytest.raises(IndexError, match=r"0\.\.3"):
        scorer.score(["a dog"], [4])
    with pytest.raises(IndexError):
        scorer.score(["a dog"], [-1])
    with pytest.raises(ValueError, match="2 hypotheses, but 1 photos"):
        scorer.score(["a dog", "a cat"], [0])


def test_tokenized_captions_are_what_it_expects() -> None:
    scorer = CiderD([[tokenize("A dog, running.")], [tokenize("A cat!")]])
    assert scorer.score([tokenize("a DOG running")], [0])[0] == pytest.approx(7.5)  # no 4-gram in three words


def test_one_string_is_no_list_of_captions() -> None:
    with pytest.raises(TypeError, match="not one string"):
        CiderD(["a dog", "a cat"])


def test_of_few_photos_it_says_what_it_is_worth() -> None:
    def notes(photos: int) -> set[str]:
        corpus = Corpus(("a dog",) * photos, (("a dog",),) * photos)
        scores = METRICS["cider"](corpus)
        assert [score.value for score in scores] == [0, 0]  # all words are in all photos
        return {score.note for score in scores}

    assert "0 for a single photo" in notes(1).pop()
    assert notes(99).pop().startswith("of 99 photos ")
    assert notes(100) == {""}
