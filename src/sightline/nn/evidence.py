"""What each word of a sentence rests on: attention says where the model looked, this what it lost by looking away."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.nn.decoder import Decoder, Memory, State, select
from sightline.vocabulary import PAD, START


@torch.no_grad()
def evidence(decoder: Decoder, memory: Memory, tokens: Tensor) -> Tensor:
    """`word_evidence` of every word of one sentence a photo: int64 (P, T), ``<end>`` included -> float32 (P, T, L)."""
    state, read = decoder.initial_state(memory), torch.full_like(tokens[:, 0], START)
    found = []
    for said in tokens.unbind(1):
        of_word, state = word_evidence(decoder, memory, state, decoder.embed(read.unsqueeze(1)), said)
        found.append(of_word)
        read = said
    return torch.stack(found, dim=1)


def word_evidence(decoder: Decoder, memory: Memory, state: State, read: Tensor, said: Tensor) -> tuple[Tensor, State]:
    """The weight of evidence of each location for the word said (Robnik-Sikonja & Kononenko 2008).

    E_i = log odds(y | all locations) - log odds(y | all but i),  odds = p / (1 - p)

    Location i is left out of attention at this word, not at those before; the other weights grow to sum to one. Above
    zero, location i spoke for the word, below zero against it. Log-odds, because a word known to 99.9% loses next to
    nothing of its probability by any one location.

    Args:
        decoder: what says the word.
        memory, state: its memory of P photos and its state of one sentence each, (P, 1, ...).
        read: (P, 1, E), the word before, embedded.
        said: int64 (P,), the word; nothing rests on ``<pad>``.

    Returns:
        float32 (P, L), in nats, and the state with the word before.
    """
    photos, locations = memory[0].shape[:2]
    # One sentence that sees all locations, then one for each that is left out.
    all_but_one = ~torch.eye(locations, dtype=torch.bool, device=said.device)
    visible = torch.cat([torch.ones_like(all_but_one[:1]), all_but_one])
    first = torch.zeros(photos, 1 + locations, dtype=torch.int64, device=said.device)
    output, _, after = decoder.step(memory, select(state, first), read.expand(-1, 1 + locations, -1), visible)
    odds = _log_odds(decoder.logits(output), said)  # (P, 1 + L)
    found = (odds[:, :1] - odds[:, 1:]).where((said != PAD).unsqueeze(1), 0.0)
    return found, select(after, first[:, :1])


def _log_odds(logits: Tensor, word: Tensor) -> Tensor:
    """log p(word) - log(1 - p(word)): ``logits`` (P, C, V), ``word`` int64 (P,) -> float32 (P, C)."""
    this = torch.arange(logits.shape[2], device=word.device) == word[:, None, None]  # (P, 1, V)
    logits = logits.float()
    others = logits.masked_fill(this, float("-inf")).logsumexp(dim=2)
    return logits.masked_fill(~this, 0.0).sum(dim=2) - others
