"""A model that is there meets new words: what it knows stays, what is new begins as the unknown word was."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from sightline.vocabulary import UNKNOWN, Vocabulary


def grown(known: Vocabulary, met: Vocabulary) -> Vocabulary:
    """The ``known`` words at their places, then those of ``met`` that are new, in their order."""
    return Vocabulary(tuple(dict.fromkeys([*known.words, *met.words])), known.split)


def grown_weights(
    state: Mapping[str, Tensor], shapes: Mapping[str, Tensor], known: int, words: int
) -> dict[str, Tensor]:
    """A model's weights for more words: every tensor with a row for each of the ``known`` gets ``words`` rows.

    A new word's row is that of ``<unk>``, for which the model has taken it until now. Where a score before softmax is a
    row's bias, all new words and ``<unk>`` share its probability: b - log(1 + how many are new).

    Args:
        state: of the model that is there.
        shapes: a state of the model to be, by whose shapes the tensors with a row a word are told from others.
        known: V of ``state``.
        words: V of ``shapes``.
    """
    share = math.log(1 + words - known)
    rows = {}
    for name, tensor in state.items():
        rows[name] = tensor
        if name in shapes and known < words and (known, words) == (*tensor.shape[:1], *shapes[name].shape[:1]):
            rows[name] = tensor[UNKNOWN].expand(shapes[name].shape).clone()
            rows[name][:known] = tensor
            if tensor.dim() == 1:
                rows[name][[UNKNOWN, *range(known, words)]] -= share
    return rows
