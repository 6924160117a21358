"""Photos with their captions, packed: ten million of them without an object for each.

Packed, they are a few large arrays, which lie in memory or are mapped from files; workers that are forked share them,
where Python's own objects would be copied one by one as they are looked at.
"""

from __future__ import annotations

import mmap
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.example import Example, Regions
from sightline.images.source import FileSource, ImageSource

_TOGETHER = 10_000  # rows whose places are looked up at once


class Texts(Sequence[str]):
    """Many strings in one block of bytes.

    Args:
        block: uint8, all of them, UTF-8, one after another.
        ends: uint64 (N + 1,), where each ends; the first is 0.
    """

    def __init__(self, block: NDArray[np.uint8], ends: NDArray[np.uint64]) -> None:
        # As plain arrays, and mapped still: an item of a `numpy.memmap` takes several times as long.
        self.block, self.ends = np.asarray(block), np.asarray(ends)

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

    def at(self, chosen: NDArray[np.int64]) -> Iterator[str]:
        """Those at ``chosen`` places, in a fraction of the time that it takes to ask for one after another.

        What is mapped for it is let go again: of a gigabyte of captions, a few megabytes are held at a time.
        """
        block = self.block.data
        for start in range(0, len(chosen), _TOGETHER):
            some = chosen[start : start + _TOGETHER]
            for first, last in zip(self.ends[some].tolist(), self.ends[some + 1].tolist(), strict=True):
                yield str(block[first:last], "utf-8", "surrogatepass")
            _let_go(self.block)

    def __iter__(self) -> Iterator[str]:
        return self.at(np.arange(len(self)))


def _let_go(block: NDArray[np.uint8]) -> None:
    """Give back the memory of a file that is mapped; what is looked at again, is read again."""
    mapping = block.base.base if isinstance(block.base, np.memmap) else None
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


class Places(Sequence[ImageSource]):
    """The places of many photos; those that are packed are made when they are asked for."""

    @abstractmethod
    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        """Those at ``chosen`` places, in less time than one after another."""


class Files(Places):
    """The places of many files, packed."""

    def __init__(self, paths: Texts) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        return FileSource(self.paths[index])

    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        """See `Places`."""
        return map(FileSource, self.paths.at(chosen))


class Listed(Places):
    """Places of any kind, an object each."""

    def __init__(self, places: Sequence[ImageSource]) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        return self.places[index]

    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        """See `Places`."""
        return map(self.places.__getitem__, chosen.tolist())


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
        records: Texts,
        places: Places,
        order: NDArray[np.int64],
        regions: Mapping[str, Regions] | None = None,
    ) -> None:
        self.records, self.places, self.order, self.regions = records, places, order, regions or {}

    @classmethod
    def pack(cls, examples: Iterable[Example]) -> Examples:
        """Take the examples one by one."""
        places: list[ImageSource] = []
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

    def __iter__(self) -> Iterator[Example]:
        for text, place in zip(self.records.at(self.order), self.places.at(self.order), strict=True):
            image, *captions = text.split("\0")
            yield Example(image, place, tuple(captions), self.regions.get(image, ()))

    def captions(self) -> Iterator[Sequence[str]]:
        """Each example's captions, without the example."""
        return (text.split("\0")[1:] for text in self.records.at(self.order))


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

    def captions(self) -> Iterator[Sequence[str]]:
        """Each example's captions, without the example where that is quicker."""
        return chain.from_iterable(map(captions_of, self.parts))


def captions_of(examples: Sequence[Example]) -> Iterator[Sequence[str]]:
    """Each example's captions, the quickest way that there is."""
    if isinstance(examples, Examples | Joined):
        return examples.captions()
    return (example.captions for example in examples)


def record(image: str, captions: Sequence[str]) -> str:
    """An image's name and its captions, a NUL between them; a NUL in them, which says nothing, becomes a blank."""
    return "\0".join(text.replace("\0", " ") for text in (image, *captions))


def to_bytes(text: str) -> bytes:
    """UTF-8; bytes of a name that are no text, and JSON's half characters, come back as they were."""
    return text.encode("utf-8", "surrogatepass")


def pack_places(places: Sequence[ImageSource]) -> Places:
    """The same places, in less memory if all are files."""
    if all(isinstance(place, FileSource) for place in places):
        return Files(Texts.pack(place.name for place in places))
    return Listed(places)
