"""Where attention should lie: at the words of a phrase, on what the phrase names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.example import Example, Region
from sightline.data.regions.base import cell_shares
from sightline.data.regions.nouns import boxes_by_noun, nouns_of, singular
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import PAD, Vocabulary

# Of a cell; so little of a thing is not seen.
_SPECK = 1e-3


class AttentionTargets(NamedTuple):
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

    def missed(self, attention: Tensor) -> Tensor:
        """-log sum_i share_i alpha_i, in nats, summed over the S words; ``attention`` (N, L) at all real nodes.

        How unlikely it is that attention looks at the thing, wherever on it that is. The cross-entropy between the
        shares and attention (Liu et al. 2017, "Attention Correctness in Neural Image Captioning", eq. 10) lies above
        it (Jensen): that also asks attention to spread over the whole of a box, corners and all.
        """
        inside = (attention[self.nodes].float() * self.shares[self.phrases]).sum(1)
        # What is added keeps the gradient of the logarithm finite.
        return -(inside + 1e-8).log().sum()


class Phrases:
    """The phrases of a split's captions whose boxes are known.

    Args:
        examples: the split, with regions.
        grid: (h, w), of the annotation vectors.
        vocabulary: the model's, in whose units captions are taught.

    Attributes:
        boxes: for each photo its phrases' boxes, float32 (B, 4), see `sightline.data.example.Box`.
    """

    def __init__(self, examples: Sequence[Example], grid: tuple[int, int], vocabulary: Vocabulary) -> None:
        self.grid = grid
        self.boxes, self._owners, self._spans = [], [], []
        for example in examples:
            phrases = [(c, region) for c, regions in enumerate(example.regions) for region in regions]
            spans = [(caption, *_span(region, example.captions[caption], vocabulary)) for caption, region in phrases]
            owned = [(number, box) for number, (_, region) in enumerate(phrases) for box in region.boxes]
            self._spans.append(np.array(spans, np.int64).reshape(-1, 3))
            self._owners.append(np.array([number for number, _ in owned], np.int64))
            self.boxes.append(np.array([box for _, box in owned], np.float32).reshape(-1, 4))

    def taught(
        self, photos: Sequence[int], tree: PrefixTree, boxes: Sequence[NDArray[np.float32]] | None = None
    ) -> AttentionTargets:
        """What attention should do along the captions of these photos; ``boxes``: as they lie now, if otherwise.

        A phrase whose boxes are cropped away teaches nothing.
        """
        boxes = [self.boxes[photo] for photo in photos] if boxes is None else boxes
        spans = [self._spans[photo] for photo in photos]
        counts = list(map(len, spans))
        place = np.repeat(np.arange(len(photos)), counts)
        caption, start, stop = np.concatenate(spans).T
        shares, area = _shares(boxes, [self._owners[photo] for photo in photos], counts, self.grid)

        words = np.where(area > _SPECK, stop - start, 0)
        phrases = np.repeat(np.arange(len(place)), words)
        within = np.arange(len(phrases)) - np.repeat(np.cumsum(words) - words, words)
        word = place[phrases], caption[phrases], start[phrases] + within
        kept = word[2] < tree.targets.shape[2]
        kept[kept] = tree.targets.numpy()[tuple(index[kept] for index in word)] != PAD  # long captions are cut off
        nodes = tree.node_of_word.numpy()[tuple(index[kept] for index in word)]
        return AttentionTargets(*map(torch.from_numpy, (nodes, phrases[kept], shares)))


def _span(region: Region, caption: str, vocabulary: Vocabulary) -> tuple[int, int]:
    """Where a phrase begins and ends among the units that its caption is written in."""
    if vocabulary.split == "words":
        return region.start, region.stop
    spans = vocabulary.spans(caption)
    return spans[region.start][0], spans[region.stop - 1][1]


class Named(NamedTuple):
    """Where attention should lie at any word that may be said of the photos of a batch.

    Attributes:
        rows: int64 (P, V), the row of ``shares`` for a word said of a photo; -1 where the word names nothing known.
        shares: float32 (R, L), see `AttentionTargets`.
    """

    rows: Tensor
    shares: Tensor

    def taught(self, tree: PrefixTree) -> AttentionTargets:
        """What attention should do along other captions of these photos, such as the model's own."""
        photos = torch.arange(len(self.rows), device=self.rows.device)[:, None, None]
        rows = self.rows[photos, tree.targets].where(tree.targets != PAD, -1)  # (P, C, T)
        return AttentionTargets(tree.node_of_word[rows >= 0], rows[rows >= 0], self.shares)


