"""WebDataset shards, as img2dataset writes them: ``000000.tar`` with ``.jpg``, ``.txt`` and ``.json`` of photos."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from sightline.annotations.split_names import SPLITS, split_in
from sightline.data.large.packed import Examples
from sightline.data.large.shard_index import Index, ShardSources, open_index
from sightline.data.layout import Packed, Progress, Source, register_layout
from sightline.images.formats import is_hidden

Value = TypeVar("Value")


@register_layout("shards", looks_for="shards 000000.tar with .jpg and .txt or .json of each photo", rank=4)
def read(root: Path, progress: Progress) -> Source | None:
    """Read every ``.tar`` in ``root`` and in the folders right below it.

    A word of a shard's path names its split, as in ``train-000000.tar`` or ``val/000000.tar``. If no shard has one, the
    photos' names decide.
    """
    names = [
        path.relative_to(root).as_posix()
        for pattern in ("*.tar", "*/*.tar")
        for path in root.glob(pattern)
        if not is_hidden(path.relative_to(root).as_posix()) and path.is_file()
    ]
    if not names:
        return None
    index = open_index(root, names, progress)
    torn = tuple(shard.torn for shard in index.shards if shard.torn)
    if not len(index.photos) and not torn:
        return None
    homes = [split_in(shard.name) for shard in index.shards]
    existing = Examples(index.records, ShardSources(index), np.flatnonzero(index.photos["length"]))
    return Source(
        captions=_Lazy(lambda: dict(map(_named, index.records))),
        photos=_Lazy(lambda: {example.name: example.photo for example in existing}),
        splits=_Lazy(lambda: _listed(index, homes)) if any(homes) else None,
        unread_lines=tuple(problem for shard in index.shards for problem in shard.problems),
        torn=torn,
        unused=tuple(file for shard in index.shards for file in shard.unused),
        packed=_packed(index, homes),
    )


def _packed(index: Index, homes: list[str]) -> Packed:
    sources = ShardSources(index)
    if any(homes):
        split = np.array([SPLITS.index(home) if home else len(SPLITS) for home in homes])[index.photos["shard"]]
    else:
        split = index.photos["split"]
    there, captioned, listed = index.photos["length"] > 0, index.photos["captions"] > 0, split < len(SPLITS)
    splits = {
        name: Examples(index.records, sources, np.flatnonzero(there & captioned & (split == number)))
        for number, name in enumerate(SPLITS)
        if not any(homes) or name in homes
    }
    return Packed(splits, int((listed & ~there).sum()), int((listed & there & ~captioned).sum()))


def _listed(index: Index, homes: list[str]) -> dict[str, tuple[str, ...]]:
    listed: dict[str, list[str]] = {split: [] for split in SPLITS if split in homes}
    for record, shard in zip(index.records, index.photos["shard"].tolist(), strict=True):
        if homes[shard]:
            listed[homes[shard]].append(_named(record)[0])
    return {split: tuple(names) for split, names in listed.items()}


def _named(record: str) -> tuple[str, tuple[str, ...]]:
    name, *captions = record.split("\0")
    return name, tuple(captions)


class _Lazy(UserDict[str, Value]):
    """A dictionary created when it is first used; training on millions of photos never does."""

    def __init__(self, make: Callable[[], dict[str, Value]]) -> None:
        self._make = make

    @cached_property
    def data(self) -> dict[str, Value]:  # type: ignore[override]
        return self._make()
