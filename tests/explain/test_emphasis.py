from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.caption import Caption
from sightline.explain.emphasis import emphasis


def caption(attention: np.ndarray, evidence: np.ndarray | None = None) -> Caption:
    words = tuple("word" for _ in attention)
    return Caption(" ".join(words), words, np.zeros(len(words), np.float32), attention, 0.0, (), evidence)


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(0.015625, 1, width=32)))
def test_it_keeps_a_words_order_and_stays_in_range(weights):
    attention = weights / weights.sum((1, 2), keepdims=True)
    light = emphasis(caption(attention))
    assert light.shape == attention.shape and light.dtype == np.float32
    assert light.min() >= 0 and light.max() <= 1
    for word in range(3):
        assert light[word].argmax() == attention[word].argmax()


def test_a_peak_is_shown_in_full_and_an_even_look_is_not():
    focused = np.zeros((7, 7), np.float32)
    focused[2, 3], focused[2, 4] = 0.75, 0.25
    even = np.full((7, 7), 1 / 49, np.float32)
    light = emphasis(caption(np.stack([focused, even])))
    assert light[0, 2, 3] == 1 and np.isclose(light[0, 2, 4], 1 / 3)
    np.testing.assert_allclose(light[1], 1 / 3, rtol=1e-5)


def test_evidence_is_shown_where_there_is_any_and_only_what_spoke_for_the_word():
    evidence = np.zeros((2, 7, 7), np.float32)
    evidence[0, 2, 3], evidence[0, 2, 4], evidence[0, 5, 5] = 0.8, 0.2, -3.0
    evidence[1, 6, 0] = 0.025  # next to nothing
    light = emphasis(caption(np.full((2, 7, 7), 1 / 49, np.float32), evidence))
    assert light.dtype == np.float32
    assert light[0, 2, 3] == 1 and np.isclose(light[0, 2, 4], 0.25)
    assert np.isclose(light[1, 6, 0], 0.25)
    assert np.count_nonzero(light) == 3


def test_no_words_need_no_emphasis():
    nothing = np.zeros((0, 7, 7), np.float32)
    assert emphasis(caption(nothing)).shape == emphasis(replace(caption(nothing), evidence=nothing)).shape == (0, 7, 7)
