"""What every decoder offers to teacher forcing and to search, which both use nothing else of it."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from sightline.nn.prefix_tree import PrefixTree
from sightline.registry import Registry

Memory: TypeAlias = tuple[Tensor, ...]
"""What a decoder computes once a photo; every tensor begins with P photos, the first with (P, L locations)."""

State: TypeAlias = tuple[Tensor, ...]
"""What a decoder carries from word to word; every tensor begins with (P photos, C sentences of each)."""


class Decoder(nn.Module):
    """Annotation vectors and the words so far -> the next word, for C sentences of each of P photos at once.

    Attributes:
        output_size: H, the width of what `step` returns and `logits` reads.
    """

    output_size: int

    def prepare(self, features: Tensor) -> Memory:
        """All that is computed once a photo. ``features`` float (P, L, D)."""
        raise NotImplementedError

    def initial_state(self, memory: Memory) -> State:
        """The state before the first word, tensors (P, 1, ...)."""
        raise NotImplementedError

    def embed(self, tokens: Tensor) -> Tensor:
        """What `step` reads of the previous words: ``tokens`` int64 (...) -> (..., E)."""
        raise NotImplementedError

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """One word further.

        ``words`` (P, C, E), the embedded previous words -> output (P, C, H), attention (P, C, L), the new state.
        ``visible``, bool (C, L), says which locations each sentence's attention may look at; None: at all.
        """
        raise NotImplementedError

    def logits(self, output: Tensor) -> Tensor:
        """``output`` (..., H) -> scores before softmax (..., V). Dropout, where there is any, is applied here."""
        raise NotImplementedError

    def teacher_force(self, memory: Memory, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        """Step down the true captions: output (P, sum N_t, H) and attention (P, sum N_t, L), level after level."""
        state = self.initial_state(memory)
        outputs, attentions = [], []
        for words, parents in zip(self.embed_tree(tree), tree.parents, strict=True):
            output, attention, state = self.step(memory, select(state, parents), words)
            outputs.append(output)
            attentions.append(attention)
        return torch.cat(outputs, dim=1), torch.cat(attentions, dim=1)

    def embed_tree(self, tree: PrefixTree) -> tuple[Tensor, ...]:
        """Every level's embedded words, T tensors (P, N_t, E); each distinct word of the batch is embedded once."""
        tokens = torch.cat(tree.tokens, dim=1)
        distinct, place = tokens.unique(return_inverse=True)
        embedded = torch.nn.functional.embedding(place, self.embed(distinct))
        return embedded.split([level.shape[1] for level in tree.tokens], dim=1)


DECODERS: Registry[type[Decoder]] = Registry("decoder", "decoders", "sightline.nn")


def select(state: State, parents: Tensor) -> State:
    """Let sentence c continue the state of sentence ``parents[p, c]``.

    ``parents`` int64 (P, C), indices into the state's sentences. A beam search reorders its beams by this; teacher
    forcing walks down a tree of captions by this.
    """

    def gather(tensor: Tensor) -> Tensor:
        index = parents[(..., *[None] * (tensor.dim() - 2))]
        return tensor.gather(1, index.expand(*parents.shape, *tensor.shape[2:]))

    return tuple(gather(tensor) for tensor in state)
