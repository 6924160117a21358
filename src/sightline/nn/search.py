"""Beam search, as plain tensor operations: many photos and beams at once, nothing read back on the way."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sightline.nn.decoder import Decoder, Memory, State, select
from sightline.vocabulary import END, PAD, START, UNKNOWN

_NEVER = -1e9


class Beams(NamedTuple):
    """K sentences of each of P photos, so far.

    Attributes:
        step: int64 (), how many words were chosen.
        tokens: int64 (P, K, T), the words, ``<end>`` included, then ``<pad>``.
        log_probs: float32 (P, K, T), each word's log-probability, 0 at padding.
        attention: float32 (P, K, T, L), each word's weights, 0 at padding.
        scores: float32 (P, K), sums of log-probabilities; at or below -1e9: no sentence at all.
        lengths: int64 (P, K), words chosen, ``<end>`` included.
        ended: bool (P, K).
        state: the decoder's.
    """

    step: Tensor
    tokens: Tensor
    log_probs: Tensor
    attention: Tensor
    scores: Tensor
    lengths: Tensor
    ended: Tensor
    state: State


def first_scores(beam_size: int) -> Tensor:
    """float32 (K,): only the first of K equal beams may be continued at the first word."""
    scores = torch.full((beam_size,), _NEVER)
    scores[0] = 0
    return scores


def begin(decoder: Decoder, memory: Memory, scores: Tensor, max_words: int, locations: int) -> Beams:
    """K beams before their first word; K is the length of ``scores`` (see `first_scores`), T is ``max_words``."""
    initial = decoder.initial_state(memory)
    photos, beams, steps = initial[0].shape[0], scores.shape[0], max_words
    new = initial[0].new_zeros
    return Beams(
        step=torch.zeros((), dtype=torch.int64, device=scores.device),
        tokens=torch.full((photos, beams, steps), PAD, dtype=torch.int64, device=scores.device),
        log_probs=new(photos, beams, steps),
        attention=new(photos, beams, steps, locations),
        scores=scores.expand(photos, beams),
        lengths=torch.zeros(photos, beams, dtype=torch.int64, device=scores.device),
        ended=torch.zeros(photos, beams, dtype=torch.bool, device=scores.device),
        state=tuple(tensor.expand(photos, beams, *tensor.shape[2:]) for tensor in initial),
    )


def advance(decoder: Decoder, memory: Memory, beams: Beams, length_penalty: Tensor) -> Beams:
    """Choose every beam's next word: the K best continuations of all beams by ``sum(log p) / length ** penalty``.

    An ended beam continues with itself alone. ``length_penalty`` float32 (), 0 ranks by the plain sum, 1 by the mean.
    """
    previous = beams.tokens.gather(2, (beams.step - 1).clamp(min=0).expand(*beams.ended.shape, 1)).squeeze(2)
    previous = torch.where(beams.step == 0, torch.full_like(previous, START), previous)
    output, attention, state = decoder.step(memory, beams.state, decoder.embed(previous))
    next_log_probs = _continuations(decoder.logits(output), beams)  # (P, K, V)

    lengths = beams.lengths + (~beams.ended).long()
    totals = beams.scores.unsqueeze(2) + next_log_probs
    ranking = totals / lengths.to(totals.dtype).pow(length_penalty).unsqueeze(2)
    _, chosen = ranking.flatten(1).topk(ranking.shape[1], dim=1)  # (P, K)
    vocabulary_size = ranking.shape[2]
    parents, words = chosen // vocabulary_size, chosen % vocabulary_size

    word_log_probs = next_log_probs.flatten(1).gather(1, chosen)
    tokens, log_probs, attentions, ended, lengths, attention = select(
        (beams.tokens, beams.log_probs, beams.attention, beams.ended, lengths, attention), parents
    )
    now = torch.arange(tokens.shape[2], device=tokens.device) == beams.step  # (T,)
    written = now & ~ended.unsqueeze(2)  # (P, K, T)
    return Beams(
        step=beams.step + 1,
        tokens=torch.where(now, words.unsqueeze(2), tokens),
        log_probs=torch.where(written, word_log_probs.unsqueeze(2), log_probs),
        attention=torch.where(written.unsqueeze(3), attention.unsqueeze(2), attentions),
        scores=totals.flatten(1).gather(1, chosen),
        lengths=lengths,
        ended=ended | (words == END),
        state=select(state, parents),
    )


def finish(beams: Beams, length_penalty: Tensor) -> tuple[Beams, Tensor]:
    """The beams ordered best first, and their final scores float32 (P, K); unfinished ones compete as they are."""
    scores = beams.scores / beams.lengths.clamp(min=1).to(beams.scores.dtype).pow(length_penalty)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    tokens, log_probs, attention, sums, lengths, ended = select(
        (beams.tokens, beams.log_probs, beams.attention, beams.scores, beams.lengths, beams.ended), order
    )
    return Beams(beams.step, tokens, log_probs, attention, sums, lengths, ended, ()), scores


@torch.no_grad()
def search(
    decoder: Decoder, memory: Memory, locations: int, beam_size: int, max_words: int, length_penalty: float
) -> tuple[Beams, Tensor]:
    """Search every photo of ``memory`` until all its beams have ended or reached ``max_words``; see `finish`.

    ``beam_size`` 1 is greedy decoding. Special tokens other than ``<end>`` are never chosen, nor is ``<end>`` as the
    first word, so that every photo gets a sentence.
    """
    device = memory[0].device
    penalty = torch.tensor(length_penalty, device=device)
    beams = begin(decoder, memory, first_scores(beam_size).to(device), max_words, locations)
    for _ in range(max_words):
        beams = advance(decoder, memory, beams, penalty)
        if bool(beams.ended.all()):
            break
    return finish(beams, penalty)


def _continuations(logits: Tensor, beams: Beams) -> Tensor:
    """``logits`` (P, K, V) -> log-probabilities; an ended beam's only continuation is ``<pad>``, at no cost."""
    words = torch.arange(logits.shape[2], device=logits.device)
    barred = (words == PAD) | (words == START) | (words == UNKNOWN) | ((words == END) & (beams.step == 0))
    log_probs = logits.float().masked_fill(barred, float("-inf")).log_softmax(dim=2)
    padding = torch.where(words == PAD, 0.0, float("-inf")).to(log_probs.dtype)
    return torch.where(beams.ended.unsqueeze(2), padding, log_probs)
