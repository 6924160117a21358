"""Attention supervision: which cells attention should cover at the words that name things with known boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.example import Example, Region
from sightline.data.regions.base import cell_shares
from sightline.data.regions.nouns import boxes_by_noun, nouns_of, singular
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import PAD, Vocabulary

Boxes: TypeAlias = Sequence[NDArray[np.float32]]  # of each photo, (B, 4)

_VISIBLE = 1e-3  # in cells: boxes that cover less than this are not visible


@dataclass
class AttentionTargets(ABC):
    """Where attention should lie at some words about the photos of a batch.

    ``shares`` float32 (R, L) is the share of each of R things' boxes that lies in each cell; a row sums to one, or is
    zero where nothing of the thing is visible.
    """

    shares: Tensor

    @abstractmethod
    def rows(self, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        """Two int64 (S,): the nodes of ``tree`` with a target, and the row of ``shares`` that each should match.

        Where captions share a node and continue with different things, the node appears once for each of them.
        """

    def loss(self, attention: Tensor, tree: PrefixTree) -> Tensor:
        """-log sum_i share_i alpha_i, in nats, summed over the S words of ``tree`` that have a target.

        The negative log-probability that attention falls on the thing, anywhere on it. The cross-entropy between shares
        and attention (Liu et al. 2017, "Attention Correctness in Neural Image Captioning", eq. 10) is an upper bound
        (Jensen): it also asks attention to spread over the whole box, corners included. ``attention`` (N, L) is that at
        all real nodes of ``tree``. Raises `ValueError` where these targets belong to other captions.
        """
        nodes, rows = self.rows(tree)
        inside = (attention[nodes].float() * self.shares[rows]).sum(1)
        return -(inside + 1e-8).log().sum()  # 1e-8 keeps the gradient of the logarithm finite


@dataclass
class PhraseTargets(AttentionTargets):
    """Targets at the words of annotated phrases, in the captions that were annotated."""

    captions: Tensor  # int64 (P, C, T), `PrefixTree.targets` of the annotated captions
    nodes: Tensor  # int64 (S,), the node of each word in their tree
    phrases: Tensor  # int64 (S,), the word's row of ``shares``

    def rows(self, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        if not torch.equal(tree.targets, self.captions):
            raise ValueError("phrases have boxes in annotated captions alone; for other captions use NounBoxes")
        return self.nodes, self.phrases


@dataclass
class NounTargets(AttentionTargets):
    """Targets at every noun, in any captions of these photos, such as those that a model samples."""

    row_of_word: Tensor  # int64 (P, V), each word's row of ``shares`` in a photo; -1 where it names nothing with boxes

    def rows(self, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        photos = torch.arange(len(self.row_of_word), device=self.row_of_word.device)[:, None, None]
        rows = self.row_of_word[photos, tree.targets].where(tree.targets != PAD, -1)  # (P, C, T)
        return tree.node_of_word[rows >= 0], rows[rows >= 0]


class PhraseBoxes:
    """The boxes of the phrases that a split's captions are annotated with: supervision of teacher forcing.

    ``grid`` is (h, w) of the annotation vectors; a target is a unit of ``vocabulary``. ``boxes`` are those of each
    photo's phrases, float32 (B, 4), see `sightline.data.example.Box`.
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

    def targets(self, photos: Sequence[int], tree: PrefixTree, boxes: Boxes | None = None) -> PhraseTargets:
        """The targets of a batch: ``photos`` are P indices into the split, ``tree`` their captions.

        ``boxes`` are the photos' after augmentation; a phrase whose boxes are cropped away has no target.
        """
        boxes = [self.boxes[photo] for photo in photos] if boxes is None else boxes
        spans = [self._spans[photo] for photo in photos]
        counts = list(map(len, spans))
        row = np.repeat(np.arange(len(photos)), counts)
        caption, start, stop = np.concatenate(spans).T
        shares, area = _shares(boxes, [self._owners[photo] for photo in photos], counts, self.grid)

        lengths = np.where(area > _VISIBLE, stop - start, 0)
        phrases = np.repeat(np.arange(len(row)), lengths)
        within = np.arange(len(phrases)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        word = row[phrases], caption[phrases], start[phrases] + within
        kept = word[2] < tree.targets.shape[2]
        kept[kept] = tree.targets.numpy()[tuple(index[kept] for index in word)] != PAD  # long captions are cut off
        nodes = tree.node_of_word.numpy()[tuple(index[kept] for index in word)]
        return PhraseTargets(torch.from_numpy(shares), tree.targets, *map(torch.from_numpy, (nodes, phrases[kept])))


def _span(region: Region, caption: str, vocabulary: Vocabulary) -> tuple[int, int]:
    """The first unit of a phrase in its caption, and the one after its last."""
    if vocabulary.unit == "words":
        return region.start, region.stop
    spans = vocabulary.spans(caption)
    return spans[region.start][0], spans[region.stop - 1][1]


class NounBoxes:
    """The boxes of the things that nouns name in a split's photos: supervision of sampled captions.

    Nouns are those of `sightline.data.regions.nouns`; singular and plural name the same things. Arguments and ``boxes``
    are those of `PhraseBoxes`.
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

    def targets(self, photos: Sequence[int], tree: PrefixTree, boxes: Boxes | None = None) -> NounTargets:
        """As `PhraseBoxes.targets`; they do not depend on ``tree``."""
        boxes = [self.boxes[photo] for photo in photos] if boxes is None else boxes
        words = [self._words[photo] for photo in photos]
        counts = [int(each[:, 1].max(initial=-1)) + 1 for each in words]
        shares, area = _shares(boxes, [self._owners[photo] for photo in photos], counts, self.grid)
        rows = np.full((len(photos), self._size), -1)
        for photo, (each, first) in enumerate(zip(words, np.cumsum([0, *counts]), strict=False)):
            visible = area[each[:, 1] + first] > _VISIBLE
            rows[photo, each[visible, 0]] = each[visible, 1] + first
        return NounTargets(torch.from_numpy(shares), torch.from_numpy(rows))


def _shares(
    boxes: Boxes, owners: Sequence[NDArray[np.int64]], counts: Sequence[int], grid: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each of R things' share of boxes in each cell (R, L), the cells they cover (R,); ``owners``: each box's thing."""
    first = np.cumsum([0, *counts])
    rows = np.concatenate([each + base for each, base in zip(owners, first, strict=False)])
    cells = np.zeros((first[-1], *grid), np.float32)
    np.add.at(cells, rows, cell_shares(np.concatenate(boxes), grid))
    # Where two boxes of a thing overlap, a cell counts once.
    shares = cells.clip(max=1).reshape(len(cells), grid[0] * grid[1])
    area = shares.sum(1)
    return shares / area.clip(min=_VISIBLE)[:, None], area
