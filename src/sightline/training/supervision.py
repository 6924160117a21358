"""Where attention should lie: at the words of a phrase, on what the phrase names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.dataset import Example
from sightline.data.regions import cell_shares
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import PAD

# Of a cell; so little of a thing is not seen.
_SPECK = 1e-3


class Taught(NamedTuple):
    """Where attention should lie at S words of a batch, those of R phrases whose boxes are known.

    Attributes:
        nodes: int64 (S,), the node that foretells the word, a place in `PrefixTree.nodes`. Where captions share a node
            and name different things by their next words, attention there should lie on all of them.
        phrases: int64 (S,), the word's phrase.
        shares: float32 (R, L), the share of a phrase's boxes that lies in each cell; each row sums to one.
    """

    nodes: Tensor
    phrases: Tensor
    shares: Tensor

    def cross_entropy(self, attention: Tensor) -> Tensor:
        """-sum_i share_i log alpha_i, in nats, summed over the S words; ``attention`` (N, L) at all real nodes."""
        # The bound keeps the gradient of the logarithm finite.
        log_alpha = attention[self.nodes].float().clamp(min=1e-8).log()
        return -(self.shares[self.phrases] * log_alpha).sum()


class Phrases:
    """The phrases of a split's captions whose boxes are known.

    Args:
        examples: the split, with regions.
        grid: (h, w), of the annotation vectors.

    Attributes:
        boxes: for each photo its phrases' boxes, float32 (B, 4), see `sightline.data.regions.Box`.
    """

    def __init__(self, examples: Sequence[Example], grid: tuple[int, int]) -> None:
        self.grid = grid
        self.boxes, self._owners, self._spans = [], [], []
        for example in examples:
            phrases = [(c, region) for c, regions in enumerate(example.regions) for region in regions]
            spans = [(caption, region.start, region.stop) for caption, region in phrases]
            owned = [(number, box) for number, (_, region) in enumerate(phrases) for box in region.boxes]
            self._spans.append(np.array(spans, np.int64).reshape(-1, 3))
            self._owners.append(np.array([number for number, _ in owned], np.int64))
            self.boxes.append(np.array([box for _, box in owned], np.float32).reshape(-1, 4))

    def taught(
        self, photos: Sequence[int], tree: PrefixTree, boxes: Sequence[NDArray[np.float32]] | None = None
    ) -> Taught:
        """What attention should do along the captions of these photos; ``boxes``: as they lie now, if otherwise.

        A phrase whose boxes are cropped away teaches nothing.
        """
        boxes = [self.boxes[photo] for photo in photos] if boxes is None else boxes
        spans = [self._spans[photo] for photo in photos]
        first = np.cumsum([0, *map(len, spans)])
        place = np.repeat(np.arange(len(photos)), np.diff(first))
        caption, start, stop = np.concatenate(spans).T
        owners = np.concatenate([self._owners[photo] + base for photo, base in zip(photos, first, strict=False)])

        cells = np.zeros((len(place), *self.grid), np.float32)
        np.add.at(cells, owners, cell_shares(np.concatenate(boxes), self.grid))
        # Two boxes that overlap count once, as far as a cell can tell.
        shares = cells.clip(max=1).reshape(len(place), self.grid[0] * self.grid[1])
        area = shares.sum(1)

        words = np.where(area > _SPECK, stop - start, 0)
        phrases = np.repeat(np.arange(len(place)), words)
        within = np.arange(len(phrases)) - np.repeat(np.cumsum(words) - words, words)
        word = place[phrases], caption[phrases], start[phrases] + within
        kept = word[2] < tree.targets.shape[2]
        kept[kept] = tree.targets.numpy()[tuple(index[kept] for index in word)] != PAD  # long captions are cut off
        nodes = tree.node_of_word.numpy()[tuple(index[kept] for index in word)]
        shares /= area.clip(min=_SPECK)[:, None]
        return Taught(*map(torch.from_numpy, (nodes, phrases[kept], shares)))
