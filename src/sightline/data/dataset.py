"""`Dataset`: the usable photos of a folder, their captions and their splits. No photo is opened here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from sightline.annotations.split_names import SPLITS, derive_split
from sightline.data.example import Example
from sightline.data.large.packed import Examples
from sightline.data.layout import LAYOUTS, Packed, Progress, Source, read_source, register_layout
from sightline.data.regions.base import check_path, read_regions
from sightline.data.regions.entities import hint_beside
from sightline.errors import SightlineError
from sightline.model_folder import as_path

__all__ = ["LAYOUTS", "Dataset", "Example", "derive_split", "name_splits", "read_dataset", "register_layout"]

SplitSource = Literal["files", "derived"]


@dataclass(frozen=True)
class Dataset:
    """The usable photos of a dataset, by split.

    Attributes:
        splits: "train", "val", "test" -> its examples; without the splits that the files do not list.
        split_source: "files" if the dataset's own files say which photo is in which split, "derived" if each photo's
            file name decided.
        without_photo: the number of photos of the splits that were left out because they do not exist.
        without_captions: the number that was left out because they have no caption.
        torn: shards that end too early, so that photos are lost, each with the position.
        missing: three of the photos that do not exist, by the names that were looked for.
        regions: the folder or file of its regions; None: they are looked for in ``root``.
    """

    root: Path
    layout: str
    splits: Mapping[str, Sequence[Example]]
    split_source: SplitSource
    without_photo: int = 0
    without_captions: int = 0
    torn: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    regions: Path | None = None

    def split(self, name: str) -> Sequence[Example]:
        """The examples of "train", "val" or "test"; `SightlineError` naming what there is if it has none."""
        if self.splits.get(name):
            return self.splits[name]
        there = ", ".join(f"{split} ({len(examples)} photos)" for split, examples in self.splits.items() if examples)
        if self.missing:
            way_out = (
                f"{self.without_photo:,} named photos are not in this folder, such as {', '.join(self.missing)}; add "
                "them, or correct the names; `sightline data check` tells more"
            )
        elif self.split_source == "files":
            way_out = "use one of these, or list the photos of the missing one"
        else:
            way_out = "photos are split by file name here, so add photos or list the splits yourself"
        raise SightlineError(f"{self.root}: no {name!r} split; there is {there or 'none'}; {way_out}")

    def located_split(self, name: str, say: Callable[[str], None] = lambda line: None) -> Sequence[Example]:
        """`split` with the known regions of its photos; takes seconds.

        ``say`` is told where the regions come from, or that Flickr30k Entities beside the dataset are not used.

        Raises:
            SightlineError: there is no such split, or the regions cannot be read; see `read_regions`.
        """
        examples = self.split(name)
        located = read_regions(self.root, examples, self.regions)
        if located is None:
            if hint := hint_beside(self.root):
                say(hint)
            return examples
        say(f"{self.root.resolve().name}: boxes of {located.photos:,} photos from {located.source}")
        packed = examples if isinstance(examples, Examples) else Examples.pack(examples)
        return packed.located(located.regions)


def read_dataset(
    root: str | os.PathLike[str], progress: Progress = lambda done, total: None, regions: Path | None = None
) -> Dataset:
    """Read the dataset in the folder ``root``, whatever its layout.

    Photos that do not exist and photos without a caption are left out of the splits and counted, so that a training
    run does not stop at photo 4,000; `sightline.data.check.check_dataset` names them. ``progress(done, total)`` is
    called while new shards are read. ``regions``: see `Dataset`.

    Raises:
        SightlineError: there is no such folder, no layout fits it, or a file in it cannot be read or understood;
            there is no ``regions``.
    """
    root = as_path(root)
    check_path(regions)
    layout, source = read_source(root, progress)
    packed = source.packed or _pack(source)
    counts = packed.without_photo, packed.without_captions
    missing = () if source.packed else tuple(islice(_missing(source), 3))
    split_source: SplitSource = "derived" if source.splits is None else "files"
    return Dataset(root, layout, packed.splits, split_source, *counts, source.torn, missing, regions)


def _missing(source: Source) -> Iterator[str]:
    for name in source.captions:
        if name in source.unclear:
            yield f"{name!r} (which could be {source.unclear[name]})"
        elif name not in source.photos:
            yield repr(name)


def _pack(source: Source) -> Packed:
    names, _ = name_splits(source)
    splits = {split: Examples.pack(_usable(source, listed)) for split, listed in names.items()}
    listed = [name for each in names.values() for name in each]
    there = sum(name in source.photos for name in listed)
    return Packed(splits, len(listed) - there, there - sum(map(len, splits.values())))


def _usable(source: Source, names: Sequence[str]) -> Iterator[Example]:
    for name in names:
        captions = tuple(filter(None, source.captions.get(name, ())))
        if captions and name in source.photos:
            yield Example(name, source.photos[name], captions)


def name_splits(source: Source) -> tuple[Mapping[str, tuple[str, ...]], SplitSource]:
    """The photos' names of every split, and whether the files list them or the file names decided."""
    if source.splits is not None:
        return {split: source.splits[split] for split in SPLITS if split in source.splits}, "files"
    derived: dict[str, list[str]] = {split: [] for split in SPLITS}
    for name in sorted({*source.captions, *source.photos}):
        derived[derive_split(name)].append(name)
    return {split: tuple(names) for split, names in derived.items()}, "derived"
