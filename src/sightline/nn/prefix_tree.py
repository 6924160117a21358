"""The captions of a photo as a tree of their beginnings, so that what they share is computed once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.vocabulary import PAD, START


class PrefixTree(NamedTuple):
    """Teacher forcing's input: at level t one node for each distinct beginning of t words.

    A decoder's state after "a dog" is the same in every caption of the photo that begins so. Captions of one photo
    share about a sixth of their words this way.

    Attributes:
        tokens: T tensors int64 (P, N_t), the word that is read at a node; spare nodes repeat a real one.
        parents: T tensors int64 (P, N_t), the node of level t - 1 that it continues (zeros at level 0).
        nodes: int64 (N,), which of the ``P * sum_t N_t`` nodes are real, level by level, as indices into (P, sum N_t)
            row by row.
        node_of_word: int64 (P, C, T), the place in ``nodes`` whose output foretells this word; 0 at padding.
        targets: int64 (P, C, T), the words to foretell, ``<pad>`` where there is none.
    """

    tokens: tuple[Tensor, ...]
    parents: tuple[Tensor, ...]
    nodes: Tensor
    node_of_word: Tensor
    targets: Tensor

    @classmethod
    def from_captions(cls, targets: NDArray[np.integer[Any]]) -> PrefixTree:
        """``targets`` (P, C, T): each caption's words, ``<end>`` if it was not cut off, then ``<pad>``."""
        targets = targets.astype(np.int64)
        photos, captions, _ = targets.shape
        photo = np.broadcast_to(np.arange(photos)[:, None], (photos, captions))
        previous_word = np.full((photos, captions), START)
        previous_node = np.zeros((photos, captions), np.int64)
        node_of_word = np.zeros_like(targets)
        tokens, parents, nodes = [], [], []
        first_place = level_start = 0
        for t in range(_depth(targets)):
            real = targets[:, :, t] != PAD
            key = (photo * captions + previous_node) * (1 + targets.max()) + previous_word
            _, first, place = np.unique(key[real], return_index=True, return_inverse=True)
            owner = photo[real][first]
            within = np.arange(len(first)) - np.searchsorted(owner, owner)
            width = int(within.max()) + 1
            level = np.full((2, photos, width), START)
            level[1] = 0
            level[0, owner, within] = previous_word[real][first]
            level[1, owner, within] = previous_node[real][first]
            tokens.append(level[0])
            parents.append(level[1])
            nodes.append((owner, level_start + within))
            node_of_word[:, :, t][real] = first_place + place
            previous_node[real] = within[place]
            previous_word = targets[:, :, t]
            first_place += len(first)
            level_start += width
        as_tensor = torch.from_numpy
        return cls(
            tuple(map(as_tensor, tokens)),
            tuple(map(as_tensor, parents)),
            as_tensor(np.concatenate([owner * level_start + column for owner, column in nodes])),
            as_tensor(node_of_word[:, :, : len(tokens)].copy()),
            as_tensor(targets[:, :, : len(tokens)].copy()),
        )

    def to(self, device: torch.device) -> PrefixTree:
        """The same tree on another device."""
        tokens, parents = (tuple(level.to(device) for level in levels) for levels in self[:2])
        return PrefixTree(tokens, parents, *(tensor.to(device) for tensor in self[2:]))

    def apart(self) -> tuple[PrefixTree, Tensor]:
        """Each caption as the only one of a photo, P * C photos in all; and where these words foretell, int64 (N,)."""
        photos, captions, words = self.targets.shape
        alone = self.targets.reshape(photos * captions, 1, words).cpu().numpy()
        apart = PrefixTree.from_captions(alone).to(self.targets.device)
        place, real = torch.empty_like(self.nodes), self.targets != PAD
        place[self.node_of_word[real]] = apart.node_of_word.reshape(self.targets.shape)[real]
        return apart, place

    def ancestors(self) -> Tensor:
        """bool (P, sum N_t, sum N_t): which nodes (second) lie between the root and a node (first), both included."""
        widths = [level.shape[1] for level in self.tokens]
        nodes = sum(widths)
        itself = torch.eye(nodes, dtype=torch.bool, device=self.nodes.device).split(widths)
        above = torch.zeros(len(self.tokens[0]), 1, nodes, dtype=torch.bool, device=self.nodes.device)
        rows = []
        for parents, own in zip(self.parents, itself, strict=True):
            above = above.gather(1, parents.unsqueeze(2).expand(-1, -1, nodes)) | own
            rows.append(above)
        return torch.cat(rows, dim=1)


def _depth(targets: NDArray[np.integer[Any]]) -> int:
    return int((targets != PAD).any((0, 1)).sum())