class Things:
    """The things of a split's photos that nouns name and whose boxes are known (`sightline.data.regions.nouns`).

    Args:
        examples: the split, with regions.
        grid: (h, w), of the annotation vectors.
        vocabulary: the model's; singular and plural of a noun name the same things.

    Attributes:
        boxes: for each photo its things' boxes, float32 (B, 4).
    """

    def __init__(self, examples: Sequence[Example], grid: tuple[int, int], vocabulary: Vocabulary) -> None:
        self.grid, self._size = grid, len(vocabulary)
        nouns = nouns_of(examples)
        ids: dict[str, list[int]] = {}
        for index, word in enumerate(vocabulary.words):
            ids.setdefault(singular(word), []).append(index)
        self.boxes, self._owners, self._words = [], [], []
        for example in examples:
            named = [(ids[noun], boxes) for noun, boxes in boxes_by_noun(example).items() if noun in nouns & ids.keys()]
            words = [(index, number) for number, (indices, _) in enumerate(named) for index in indices]
            self._words.append(np.array(words, np.int64).reshape(-1, 2))
            self._owners.append(np.repeat(np.arange(len(named)), [len(boxes) for _, boxes in named]))
            self.boxes.append(np.concatenate([np.zeros((0, 4), np.float32), *(boxes for _, boxes in named)]))

    def taught(
        self, photos: Sequence[int], tree: PrefixTree, boxes: Sequence[NDArray[np.float32]] | None = None
    ) -> Named:
        """Where attention should lie at words about these photos, whatever ``tree`` says; else as `Phrases.taught`."""
        boxes = [self.boxes[photo] for photo in photos] if boxes is None else boxes
        words = [self._words[photo] for photo in photos]
        counts = [int(each[:, 1].max(initial=-1)) + 1 for each in words]
        shares, area = _shares(boxes, [self._owners[photo] for photo in photos], counts, self.grid)
        rows = np.full((len(photos), self._size), -1)
        for place, (each, first) in enumerate(zip(words, np.cumsum([0, *counts]), strict=False)):
            seen = area[each[:, 1] + first] > _SPECK
            rows[place, each[seen, 0]] = each[seen, 1] + first
        return Named(torch.from_numpy(rows), torch.from_numpy(shares))


def _shares(
    boxes: Sequence[NDArray[np.float32]],
    owners: Sequence[NDArray[np.int64]],
    counts: Sequence[int],
    grid: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The share of each thing's boxes that lies in each cell, and the cells that they cover.

    For each photo its boxes (B, 4), which of its ``counts`` things each belongs to (B,) -> (R, L), rows summing to one
    where there is anything to see, and (R,); R is the sum of ``counts``.
    """
    first = np.cumsum([0, *counts])
    rows = np.concatenate([each + base for each, base in zip(owners, first, strict=False)])
    cells = np.zeros((first[-1], *grid), np.float32)
    np.add.at(cells, rows, cell_shares(np.concatenate(boxes), grid))
    # Two boxes that overlap count once, as far as a cell can tell.
    shares = cells.clip(max=1).reshape(len(cells), grid[0] * grid[1])
    area = shares.sum(1)
    return shares / area.clip(min=_SPECK)[:, None], area
