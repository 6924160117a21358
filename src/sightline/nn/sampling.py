"""Sentences drawn at random, word by word, from what the model thinks likely."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.nn.decoder import Decoder, Memory, select
from sightline.vocabulary import END, PAD, START, UNKNOWN

NEVER_WRITTEN = (PAD, START, UNKNOWN)


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
    """Draw ``sentences`` of each of ``memory``'s P photos from p(word | photo, words before).

    Args:
        decoder, memory: of P photos.
        sentences: C.
        max_words: the longest sentence.
        generator: draws; torch's global one where it is None.
        places, whole: where the photos stand in a batch of ``whole`` that several processes share: given generators in
            the same state, each draws for its photos what one process would draw for them.

    Returns:
        int64 (P, C, T), T <= ``max_words``: words, ``<end>`` where a sentence was not cut off, then ``<pad>``. Special
        tokens other than ``<end>`` are never drawn.
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
        # Exponential times race at rates p: a word comes first with probability p. So does torch's multinomial.
        times = torch.empty((whole or photos, *probabilities.shape[1:]), device=device)
        words = (probabilities / times.exponential_(generator=generator)[places]).argmax(dim=2)
        words = words.masked_fill(ended, PAD)
        drawn.append(words)
        ended = ended | (words == END)
        if bool(ended.all()):
            break
    return torch.stack(drawn, dim=2)


def without_specials(logits: Tensor) -> Tensor:
    """``logits`` (..., V) with those of ``<pad>``, ``<start>`` and ``<unk>`` at minus infinity."""
    barred = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    barred[list(NEVER_WRITTEN)] = True
    return logits.masked_fill(barred, float("-inf"))
