"""Photos with all their captions, in batches of similar length."""

from __future__ import annotations

import math
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sightline.data.example import Example
from sightline.data.large.packed import captions_of
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import Preprocessing, open_photo, preprocess
from sightline.training.attention_targets import AttentionTargets, NounBoxes, PhraseBoxes
from sightline.training.augment import augment
from sightline.training.sampler import Shards, in_turn
from sightline.vocabulary import PAD, Vocabulary

# A batch costs what its longest captions cost, so photos are sorted by length within pools of this many batches.
_POOL = 20

_IN_MEMORY = 64_000_000  # bytes
_ROWS = 100_000  # photos that are looked at together, where all would fill the memory

Ids: TypeAlias = NDArray[np.unsignedinteger[Any]]


class Share(NamedTuple):
    """Which photos of a batch this process has, where several share it: every n-th.

    Attributes:
        rank, world_size: this process's number, and how many there are.
        whole: photos in the batch.
    """

    rank: int
    world_size: int
    whole: int

    @property
    def counts(self) -> bool:
        """False where the batch has no photo for this process, which then looks at another's in vain."""
        return self.rank < self.whole

    @property
    def places(self) -> slice:
        """The places of its photos in the batch."""
        first = self.rank % self.whole
        return slice(first, self.whole if self.counts else first + 1, self.world_size)


class Batch(NamedTuple):
    """P photos and their captions.

    Attributes:
        inputs: float32, annotation vectors (P, L, D) of a frozen encoder, or pixels (P, 3, size, size).
        captions: what teacher forcing reads and foretells.
        photos: int64 (P,), their places in the split.
        share: what these photos are of a batch that several processes share.
        attention_targets: where attention should lie, if it is supervised.
    """

    inputs: Tensor
    captions: PrefixTree
    photos: Tensor
    share: Share
    attention_targets: AttentionTargets | None = None


class Draw(NamedTuple):
    """Which photos make a batch, in which epoch (None: they are held out), and which share of one they are."""

    photos: list[int]
    epoch: int | None
    share: Share


def encode_captions(examples: Sequence[Example], vocabulary: Vocabulary, max_words: int) -> Ids:
    """(N, C, T): every photo's captions as ids, ``<pad>`` after the end and where a photo has fewer than C.

    Two bytes an id, four of more than 65,536 words. Above 64 MB they lie in a file without a name, so that the memory
    they take can be had back.
    """
    dtype = np.uint16 if len(vocabulary) <= 1 << 16 else np.uint32
    ids, lengths, counts = array("H" if dtype is np.uint16 else "I"), array("I"), array("I")

    def captions() -> Iterator[str]:
        for several in captions_of(examples):
            counts.append(len(several))
            yield from several

    for some, long in vocabulary.encode_many(captions(), max_words):
        ids.frombytes(some.astype(dtype).tobytes())
        lengths.frombytes(long.astype(np.uint32).tobytes())
    return _laid_out(np.frombuffer(ids, dtype), np.frombuffer(lengths, np.uint32), np.frombuffer(counts, np.uint32))


def _laid_out(ids: Ids, lengths: NDArray[np.uint32], counts: NDArray[np.uint32]) -> Ids:
    """Captions one after another, of such lengths, so many a photo -> (N, C, T)."""
    targets = _zeros((len(counts), int(counts.max()), int(lengths.max())), ids.dtype)
    caption = word = 0
    for start in range(0, len(counts), _ROWS):
        part = counts[start : start + _ROWS]
        held = np.zeros((len(part), targets.shape[1]), np.uint32)
        captions = int(part.sum())
        held[np.arange(targets.shape[1]) < part[:, None]] = lengths[caption : caption + captions]
        words = int(held.sum())
        targets[start : start + _ROWS][np.arange(targets.shape[2]) < held[:, :, None]] = ids[word : word + words]
        caption, word = caption + captions, word + words
    return targets


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Ids:
    if math.prod(shape) * dtype.itemsize < _IN_MEMORY:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


class CachedFeatures(Dataset[Batch]):
    """Batches whose inputs come from a `FeatureCache`; ``things`` if attention is supervised."""

    def __init__(
        self,
        rows: NDArray[np.float16],
        row_of_photo: NDArray[np.int64],
        targets: Ids,
        things: PhraseBoxes | NounBoxes | None = None,
    ) -> None:
        self.rows, self.row_of_photo, self.targets, self.things = rows, row_of_photo, targets, things

    def __getitem__(self, draw: Draw) -> Batch:
        """The batch of these photos."""
        features = torch.from_numpy(self.rows[self.row_of_photo[draw.photos]]).float()
        captions = PrefixTree.from_captions(self.targets[draw.photos])
        targets = self.things.targets(draw.photos, captions) if self.things else None
        return Batch(features, captions, torch.tensor(draw.photos), draw.share, targets)


