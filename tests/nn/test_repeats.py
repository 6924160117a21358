from itertools import pairwise

import pytest
import torch

from sightline.nn.repeats import LINKS, often_repeat, repeats_of
from sightline.nn.search import search
from sightline.vocabulary import END, PAD, SPECIAL_TOKENS, START, UNKNOWN, Vocabulary

WORDS = Vocabulary((*SPECIAL_TOKENS, "dog", "cat", "and", "red", "runs"))
REPEATS = repeats_of(WORDS, ("dog", "cat"))


def may_follow(sentence, word):
    """Whether the rules let a word follow a sentence, as a reader would check it."""
    *_, last = ("<start>", *sentence)
    if (last, word) in pairwise(sentence):
        return False
    links = [place for place, said in enumerate(sentence) if said in LINKS]
    return word not in ("dog", "cat") or word not in sentence[: links[-1] if links else 0]


def best_by_enumeration(decoder, memory, longest):
    """The best sentence of those that end and follow the rules, and its mean log-probability."""
    whole = []

    def go_on(state, words, logs):
        if END in words:
            whole.append((sum(logs) / len(words), words))
        elif len(words) < longest:
            previous = torch.tensor([[words[-1] if words else START]])
            output, _, state = decoder.step(memory, state, decoder.embed(previous))
            logits = decoder.logits(output)[0, 0].detach().float()
            logits[[PAD, START, UNKNOWN] + ([END] if not words else [])] = float("-inf")
            said = [WORDS.words[word] for word in words]
            for word, log in enumerate(logits.log_softmax(0).tolist()):
                if log > float("-inf") and (word == END or may_follow(said, WORDS.words[word])):
                    go_on(state, (*words, word), [*logs, log])

    go_on(decoder.initial_state(memory), (), [])
    return max(whole)


def test_the_best_sentence_that_repeats_nothing_is_found(decoder, features):
    memory = decoder.prepare(features[:1])
    score, words = best_by_enumeration(decoder, memory, 4)
    sentences, scores = search(decoder, memory, 200, 4, 1.0, REPEATS)
    assert scores[0, 0] == pytest.approx(score, abs=1e-5)
    assert tuple(sentences.tokens[0, 0][: len(words)].tolist()) == words


def test_no_sentence_breaks_a_rule_and_each_would_without_them(decoder, features):
    def broken(sentences):
        readings = [WORDS.read(each.tolist()).words for each in sentences.tokens.flatten(0, 1)]
        return sum(not may_follow(words[:place], words[place]) for words in readings for place in range(1, len(words)))

    memory = decoder.prepare(features)
    assert broken(search(decoder, memory, 4, 12, 1.0, REPEATS)[0]) == 0
    assert broken(search(decoder, memory, 4, 12, 1.0)[0]) > 0


def test_what_is_allowed_changes_no_bit(decoder, features):
    memory = decoder.prepare(features)
    freely = search(decoder, memory, 3, 8, 1.0, REPEATS._replace(nouns=torch.zeros(9)).unless(torch.tensor(True)))
    plainly = search(decoder, memory, 3, 8, 1.0)
    assert all(map(torch.equal, freely[0], plainly[0])) and torch.equal(freely[1], plainly[1])


def test_a_sentence_that_could_say_nothing_new_ends(decoder, features, monkeypatch):
    logits = decoder.logits
    others = torch.tensor([4, 5, 6, 8])
    monkeypatch.setattr(decoder, "logits", lambda output: logits(output).index_fill(-1, others, float("-inf")))
    sentences, scores = search(decoder, decoder.prepare(features), 3, 8, 0.0, REPEATS)
    for photo in range(3):
        there = [tokens[tokens > PAD].tolist() for tokens in sentences.tokens[photo][scores[photo] > -1e8]]
        assert sorted(there) == [[7, END], [7, 7, END]]


def test_what_never_ends_is_cut_after_its_last_noun(decoder, features, monkeypatch):
    logits = decoder.logits
    monkeypatch.setattr(decoder, "logits", lambda output: logits(output).index_fill(-1, torch.tensor([END]), -1e4))
    memory = decoder.prepare(features)
    cut, scores = search(decoder, memory, 3, 6, 1.0, REPEATS)
    whole, _ = search(decoder, memory, 3, 6, 1.0, REPEATS._replace(nouns=torch.zeros(9), links=torch.zeros(9)))
    assert (cut.lengths < 6).any() and (whole.lengths == 6).all()
    for tokens, length in zip(cut.tokens.flatten(0, 1), cut.lengths.flatten(), strict=True):
        nouns = [place for place, token in enumerate(tokens.tolist(), start=1) if token in (4, 5)]
        assert int(length) == (nouns[-1] if nouns else 6)
        assert (tokens[length:] == PAD).all() and (tokens[:length] > UNKNOWN).all()
    torch.testing.assert_close(scores, cut.log_probs.sum(2) / cut.lengths, atol=1e-5, rtol=0)
    assert (cut.attention.sum(3) > 0.5).sum(2).equal(cut.lengths)


def test_a_batch_forbids_each_photo_what_it_has_said(decoder, features):
    together, scores = search(decoder, decoder.prepare(features), 4, 8, 1.0, REPEATS)
    for photo in range(3):
        alone, score = search(decoder, decoder.prepare(features[photo : photo + 1]), 4, 8, 1.0, REPEATS)
        assert torch.equal(together.tokens[photo], alone.tokens[0])
        torch.testing.assert_close(scores[photo], score[0])


def test_each_vocabulary_has_its_rules():
    assert repeats_of(Vocabulary((*SPECIAL_TOKENS, "a", "b"), "characters"), ()) is None
    assert repeats_of(Vocabulary((*SPECIAL_TOKENS, "\u2581a", "b"), "subwords"), ()) is None
    german = repeats_of(Vocabulary((*SPECIAL_TOKENS, "hund", "und")), ())
    assert german.pair < -1e8 and not german.nouns.any() and not german.links.any()
    assert REPEATS.nouns.nonzero().flatten().tolist() == [4, 5]
    assert REPEATS.links.nonzero().flatten().tolist() == [6]


def test_captions_that_must_repeat_are_told_from_those_that_need_not():
    assert often_repeat(["a red circle and a red cross", *["a dog runs in the grass"] * 14])
    assert not often_repeat(["a red circle and a red cross", *["a dog runs in the grass"] * 15])
    assert not often_repeat([])
