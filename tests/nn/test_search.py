import pytest
import torch

from sightline.nn.decoder import select
from sightline.nn.search import search
from sightline.vocabulary import END, PAD, START, UNKNOWN

MAX_WORDS = 3


def all_sentences(decoder, memory):
    """Every sentence of at most MAX_WORDS words and its words' log-probabilities, for the one photo in ``memory``."""
    whole = []

    def go_on(state, words, logs):
        if END in words or len(words) == MAX_WORDS:
            whole.append((words, logs))
            return
        previous = torch.tensor([[words[-1] if words else START]])
        output, _, state = decoder.step(memory, state, decoder.embed(previous))
        logits = decoder.logits(output)[0, 0].detach().float()
        logits[[PAD, START, UNKNOWN] + ([END] if not words else [])] = float("-inf")
        for word, log in enumerate(logits.log_softmax(0).tolist()):
            if log > float("-inf"):
                go_on(state, (*words, word), [*logs, log])

    go_on(decoder.initial_state(memory), (), [])
    return whole


def test_a_beam_that_holds_everything_finds_what_enumeration_finds(decoder, features):
    memory = decoder.prepare(features[:1])
    whole = all_sentences(decoder, memory)
    assert len(whole) == 5 * 1 + 5 * 5 * 6  # five words; <end> stands in the second place, or in the third or nowhere
    for length_penalty in (0.0, 0.7, 1.0):
        expected = sorted(
            ((sum(logs) / len(words) ** length_penalty, words, logs) for words, logs in whole),
            key=lambda each: (END in each[1], each),
            reverse=True,
        )
        beams, scores = search(decoder, memory, len(expected) + 20, MAX_WORDS, length_penalty)
        for rank in range(10):
            score, sentence, logs = expected[rank]
            assert scores[0, rank] == pytest.approx(score, abs=1e-5)
            assert tuple(beams.tokens[0, rank][: len(sentence)].tolist()) == sentence
            torch.testing.assert_close(beams.log_probs[0, rank, : len(logs)], torch.tensor(logs), atol=1e-5, rtol=0)
            assert (beams.tokens[0, rank][len(sentence) :] == PAD).all()
        assert (scores[0, len(expected) :] < -1e8).all()


def test_beam_size_one_is_greedy(decoder, features):
    memory = decoder.prepare(features)
    beams, _ = search(decoder, memory, 1, 8, 0.0)
    for p in range(3):
        memory = decoder.prepare(features[p : p + 1])
        state, previous = decoder.initial_state(memory), START
        for t in range(8):
            output, alpha, state = decoder.step(memory, state, decoder.embed(torch.tensor([[previous]])))
            logits = decoder.logits(output)[0, 0].clone()
            logits[[PAD, START, UNKNOWN] + ([END] if t == 0 else [])] = float("-inf")
            previous = int(logits.argmax())
            assert int(beams.tokens[p, 0, t]) == previous
            torch.testing.assert_close(beams.attention[p, 0, t], alpha[0, 0])
            if previous == END:
                break


def test_a_batch_finds_what_each_photo_finds_alone(decoder, features):
    together, scores = search(decoder, decoder.prepare(features), 4, 6, 0.5)
    for p in range(3):
        alone, score = search(decoder, decoder.prepare(features[p : p + 1]), 4, 6, 0.5)
        assert torch.equal(together.tokens[p], alone.tokens[0])
        torch.testing.assert_close(scores[p], score[0])
        torch.testing.assert_close(together.attention[p], alone.attention[0])


def test_a_sentence_comes_back_even_if_nothing_ever_ends(decoder, features, monkeypatch):
    logits = decoder.logits
    monkeypatch.setattr(decoder, "logits", lambda output: logits(output).index_fill(-1, torch.tensor([END]), -1e4))
    beams, scores = search(decoder, decoder.prepare(features), 3, 5, 0.0)
    assert (beams.tokens > UNKNOWN).all()
    assert (scores > -1e8).all()


def test_a_sentence_is_never_empty_and_never_holds_special_tokens(decoder, features, monkeypatch):
    logits = decoder.logits
    special = torch.tensor([PAD, START, END, UNKNOWN])
    monkeypatch.setattr(
        decoder,
        "logits",
        lambda output: logits(output).index_add(-1, special, torch.full_like(logits(output)[..., :4], 50.0)),
    )
    beams, _ = search(decoder, decoder.prepare(features), 1, 5, 0.0)
    assert (beams.tokens[:, 0, 0] > UNKNOWN).all()
    assert (beams.tokens[:, 0, 1] == END).all()
    assert (beams.tokens[:, 0, 2:] == PAD).all()


@pytest.mark.parametrize("length_penalty", [-1e30, -20.0, 40.0, 1e30])
def test_any_finite_length_penalty_ranks_by_length_without_losing_a_sentence(decoder, features, length_penalty):
    sentences, scores = search(decoder, decoder.prepare(features), 4, 8, length_penalty)
    plain, _ = search(decoder, decoder.prepare(features), 4, 8, 0.0)
    assert scores.isfinite().all() and sentences.log_probs.isfinite().all()
    assert (sentences.log_probs[sentences.lengths.unsqueeze(2) > torch.arange(8)] < 0).all()
    shift = sentences.lengths[:, 0] - plain.lengths[:, 0]
    assert (shift >= 0).all() if length_penalty > 0 else (shift <= 0).all()


def test_beams_without_a_sentence_come_last_and_are_told(decoder, features):
    for length_penalty in (-20.0, 0.0, 10.0):
        sentences, scores = search(decoder, decoder.prepare(features), 40, 1, length_penalty)
        there = (sentences.log_probs[..., 0] > -1e8).sum(1)
        assert (there < 40).all()
        assert [int(row.isfinite().sum()) for row in scores] == there.tolist()
        assert all(bool(row[:count].isfinite().all()) for row, count in zip(scores, there.tolist(), strict=True))


def test_select_continues_the_right_sentence():
    state = (torch.arange(12).reshape(2, 3, 2),)
    (chosen,) = select(state, torch.tensor([[2, 0], [1, 1]]))
    assert chosen.tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]
