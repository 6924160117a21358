"""Evidence of each location for each word, by occlusion: how much less likely the word is without the location.

This is occlusion, or prediction difference analysis (Zintgraf et al. 2017), of the annotation vectors: a location is
hidden from attention, instead of pixels from the encoder. Attention shows where the model looked; evidence, which
locations the word depended on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.nn.decoder import Decoder, Memory, State, select
from sightline.vocabulary import PAD, START


@torch.no_grad()
def evidence(decoder: Decoder, memory: Memory, tokens: Tensor) -> Tensor:
    """`word_evidence` of every word of one sentence a photo: int64 (P, T), ``<end>`` included -> float32 (P, T, L)."""
    state, read = decoder.initial_state(memory), torch.full_like(tokens[:, 0], START)
    words = []
    for said in tokens.unbind(1):
        of_word, state = word_evidence(decoder, memory, state, decoder.embed(read.unsqueeze(1)), said)
        words.append(of_word)
        read = said
    return torch.stack(words, dim=1)


def word_evidence(decoder: Decoder, memory: Memory, state: State, read: Tensor, said: Tensor) -> tuple[Tensor, State]:
    """The weight of evidence of each location for the word said (Robnik-Sikonja & Kononenko 2008).

    E_i = log odds(y | all locations) - log odds(y | all but i),  odds = p / (1 - p)

    Location i is masked in the attention at this word, not at earlier ones; the other weights are renormalised to sum
    to one. Positive evidence is for the word, negative against it. Log-odds, because the probability of a word at
    99.9% hardly changes with any one location.

    Args:
        decoder: any decoder.
        memory, state: its memory of P photos and its state of one sentence each, (P, 1, ...).
        read: (P, 1, E), the previous word, embedded.
        said: int64 (P,), the word; the evidence for ``<pad>`` is 0.

    Returns:
        float32 (P, L), in nats, and the state after the previous word.
    """
    photos, locations = memory[0].shape[:2]
    # One sentence that sees all locations, then one for each masked location.
    all_but_one = ~torch.eye(locations, dtype=torch.bool, device=said.device)
    visible = torch.cat([torch.ones_like(all_but_one[:1]), all_but_one])
    first = torch.zeros(photos, 1 + locations, dtype=torch.int64, device=said.device)
    output, _, after = decoder.step(memory, select(state, first), read.expand(-1, 1 + locations, -1), visible)
    odds = _log_odds(decoder.logits(output), said)  # (P, 1 + L)
    per_location = (odds[:, :1] - odds[:, 1:]).where((said != PAD).unsqueeze(1), 0.0)
    return per_location, select(after, first[:, :1])


def _log_odds(logits: Tensor, word: Tensor) -> Tensor:
    """log p(word) - log(1 - p(word)): ``logits`` (P, C, V), ``word`` int64 (P,) -> float32 (P, C)."""
    this = torch.arange(logits.shape[2], device=word.device) == word[:, None, None]  # (P, 1, V)
    logits = logits.float()
    others = logits.masked_fill(this, float("-inf")).logsumexp(dim=2)
    return logits.masked_fill(~this, 0.0).sum(dim=2) - others
