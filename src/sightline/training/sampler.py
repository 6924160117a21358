"""The order of photos: shuffled batches of similar caption length.

Shards larger than memory are shuffled in windows: first the shards, then the photos of as many shards as are about
4 GB, which stay in memory while they are shown. There is no shuffle buffer to fill, save or share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from sightline.data.large.packed import Examples, Joined
from sightline.data.large.shard_index import ShardSources
from sightline.vocabulary import PAD

# A batch costs what its longest captions cost, so photos are sorted by length within pools of this many batches.
_POOL = 20
_ROWS = 100_000  # photos whose caption lengths are counted at once: fewer than would fill the memory

# Constants, not what this machine has: a training may be resumed on another, in the same order.
_LARGE = 32_000_000_000  # bytes of photos above which they are shuffled in windows
_WINDOW = 4_000_000_000  # bytes


class Share(NamedTuple):
    """Which photos of a batch this process has, where several processes share it: every n-th."""

    rank: int
    world_size: int
    whole: int  # photos in the whole batch

    @property
    def counts(self) -> bool:
        """False where the batch has fewer photos than processes and none for this one, which then takes another's."""
        return self.rank < self.whole

    @property
    def places(self) -> slice:
        """The positions of its photos in the batch."""
        first = self.rank % self.whole
        return slice(first, self.whole if self.counts else first + 1, self.world_size)


class Draw(NamedTuple):
    """The photos of a batch, the epoch (None: held-out photos), and the share of the batch they are."""

    photos: list[int]
    epoch: int | None
    share: Share


@dataclass(frozen=True, eq=False)
class Shards:
    """Shards that are shuffled in windows."""

    of_photo: NDArray[np.int32]  # (N,), the number of the photo's shard
    sizes: NDArray[np.float64]  # (S,), bytes of the photos in each shard
    window: float = _WINDOW  # bytes that are shuffled at once; at least one shard

    def windows(self, random: np.random.Generator) -> NDArray[np.int32]:
        """int32 (N,): the number of each photo's window; which shards share a window is random."""
        order = random.permutation(len(self.sizes))
        number = np.empty(len(order), np.int32)
        number[order] = (np.cumsum(self.sizes[order]) - self.sizes[order]) // self.window
        return number[self.of_photo]


def large_shards(examples: Sequence[object]) -> Shards | None:
    """The photos' shards, if all photos are in shards and have more than 32 GB together; otherwise None."""
    parts = examples.parts if isinstance(examples, Joined) else [examples]
    photos, sizes, shards = [], [], 0
    for part in parts:
        if not (isinstance(part, Examples) and isinstance(part.sources, ShardSources)):
            return None
        rows = part.sources.photos[part.order]
        photos.append(rows["shard"].astype(np.int32) + shards)
        sizes.append(np.bincount(rows["shard"], rows["length"], len(part.sources.paths)))
        shards += len(part.sources.paths)
    if not parts or sum(each.sum() for each in sizes) <= _LARGE:
        return None
    return Shards(np.concatenate(photos), np.concatenate(sizes))


class LengthSampler(Sampler[Draw]):
    """Shuffled batches of photos whose captions are about equally long; the order depends on seed and epoch alone.

    Args:
        targets: (N, C, T), see `sightline.training.batches.encode_captions`.
        batch_size: photos a batch, of all processes together.
        seed: None keeps one fixed order, longest first, for held-out photos.
        rank, world_size: this process and how many there are, see `Share`.
        shown: float (N,), how often an epoch shows each photo; None: once. Which photos get the fraction is drawn anew
            in every epoch; their number stays the same.
        shards: which shard each photo is in, where they are shuffled in windows.
    """

    def __init__(
        self,
        targets: NDArray[np.unsignedinteger[Any]],
        batch_size: int,
        seed: int | None,
        rank: int = 0,
        world_size: int = 1,
        shown: NDArray[np.float64] | None = None,
        shards: Shards | None = None,
    ) -> None:
        # What batches differ in: how many words beyond the eighth each photo's captions have.
        parts = [targets[start : start + _ROWS] for start in range(0, len(targets), _ROWS)]
        self.cost = np.concatenate([np.maximum((part != PAD).sum(2) - 8, 0).sum(1) for part in parts])
        self.shards = shards
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.shown = np.ones(len(self.cost)) if shown is None else shown
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
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
        windows = self.shards.windows(random) if self.shards else None
        order = _sorted_by(windows, random.permutation(len(self.cost)))
        if (self.shown != 1).any():
            order = _sorted_by(windows, random.permutation(self._repeated(order)))
        batches, windows_of_batches = list[NDArray[np.int64]](), list[int]()
        for start in range(0, len(order), _POOL * self.batch_size):
            pool = order[start : start + _POOL * self.batch_size]
            # A pool that two windows share sorts between them: its key is odd, the others' are even.
            window = 0 if windows is None else int(windows[pool[0]]) + int(windows[pool[-1]])
            pool = pool[np.argsort(self.cost[pool], kind="stable")]
            batches += [pool[first : first + self.batch_size] for first in range(0, len(pool), self.batch_size)]
            windows_of_batches += [window] * (len(batches) - len(windows_of_batches))
        return [batches[index] for index in _sorted_by(np.array(windows_of_batches), random.permutation(len(batches)))]

    def _repeated(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each photo of ``order`` as often as it is shown, rounded so that every partial sum is right."""
        upto = np.floor(np.cumsum(self.shown[order]) + 0.5 + 1e-6).astype(np.int64)
        return np.repeat(order, np.diff(upto, prepend=0))


def _sorted_by(keys: NDArray[Any] | None, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """``order`` sorted by ``keys[order]``, equal keys in the order they had; unchanged where ``keys`` is None."""
    return order if keys is None else order[np.argsort(keys[order], kind="stable")]