class Pixels(Dataset[Batch]):
    """Batches whose inputs are decoded from the photos, for encoders that learn.

    Args:
        examples: the split's photos and captions.
        preprocessing: the encoder's.
        targets: see `encode_captions`.
        augment_seed: None shows every photo as it is; otherwise `augment` changes it, in each epoch in another way.
        things: if attention is supervised.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        preprocessing: Preprocessing,
        targets: Ids,
        augment_seed: int | None = None,
        things: PhraseBoxes | NounBoxes | None = None,
    ) -> None:
        self.examples, self.preprocessing, self.targets = examples, preprocessing, targets
        self.augment_seed, self.things = augment_seed, things

    def __getitem__(self, draw: Draw) -> Batch:
        """The batch of these photos."""
        pixels, boxes = zip(*(self._look(photo, draw.epoch) for photo in draw.photos), strict=True)
        captions = PrefixTree.from_captions(self.targets[draw.photos])
        targets = self.things.targets(draw.photos, captions, boxes) if self.things else None
        return Batch(torch.from_numpy(np.stack(pixels)), captions, torch.tensor(draw.photos), draw.share, targets)

    def _look(self, photo: int, epoch: int | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The photo's pixels, and its things' boxes in them (B, 4)."""
        example = self.examples[photo]
        boxes = self.things.boxes[photo] if self.things else np.zeros((0, 4), np.float32)
        if self.augment_seed is None or epoch is None:
            return preprocess(example.photo, self.preprocessing), boxes
        size = self.preprocessing.size
        seed = (self.augment_seed * 10_007 + epoch) * 1_000_003 + photo
        image, boxes = augment(open_photo(example.photo, size), size, example.captions, boxes, seed)
        return preprocess(image, self.preprocessing), boxes


class LengthSampler(Sampler[Draw]):
    """Shuffled batches of photos whose captions are about equally long; the order depends on seed and epoch alone.

    Args:
        targets: (N, C, T), see `encode_captions`.
        batch_size: photos a batch, of all processes together.
        seed: None keeps one fixed order, longest first, for held-out photos.
        rank, world_size: this process and how many there are; each gets every ``world_size``-th photo of each batch;
            where there are fewer, see `Share.counts`.
        shown: float (N,), how often an epoch shows each photo; None: once. Of a fraction, chance decides anew in every
            epoch which photos have it; their number stays the same.
        shards: where the photos lie, if they are to be shown stretch after stretch.
    """

    def __init__(
        self,
        targets: Ids,
        batch_size: int,
        seed: int | None,
        rank: int = 0,
        world_size: int = 1,
        shown: NDArray[np.float64] | None = None,
        shards: Shards | None = None,
    ) -> None:
        self.cost, self.shards = _costs(targets), shards
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.shown = np.ones(len(self.cost)) if shown is None else shown
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._repeated(np.arange(len(self.cost)))) // self.batch_size)

    def __iter__(self) -> Iterator[Draw]:
        epoch = None if self.seed is None else self.epoch
        for batch in self._batches():
            share = Share(self.rank, self.world_size, len(batch))
            yield Draw(batch[share.places].tolist(), epoch, share)

    def _batches(self) -> list[NDArray[np.int64]]:
        if self.seed is None:
            order = np.argsort(-self.cost, kind="stable")
            return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        random = np.random.default_rng((self.seed, self.epoch))
        stretches = self.shards.stretches(random) if self.shards else None
        order = in_turn(random.permutation(len(self.cost)), stretches)
        if (self.shown != 1).any():
            order = in_turn(random.permutation(self._repeated(order)), stretches)
        batches, turns = list[NDArray[np.int64]](), list[int]()
        for start in range(0, len(order), _POOL * self.batch_size):
            pool = order[start : start + _POOL * self.batch_size]
            # Where two stretches meet in a pool, its batches come between them.
            turn = 0 if stretches is None else int(stretches[pool[0]]) + int(stretches[pool[-1]])
            pool = pool[np.argsort(self.cost[pool], kind="stable")]
            batches += [pool[first : first + self.batch_size] for first in range(0, len(pool), self.batch_size)]
            turns += [turn] * (len(batches) - len(turns))
        return [batches[index] for index in in_turn(random.permutation(len(batches)), np.array(turns))]

    def _repeated(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each photo of ``order`` as often as it is shown, rounded so that the sum up to any of them is right."""
        upto = np.floor(np.cumsum(self.shown[order]) + 0.5 + 1e-6).astype(np.int64)
        return np.repeat(order, np.diff(upto, prepend=0))


def _costs(targets: Ids) -> NDArray[np.int64]:
    """How many words beyond the eighth each photo's captions have: where batches differ in what they cost."""
    parts = [targets[start : start + _ROWS] for start in range(0, len(targets), _ROWS)]
    return np.concatenate([np.maximum((part != PAD).sum(2) - 8, 0).sum(1) for part in parts])
