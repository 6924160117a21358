"""Additive attention: the equations, nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Where to look, given what was said so far (Bahdanau et al. 2015, section 3.1; Show, Attend and Tell, eqs. 4-6).

    e_i   = v^T tanh(W_a a_i + W_h h + b)
    alpha = softmax(e) over the L locations

    ``W [a ; h] = W_a a + W_h h``, so ``W_a a + b`` (the keys) is computed once a photo, not once a word.
    """

    def __init__(self, feature_size: int, query_size: int, attention_size: int) -> None:
        super().__init__()
        self.W_a = nn.Linear(feature_size, attention_size)
        self.W_h = nn.Linear(query_size, attention_size, bias=False)
        self.v = nn.Parameter(torch.empty(attention_size).uniform_(-1, 1) / attention_size**0.5)

    def keys(self, features: Tensor) -> Tensor:
        """2 (W_a a + b), see `layer`. ``features`` (P, L, D) -> (P, L, A)."""
        return 2 * self.W_a(features)

    def query(self, hidden: Tensor) -> Tensor:
        """2 W_h h, see `layer`. ``hidden`` (P, C, H) -> (P, C, A)."""
        return 2 * self.W_h(hidden)

    def forward(self, keys: Tensor, query: Tensor, visible: Tensor | None = None) -> Tensor:
        """Weights for C sentences of each of P photos.

        ``keys`` (P, L, A), ``query`` (P, C, A) -> alpha (P, C, L), >= 0, summing to one over the L locations, of which
        those that ``visible``, bool (C, L), leaves out weigh nothing.
        """
        return softmax_over(energies(layer(keys, query), self.v), visible)


def softmax_over(energies: Tensor, visible: Tensor | None) -> Tensor:
    """Softmax over the L locations of (..., C, L), of which ``visible``, bool (C, L), may leave some out."""
    if visible is not None:
        energies = energies.masked_fill(~visible, float("-inf"))
    return energies.softmax(dim=-1)


def layer(keys: Tensor, query: Tensor) -> Tensor:
    """sigmoid(k_i + q), k = 2 (W_a a + b), q = 2 W_h h: (P, L, A), (P, C, A) -> (P, C, L, A), where the time goes.

    tanh x = 2 sigmoid(2x) - 1, and the sigmoid is several times quicker where torch's tanh has no vector instructions.
    """
    return (keys.unsqueeze(1) + query.unsqueeze(2)).sigmoid_()


def energies(layer: Tensor, v: Tensor) -> Tensor:
    """v^T tanh(W_a a_i + W_h h + b) + sum(v), a constant that the softmax takes no notice of: -> (P, C, L)."""
    # Not 2 * v: the exporters of torch 2.11 and 2.12 fail at a weight times a number.
    return layer @ (v + v)
