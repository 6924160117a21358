"""Photos with their captions, packed: ten million of them without an object for each.

Packed, they are a few large arrays, which lie in memory or are mapped from files; workers that are forked share them,
where Python's own objects would be copied one by one as they are looked at.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.regions import Regions
from sightline.photos.place import File, Place


@dataclass(frozen=True)
class Example:
    """One photo: its name in the dataset, where its bytes are, and one or more captions, none of them empty.

    ``regions`` are aligned with the captions, or empty if nothing is known; `Dataset.located_split` fills them in.
    """

    image: str
    photo: Place
    captions: tuple[str, ...]
    regions: Regions = ()


class Texts(Sequence[str]):
    """Many strings in one block of bytes.

    Args:
        block: uint8, all of them, UTF-8, one after another.
        ends: uint64 (N + 1,), where each ends; the first is 0.
    """

    def __init__(self, block: NDArray[np.uint8], ends: NDArray[np.uint64]) -> None:
        self.block, self.ends = block, ends

    @classmethod
    def pack(cls, strings: Iterable[str]) -> Texts:
        """Take the strings one by one."""
        block, ends = bytearray(), array("Q", [0])
        for text in strings:
            block += to_bytes(text)
            ends.append(len(block))
        return cls(np.frombuffer(block, np.uint8), np.frombuffer(ends, np.uint64))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: Any) -> Any:
        content = self.block[int(self.ends[index]) : int(self.ends[index + 1])]
        return str(content.data, "utf-8", "surrogatepass")


class Files(Sequence[Place]):
    """The places of many files, packed."""

    def __init__(self, paths: Texts) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        return File(self.paths[index])


class Examples(Sequence[Example]):
    """Examples of one split, each made when it is asked for.

    Args:
        records: of a dataset's photos, see `record`.
        places: where they are, aligned.
        order: int64 (N,), which of them are of this split, in its order.
        regions: image name -> its `Regions`.
    """

    def __init__(
        self,
        records: Sequence[str],
        places: Sequence[Place],
        order: NDArray[np.int64],
        regions: Mapping[str, Regions] | None = None,
    ) -> None:
        self.records, self.places, self.order, self.regions = records, places, order, regions or {}

    @classmethod
    def pack(cls, examples: Iterable[Example]) -> Examples:
        """Take the examples one by one."""
        places: list[Place] = []
        regions: dict[str, Regions] = {}

        def records() -> Iterator[str]:
            for example in examples:
                places.append(example.photo)
                if example.regions:
                    regions[example.image] = example.regions
                yield record(example.image, example.captions)

        packed = Texts.pack(records())
        return cls(packed, pack_places(places), np.arange(len(packed)), regions)

    def located(self, regions: Mapping[str, Regions]) -> Examples:
        """The same examples with these regions."""
        return Examples(self.records, self.places, self.order, regions)

    def take(self, chosen: NDArray[Any]) -> Examples:
        """Those at ``chosen`` places, or where that is True."""
        return Examples(self.records, self.places, self.order[chosen], self.regions)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        at = int(self.order[index])
        image, *captions = self.records[at].split("\0")
        return Example(image, self.places[at], tuple(captions), self.regions.get(image, ()))


class Joined(Sequence[Example]):
    """The examples of several datasets, one after the other."""

    def __init__(self, parts: Sequence[Sequence[Example]]) -> None:
        self.parts = [part for part in parts if len(part)]
        self.starts = np.cumsum([0, *map(len, self.parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        index = range(len(self))[index]
        part = int(np.searchsorted(self.starts, index, "right")) - 1
        return self.parts[part][index - int(self.starts[part])]

    def __iter__(self) -> Iterator[Example]:
        for part in self.parts:
            yield from part


def record(image: str, captions: Sequence[str]) -> str:
    """An image's name and its captions, a NUL between them; a NUL in them, which says nothing, becomes a blank."""
    return "\0".join(text.replace("\0", " ") for text in (image, *captions))


def to_bytes(text: str) -> bytes:
    """UTF-8; bytes of a name that are no text, and JSON's half characters, come back as they were."""
    return text.encode("utf-8", "surrogatepass")


def pack_places(places: Sequence[Place]) -> Sequence[Place]:
    """The same places, in less memory if all are files."""
    if all(isinstance(place, File) for place in places):
        return Files(Texts.pack(place.name for place in places))
    return places
