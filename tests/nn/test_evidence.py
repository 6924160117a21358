import math

import numpy as np
import torch

from sightline.nn.evidence import evidence
from sightline.vocabulary import END, PAD, START
from tests.nn.conftest import LOCATIONS

SENTENCES = torch.tensor([[4, 5, 6, END], [6, END, PAD, PAD], [5, 5, 4, 6]])


def log_odds(decoder, output, word):
    p = decoder.logits(output).softmax(-1)[0, 0, word].item()
    return math.log(p) - math.log(1 - p)


def test_it_is_the_log_odds_a_word_loses_where_attention_leaves_out_a_location(decoder, features):
    found = evidence(decoder, decoder.prepare(features), SENTENCES)
    assert found.shape == (3, 4, LOCATIONS)
    for p in range(3):
        memory = decoder.prepare(features[p : p + 1])
        state, before = decoder.initial_state(memory), START
        for t, word in enumerate(SENTENCES[p].tolist()):
            if word == PAD:
                assert not found[p, t].any()
                continue
            read = decoder.embed(torch.tensor([[before]]))
            for location in range(LOCATIONS):
                visible = torch.arange(LOCATIONS)[None] != location
                output, alpha, _ = decoder.step(memory, state, read, visible)
                assert alpha[0, 0, location] == 0 and np.isclose(alpha.sum().item(), 1)
                without = log_odds(decoder, output, word)
                output, _, after = decoder.step(memory, state, read)
                expected = log_odds(decoder, output, word) - without
                np.testing.assert_allclose(found[p, t, location], expected, atol=1e-5)
            state, before = after, word


def test_nothing_rests_on_one_of_equal_locations(decoder, features):
    same = features[:, :1].expand(-1, LOCATIONS, -1)
    assert evidence(decoder, decoder.prepare(same), SENTENCES).abs().max() < 1e-5
    assert evidence(decoder, decoder.prepare(features), SENTENCES).abs().max() > 1e-3
