"""Beam search, as plain tensor operations: many photos and beams at once, nothing read back on the way."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from sightline.nn.decoder import Decoder, Memory, State, select
from sightline.nn.repeats import NEVER, Repeats, forbid
from sightline.vocabulary import END, PAD, START, UNKNOWN

# No factor of a length penalty lies beyond these, so that none is infinite, none 0, and no product of a score with one.
_SMALLEST, _LARGEST = 1e-25, 1e25


class Beams(NamedTuple):
    """K sentences of each of P photos, so far.

    Attributes:
        step: int64 (), how many words were chosen.
        words: int64 (P, K), the last words, ``<start>`` at first.
        before: int64 (P, K, T), the words before the last, the latest first, then ``<pad>``; kept for `forbid` alone.
        path: int64 (P, K, T), which beam a sentence was in after each step so far; what the step chose lies there.
        scores: float32 (P, K), sums of log-probabilities; at or below -1e9: no sentence at all.
        lengths: int64 (P, K), words chosen, ``<end>`` included.
        ended: bool (P, K).
        state: the decoder's.
    """

    step: Tensor
    words: Tensor
    before: Tensor
    path: Tensor
    scores: Tensor
    lengths: Tensor
    ended: Tensor
    state: State


class Choices(NamedTuple):
    """What one step left of every beam, or, with a leading dimension, what all steps left.

    Attributes:
        words: int64 (..., P, K), the words chosen, ``<end>`` included, then ``<pad>``.
        scores: float32 (..., P, K), the sums of log-probabilities with them.
        attention: float32 (..., P, K, L), where the beams looked before they were chosen and put in a new order.
    """

    words: Tensor
    scores: Tensor
    attention: Tensor


class Sentences(NamedTuple):
    """K whole sentences of each of P photos, best first.

    Attributes:
        tokens: int64 (P, K, T), the words, ``<end>`` included, then ``<pad>``.
        log_probs: float32 (P, K, T), each word's log-probability, 0 at padding.
        attention: float32 (P, K, T, L), each word's weights, 0 at padding.
        lengths: int64 (P, K), words, ``<end>`` included.
    """

    tokens: Tensor
    log_probs: Tensor
    attention: Tensor
    lengths: Tensor


def first_scores(beam_size: int) -> Tensor:
    """float32 (K,): only the first of K equal beams may be continued at the first word."""
    scores = torch.full((beam_size,), NEVER)
    scores[0] = 0
    return scores


def begin(decoder: Decoder, memory: Memory, scores: Tensor, max_words: int) -> Beams:
    """K beams before their first word; K is the length of ``scores`` (see `first_scores`), T is ``max_words``."""
    initial = decoder.initial_state(memory)
    photos, beams, device = initial[0].shape[0], scores.shape[0], scores.device
    return Beams(
        step=torch.zeros((), dtype=torch.int64, device=device),
        words=torch.full((photos, beams), START, dtype=torch.int64, device=device),
        before=torch.full((photos, beams, max_words), PAD, dtype=torch.int64, device=device),
        path=torch.zeros(photos, beams, max_words, dtype=torch.int64, device=device),
        scores=scores.expand(photos, beams),
        lengths=torch.zeros(photos, beams, dtype=torch.int64, device=device),
        ended=torch.zeros(photos, beams, dtype=torch.bool, device=device),
        state=tuple(tensor.expand(photos, beams, *tensor.shape[2:]) for tensor in initial),
    )


def advance(
    decoder: Decoder,
    memory: Memory,
    beams: Beams,
    embedded: Tensor,
    length_penalty: Tensor,
    repeats: Repeats | None = None,
) -> tuple[Beams, Choices]:
    """Choose every beam's next word: the K best continuations of all beams by ``sum(log p) / length ** penalty``.

    An ended beam continues with itself alone. ``embedded`` (P, K, E) is what the decoder reads of the beams' words;
    ``length_penalty`` float32 (), 0 ranks by the plain sum, 1 by the mean. ``repeats`` says what may not be said again.
    """
    output, attention, state = decoder.step(memory, beams.state, embedded)
    log_probs, said = _continuations(decoder.logits(output), beams, repeats)
    totals = beams.scores.unsqueeze(2) + log_probs  # (P, K, V)
    step = beams.step + 1
    lengths = torch.where(beams.ended, beams.lengths, step)
    ranking = totals * _weights_by_length(beams, lengths, length_penalty)
    _, chosen = ranking.flatten(1).topk(totals.shape[1], dim=1)  # (P, K)
    parents, words = chosen // totals.shape[2], chosen % totals.shape[2]
    scores = totals.flatten(1).gather(1, chosen)

    path, before, lengths, *after_state = select((beams.path, said, lengths, *state), parents)
    now = torch.arange(path.shape[2], device=path.device) == beams.step  # (T,)
    here = torch.arange(path.shape[1], device=path.device).unsqueeze(1)  # (K, 1)
    ended = words <= END  # <end> or <pad>, as <start> is never chosen
    after = Beams(step, words, before, torch.where(now, here, path), scores, lengths, ended, tuple(after_state))
    return after, Choices(words, scores, attention)


def finish(
    beams: Beams, choices: Choices, length_penalty: Tensor, repeats: Repeats | None = None
) -> tuple[Sentences, Tensor]:
    """The sentences, best first, and their final scores float32 (P, K).

    A sentence that reached the longest length comes after all that ended; it is cut after its last noun, where
    ``repeats`` knows it to have one. Scores are ``sum(log p) / length ** length_penalty``, the divisor kept within
    1e-25 and 1e25; of a beam that is no sentence, because there were fewer than K, -inf, and it comes last.

    ``choices`` are those of all S <= T steps, (S, P, K, ...).
    """
    # Each step leaves the beams in the order of their ranking, which a stable sort keeps among equals.
    is_sentence = beams.scores > NEVER / 10
    _, order = (is_sentence * (1.0 + beams.ended)).sort(dim=1, descending=True, stable=True)
    path, lengths, ended, is_sentence = select((beams.path, beams.lengths, beams.ended, is_sentence), order)
    words, totals = _follow(path, choices.words), _follow(path, choices.scores)
    if repeats is not None:
        lengths = torch.where(ended, lengths, _after_last_noun(words, lengths, repeats))
    # Of the sentence alone: how many steps the search took depends on the photos beside it.
    sums = totals.gather(2, lengths.unsqueeze(2) - 1).squeeze(2)
    scores = sums * _weights(torch.ones_like(beams.step), lengths, length_penalty)
    real = torch.arange(path.shape[2], device=path.device) < lengths.unsqueeze(2)  # (P, K, T)
    before = torch.cat([torch.zeros_like(path[..., :1]), path[..., :-1]], dim=2)
    log_probs = (totals - torch.cat([torch.zeros_like(totals[..., :1]), totals[..., :-1]], dim=2)).where(real, 0.0)
    attention = _follow(before, choices.attention).where(real.unsqueeze(3), 0.0)
    sentences = Sentences(words.where(real, PAD), log_probs, attention, lengths)
    return sentences, torch.where(is_sentence, scores, float("-inf"))


@torch.no_grad()
def search(
    decoder: Decoder,
    memory: Memory,
    beam_size: int,
    max_words: int,
    length_penalty: float,
    repeats: Repeats | None = None,
) -> tuple[Sentences, Tensor]:
    """Search every photo of ``memory`` until all its beams have ended or reached ``max_words``; see `finish`.

    ``beam_size`` 1 is greedy decoding. Special tokens other than ``<end>`` are never chosen, nor is ``<end>`` as the
    first word, so that every photo gets a sentence; nor what ``repeats`` forbids, so that a sentence which could go on
    in no other way ends.
    """
    device = memory[0].device
    penalty = torch.tensor(length_penalty, device=device)
    beams = begin(decoder, memory, first_scores(beam_size).to(device), max_words)
    choices: list[Choices] = []
    for _ in range(max_words):
        beams, chosen = advance(decoder, memory, beams, decoder.embed(beams.words), penalty, repeats)
        choices.append(chosen)
        if bool(beams.ended.all()):
            break
    return finish(beams, Choices(*map(torch.stack, zip(*choices, strict=True))), penalty, repeats)


def _weights(step: Tensor, lengths: Tensor, length_penalty: Tensor) -> Tensor:
    """``(step / length) ** length_penalty``, by which sums of log-probabilities rank as by ``1 / length ** penalty``.

    It is exactly 1 for sentences as long as ``step``, and kept finite and above 0; ``lengths`` are 1 or more.
    """
    return (step / lengths.to(torch.float32)).pow(length_penalty).clamp(_SMALLEST, _LARGEST)


def _weights_by_length(beams: Beams, lengths: Tensor, length_penalty: Tensor) -> Tensor:
    """`_weights` after the step that ``beams`` take now, from a table that is the same at every step: (P, K, 1)."""
    steps = torch.arange(1, beams.path.shape[2] + 1, device=lengths.device)
    table = _weights(steps.unsqueeze(1), torch.cat([steps[:1], steps]), length_penalty)  # (T, 1 + T), by the length
    return embedding(lengths, embedding(beams.step, table).unsqueeze(1))


def _continuations(logits: Tensor, beams: Beams, repeats: Repeats | None) -> tuple[Tensor, Tensor]:
    """``logits`` (P, K, V) -> log-probabilities, and what was said, see `forbid`.

    An ended beam's only continuation is ``<pad>``, at no cost.
    """
    words = torch.arange(logits.shape[2], device=logits.device)
    never = torch.where((words == PAD) | (words == START) | (words == UNKNOWN), float("-inf"), 0.0)
    at_first = torch.where(words == END, float("-inf"), never)
    log_probs = (logits.float() + torch.where(beams.step == 0, at_first, never)).log_softmax(dim=2)
    said = beams.before
    if repeats is not None:
        log_probs, said = forbid(log_probs, beams.words, said, repeats)
    padding = torch.where(words == PAD, 0.0, float("-inf"))
    return torch.where(beams.ended.unsqueeze(2), padding, log_probs), said


def _after_last_noun(words: Tensor, lengths: Tensor, repeats: Repeats) -> Tensor:
    """``words`` (P, K, T) -> int64 (P, K), up to which word the last noun stands; ``lengths`` (P, K) without any."""
    places = torch.arange(1, words.shape[2] + 1, device=words.device)
    last = torch.where(repeats.nouns.take(words) < 0, places, 0).amax(2)
    return torch.where(last > 0, last, lengths)


def _follow(path: Tensor, chosen: Tensor) -> Tensor:
    """Along each sentence's ``path`` (P, K, T), what S steps chose (S, P, K, ...) -> (P, K, T, ...), 0 after S."""
    chosen = chosen.movedim(0, 2)  # (P, K, S, ...)
    steps, rest = chosen.shape[2], chosen.shape[3:]
    index = path[:, :, :steps].reshape(*chosen.shape[:3], *[1] * len(rest))
    found = chosen.gather(1, index.expand(chosen.shape))
    return torch.cat([found, found.new_zeros(*path.shape[:2], path.shape[2] - steps, *rest)], dim=2)
