"""Sampling: captions drawn word by word from the model's distribution, for self-critical training."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.nn.decoder import Decoder, Memory, select
from sightline.vocabulary import END, PAD, START, UNKNOWN


@torch.no_grad()
def sample(
    decoder: Decoder,
    memory: Memory,
    sentences: int,
    max_words: int,
    generator: torch.Generator | None = None,
    places: slice = slice(None),
    whole: int | None = None,
) -> Tensor:
    """Draw C = ``sentences`` of each of ``memory``'s P photos from p(word | photo, words before).

    Returns int64 (P, C, T), T <= ``max_words``: words, ``<end>`` unless the sentence was cut off, then ``<pad>``. Other
    special tokens are never drawn. ``places``: the photos' indices in a global batch of ``whole`` photos that several
    processes share: with generators in the same state, each process draws for its photos what a single one would.
    """
    state = decoder.initial_state(memory)
    photos, device = state[0].shape[0], state[0].device
    state = select(state, torch.zeros(photos, sentences, dtype=torch.int64, device=device))
    words = torch.full((photos, sentences), START, device=device)
    ended = torch.zeros_like(words, dtype=torch.bool)
    drawn = []
    for _ in range(max_words):
        output, _, state = decoder.step(memory, state, decoder.embed(words))
        probabilities = without_specials(decoder.logits(output).float()).softmax(dim=2)
        # The exponential race, as in torch.multinomial: with rates p, a word arrives first with probability p.
        times = torch.empty((whole or photos, *probabilities.shape[1:]), device=device)
        words = (probabilities / times.exponential_(generator=generator)[places]).argmax(dim=2)
        words = words.masked_fill(ended, PAD)
        drawn.append(words)
        ended = ended | (words == END)
        if bool(ended.all()):
            break
    return torch.stack(drawn, dim=2)


def without_specials(logits: Tensor) -> Tensor:
    """``logits`` (..., V) with ``<pad>``, ``<start>`` and ``<unk>`` set to minus infinity."""
    return logits.index_fill(-1, torch.tensor([PAD, START, UNKNOWN], device=logits.device), float("-inf"))
