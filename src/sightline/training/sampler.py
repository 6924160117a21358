"""The order of photos in shards that no memory holds: stretch after stretch, a stretch being a few shards.

In every epoch the shards are shuffled first, and then the photos of a few of them, which the machine can keep in memory
while they are shown. The order depends on seed and epoch alone, like any other: there is no pool to be filled, saved or
shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.large.packed import Examples, Joined
from sightline.data.large.shard_index import ShardSources

# Constants, not what this machine has: a training may go on elsewhere, in the same order.
_LARGE = 32_000_000_000  # bytes of photos
_STRETCH = 4_000_000_000


@dataclass(frozen=True, eq=False)
class Shards:
    """Which photos lie together.

    Attributes:
        of_photo: int32 (N,), the number of its shard.
        sizes: float64 (S,), bytes of the photos in each shard.
        stretch: how many bytes are shuffled at once, or as many as a shard has.
    """

    of_photo: NDArray[np.int32]
    sizes: NDArray[np.float64]
    stretch: float = _STRETCH

    def stretches(self, random: np.random.Generator) -> NDArray[np.int32]:
        """int32 (N,): the number of each photo's stretch, of shards that chance puts together."""
        order = random.permutation(len(self.sizes))
        number = np.empty(len(order), np.int32)
        number[order] = (np.cumsum(self.sizes[order]) - self.sizes[order]) // self.stretch
        return number[self.of_photo]


def large_shards(examples: Sequence[object]) -> Shards | None:
    """Where the photos lie, if all are in shards, and have more than 32 GB together."""
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


def in_turn(order: NDArray[np.int64], turns: NDArray[Any] | None) -> NDArray[np.int64]:
    """``order`` by the turn of each that it names, and as it is among those of one turn; None: all have the same."""
    return order if turns is None else order[np.argsort(turns[order], kind="stable")]
