"""Captioned photos in a few large arrays: ten million examples without a Python object for each.

The arrays are in memory or mapped from files. Forked workers share them; Python objects would be copied one by one,
because reading one writes its reference count.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.annotations.text import plain_caption
from sightline.data.example import Example, Regions
from sightline.images.source import FileSource, ImageSource

CHUNK = 10_000  # rows looked up at once


class Texts(Sequence[str]):
    """N strings in one block of bytes.

    Args:
        block: uint8, the strings in UTF-8, concatenated.
        ends: uint64 (N + 1,): string n is ``block[ends[n]:ends[n + 1]]``.
    """

    def __init__(self, block: NDArray[np.uint8], ends: NDArray[np.uint64]) -> None:
        # Plain arrays over the same mapping: indexing a `numpy.memmap` takes several times as long.
        self.block, self.ends = np.asarray(block), np.asarray(ends)

    @classmethod
    def pack(cls, strings: Iterable[str]) -> Texts:
        """Pack strings as they come from an iterator."""
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
        """The strings at the indices ``chosen``, much faster than one by one; pages mapped for it are released."""
        block = self.block.data
        for start in range(0, len(chosen), CHUNK):
            some = chosen[start : start + CHUNK]
            for first, last in zip(self.ends[some].tolist(), self.ends[some + 1].tolist(), strict=True):
                yield str(block[first:last], "utf-8", "surrogatepass")
            # Release the memory of a mapped file: of a gigabyte of captions, a few megabytes stay.
            mapping = self.block.base.base if isinstance(self.block.base, np.memmap) else None
            if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED)

    def __iter__(self) -> Iterator[str]:
        return self.at(np.arange(len(self)))


class PackedSources(ABC):
    """The sources of N photos, each created when it is used."""

    @abstractmethod
    def __getitem__(self, index: int) -> ImageSource: ...

    @abstractmethod
    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        """The sources at the indices ``chosen``, faster than one by one."""


class FileSources(PackedSources):
    """Files, as packed paths."""

    def __init__(self, paths: Texts) -> None:
        self.paths = paths

    def __getitem__(self, index: int) -> ImageSource:
        return FileSource(self.paths[index])

    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        return map(FileSource, self.paths.at(chosen))


class Examples(Sequence[Example]):
    """The N examples of one split, each created when it is used, its captions without HTML.

    Args:
        records: name and captions of each photo of the dataset, see `record`.
        sources: where their bytes are, aligned with ``records``.
        order: int64 (N,), indices of the split's photos, in the split's order.
        regions: photo's name -> its `Regions`.
    """

    def __init__(
        self,
        records: Texts,
        sources: PackedSources | Sequence[ImageSource],
        order: NDArray[np.int64],
        regions: Mapping[str, Regions] | None = None,
    ) -> None:
        self.records, self.sources, self.order, self.regions = records, sources, order, regions or {}

    @classmethod
    def pack(cls, examples: Iterable[Example]) -> Examples:
        """Pack examples as they come from an iterator."""
        sources: list[ImageSource] = []
        regions: dict[str, Regions] = {}

        def records() -> Iterator[str]:
            for example in examples:
                sources.append(example.photo)
                if example.regions:
                    regions[example.name] = example.regions
                yield record(example.name, example.captions)

        packed = Texts.pack(records())
        paths = [source.path for source in sources if isinstance(source, FileSource)]
        all_files = len(paths) == len(sources)
        return cls(packed, FileSources(Texts.pack(paths)) if all_files else sources, np.arange(len(packed)), regions)

    def located(self, regions: Mapping[str, Regions]) -> Examples:
        """The same examples with these regions."""
        return Examples(self.records, self.sources, self.order, regions)

    def take(self, chosen: NDArray[Any]) -> Examples:
        """The examples at the indices ``chosen``, or where a mask is True."""
        return Examples(self.records, self.sources, self.order[chosen], self.regions)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        at = int(self.order[index])
        return self._example(self.records[at], self.sources[at])

    def __iter__(self) -> Iterator[Example]:
        if isinstance(self.sources, PackedSources):
            photos = self.sources.at(self.order)
        else:
            photos = map(self.sources.__getitem__, self.order.tolist())
        yield from map(self._example, self.records.at(self.order), photos)

    def _example(self, text: str, photo: ImageSource) -> Example:
        name, *captions = text.split("\0")
        return Example(name, photo, tuple(map(plain_caption, captions)), self.regions.get(name, ()))

    def captions(self) -> Iterator[Sequence[str]]:
        """Each example's captions, without creating the example."""
        return (list(map(plain_caption, text.split("\0")[1:])) for text in self.records.at(self.order))


class Joined(Sequence[Example]):
    """The examples of several datasets, concatenated."""

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
        """Each example's captions, without creating the example where that is faster."""
        return chain.from_iterable(map(captions_of, self.parts))


def captions_of(examples: Sequence[Example]) -> Iterator[Sequence[str]]:
    """Each example's captions, by the fastest way its sequence has."""
    if isinstance(examples, Examples | Joined):
        return examples.captions()
    return (example.captions for example in examples)


def record(name: str, captions: Sequence[str]) -> str:
    """A photo's name and its captions, separated by NUL; a NUL inside one becomes a space."""
    return "\0".join(text.replace("\0", " ") for text in (name, *captions))


def to_bytes(text: str) -> bytes:
    """UTF-8 with surrogatepass: undecodable file names and lone surrogates of JSON survive the round trip."""
    return text.encode("utf-8", "surrogatepass")
