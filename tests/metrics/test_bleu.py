"""BLEU-4 of a sentence as a reward: any photos, any batch."""

import numpy as np
import pytest

from sightline.metrics.bleu import sentence_bleu
from sightline.metrics.ngrams import ReferenceNgrams

REFERENCES = ReferenceNgrams([["a dog runs fast", "a dog plays"], ["two boys"]])


def test_a_sentence_has_the_same_score_in_any_batch():
    sentences, photos = ["two boys", "a dog runs fast", "a dog", "zebra", "two cats"], [1, 0, 0, 1, 1]
    scores = sentence_bleu(REFERENCES, sentences, photos)
    one_by_one = [sentence_bleu(REFERENCES, [text], [photo])[0] for text, photo in zip(sentences, photos, strict=True)]
    np.testing.assert_array_equal(scores, one_by_one)
    # "a dog": all of its words and pairs, and the shorter of the references, "a dog plays", is a word longer.
    assert scores[:3] == pytest.approx([1, 1, np.exp(1 - 3 / 2)])
    # "two cats": one word of its two, and none of its one pair, 1 of 2 with what is added.
    assert scores[3:] == pytest.approx([0, (1 / 2 * 1 / 2) ** (1 / 4)], abs=1e-3)
    assert not len(sentence_bleu(REFERENCES, [], []))


@pytest.mark.parametrize("photo", [-1, 2])
def test_a_photo_that_is_not_there_is_refused(photo):
    with pytest.raises(IndexError, match=r"0\.\.1"):
        sentence_bleu(REFERENCES, ["a dog"], [photo])
