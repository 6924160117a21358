"""A captioned dataset: which photos there are, their captions and their splits. No photo is opened here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sightline.data import (  # noqa: F401  (each registers its layout or its regions)
    coco,
    coco_regions,
    entities,
    flickr8k_original,
    kaggle,
    karpathy,
    shapes_regions,
    table,
    token_file,
)
from sightline.data.files import as_path
from sightline.data.layout import LAYOUTS, SPLITS, Source, read_source, register_layout
from sightline.data.regions import Regions, read_regions
from sightline.errors import SightlineError
from sightline.photos.place import Place

__all__ = ["LAYOUTS", "Dataset", "Example", "name_splits", "read_dataset", "register_layout"]

SplitSource = Literal["files", "derived"]


@dataclass(frozen=True)
class Example:
    """One photo: its name in the dataset, where its bytes are, and one or more captions, none of them empty.

    ``regions`` are aligned with the captions, or empty if nothing is known; `Dataset.located_split` fills them in.
    """

    image: str
    photo: Place
    captions: tuple[str, ...]
    regions: Regions = ()


@dataclass(frozen=True)
class Dataset:
    """The photos that can be used, by split.

    Attributes:
        root: the dataset's folder.
        layout: the name of the layout it was read by.
        splits: "train", "val", "test" -> its examples; a split that the files do not list is not there.
        split_source: "files" if the dataset's own files say which photo belongs where, "derived" if they do not
            and the photo's file name decided.
        without_photo: how many photos of the splits were left out because they are not there.
        without_captions: how many were left out because they have no caption.
    """

    root: Path
    layout: str
    splits: Mapping[str, tuple[Example, ...]]
    split_source: SplitSource
    without_photo: int = 0
    without_captions: int = 0

    def split(self, name: str) -> tuple[Example, ...]:
        """The examples of "train", "val" or "test"; `SightlineError` naming what there is if it has none."""
        if self.splits.get(name):
            return self.splits[name]
        there = ", ".join(f"{split} ({len(examples)} photos)" for split, examples in self.splits.items() if examples)
        if self.split_source == "files":
            way_out = "use one of these, or list the photos of the missing one"
        else:
            way_out = "photos are split by file name here, so add photos or list the splits yourself"
        raise SightlineError(f"{self.root}: no {name!r} split; there is {there or 'none'}; {way_out}")

    def located_split(self, name: str) -> tuple[Example, ...]:
        """As `split`, with the regions that are known of its photos (`sightline.data.regions`); takes seconds."""
        examples = self.split(name)
        located = read_regions(self.root, examples)
        known = located.regions if located else {}
        return tuple(replace(example, regions=known.get(example.image, ())) for example in examples)


def read_dataset(root: str | os.PathLike[str]) -> Dataset:
    """Read the dataset in the folder ``root``, whatever its layout.

    Photos that are not there and photos without a caption are left out of the splits and counted, so that a training
    run does not stop at photo 4,000; `sightline.data.check.check_dataset` names them.

    Raises:
        SightlineError: there is no such folder, no layout fits it, or a file in it cannot be read or understood.
    """
    root = as_path(root)
    layout, source = read_source(root)
    listed, split_source = name_splits(source)
    splits = {}
    without_photo = without_captions = 0
    for split, names in listed.items():
        examples = []
        for name in names:
            captions = tuple(caption for caption in source.captions.get(name, ()) if caption)
            if name not in source.photos:
                without_photo += 1
            elif not captions:
                without_captions += 1
            else:
                examples.append(Example(name, source.photos[name], captions))
        splits[split] = tuple(examples)
    return Dataset(root, layout, splits, split_source, without_photo, without_captions)


def name_splits(source: Source) -> tuple[Mapping[str, tuple[str, ...]], SplitSource]:
    """The image names of every split, and whether the files list them or the file names decided."""
    if source.splits is not None:
        return {split: source.splits[split] for split in SPLITS if split in source.splits}, "files"
    derived: dict[str, list[str]] = {split: [] for split in SPLITS}
    for name in sorted({*source.captions, *source.photos}):
        derived[derive_split(name)].append(name)
    return {split: tuple(names) for split, names in derived.items()}, "derived"


def derive_split(name: str) -> str:
    """The split of a photo that no list names: 80% train, 10% val, 10% test, by the hash of its file name.

    Each photo is decided alone, so photos added later never move another one from train to test.
    """
    digest = hashlib.sha256(os.fsencode(name.rpartition("/")[2])).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if place < 0.8 else "val" if place < 0.9 else "test"
