"""The data of a training: one dataset or several, without photos that another one holds out."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset, read_dataset
from sightline.data.example import Example
from sightline.data.large.packed import Examples, Joined
from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.preprocess import open_photo

_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The photos of one or several datasets.

    Attributes:
        name: the folders, for messages.
        examples: "train" and "val" -> the photos of all datasets, one dataset after the other.
        shown: float64 (N,), how often an epoch shows each training photo.
        record: for config.json: names, where the splits come from, how many photos they list, and how many training
            photos have boxes, if those are needed; with several datasets a list each, and as "weights" their repeats.
    """

    name: str
    examples: Mapping[str, Sequence[Example]]
    shown: NDArray[np.float64]
    record: Mapping[str, Any]


def read_data(
    folders: Sequence[Path],
    repeats: Mapping[str, float],
    boxes: bool,
    say: Callable[[str], None],
    regions: Mapping[str, Path] | None = None,
    skips_unreadable: bool = False,
) -> TrainingData:
    """Read the datasets in ``folders``, each of another name; each needs a train and a val split.

    A photo in the test split of one dataset is left out of all train and val splits, one in a val split out of all
    train splits. Photos with the same bytes are the same photo.

    Args:
        repeats: a folder's name -> how often an epoch shows each of its training photos, above 0; by default 1. With
            2.5, an epoch shows every photo twice and a random half of them once more.
        boxes: whether training photos must have regions.
        regions: a folder's name -> where its regions are, if not in it; see `Dataset`.
        skips_unreadable: whether all photos are decoded, and those that cannot be are named and left out.

    Raises:
        SightlineError: a dataset cannot be used, two have the same name, a repeat names no dataset, or no training
            photo has boxes though they are needed.
    """
    regions, listed = regions or {}, ", ".join(map(str, folders))
    names = {folder: folder.resolve().name for folder in folders}
    datasets = {name: read_dataset(folder, _report(folder, say), regions.get(name)) for folder, name in names.items()}
    _check_names(folders, datasets, repeats, regions)
    examples = {split: {name: data.split(split) for name, data in datasets.items()} for split in ("train", "val")}
    if boxes:
        examples["train"] = {name: data.located_split("train", say) for name, data in datasets.items()}
        if not any(example.regions for part in examples["train"].values() for example in part):
            raise SightlineError(
                f"{listed}: training.attention_supervision and training.hallucination_penalty need boxes, and no"
                " training photo has any; name them with --regions, such as Flickr30k Entities, or set both to 0"
            )
    elif regions:
        say("--regions is not used: training.attention_supervision and training.hallucination_penalty are 0")
    if len(datasets) > 1:
        _leave_out(datasets, examples, say)
    if skips_unreadable:
        for split, parts in examples.items():
            examples[split] = {name: _readable(f"{name}, {split}", part, say) for name, part in parts.items()}
    _say_sizes(datasets, examples, repeats, say)
    facts: dict[str, list[Any]] = {
        "data": list(datasets),
        "split_source": [data.split_source for data in datasets.values()],
        "train_photos": [len(data.split("train")) for data in datasets.values()],
        "val_photos": [len(data.split("val")) for data in datasets.values()],
        "weights": [float(repeats.get(name, 1)) for name in datasets],
    }
    if boxes:
        facts["photos_with_boxes"] = [sum(bool(e.regions) for e in part) for part in examples["train"].values()]
    alone = {key: values[0] for key, values in facts.items() if key != "weights" or values != [1.0]}
    return TrainingData(
        listed,
        {split: Joined(list(parts.values())) for split, parts in examples.items()},
        np.repeat(facts["weights"], [len(part) for part in examples["train"].values()]),
        facts if len(datasets) > 1 else alone,
    )


def _check_names(
    folders: Sequence[Path], datasets: Mapping[str, Dataset], repeats: Mapping[str, float], regions: Mapping[str, Path]
) -> None:
    if len(datasets) < len(folders):
        name, _ = Counter(folder.resolve().name for folder in folders).most_common(1)[0]
        raise SightlineError(f"two datasets are called {name!r}; their folders' names must tell them apart")
    for option, name in [*(("--weight", name) for name in repeats), *(("--regions", name) for name in regions)]:
        if name not in datasets:
            raise SightlineError(f"{option} {name}: no dataset of this name; there are: {', '.join(datasets)}")
    for name, times in repeats.items():
        if not 0 < times < float("inf"):
            raise SightlineError(f"--weight {name}={times:g}: how often a photo is shown is a number above 0")


def _leave_out(
    datasets: Mapping[str, Dataset], examples: Mapping[str, dict[str, Sequence[Example]]], say: Callable[[str], None]
) -> None:
    """Remove from ``examples`` the photos that another dataset holds out; ``say`` how many, and how many are in two."""
    homes = _homes(datasets)
    for split, barred in (("train", {"val", "test"}), ("val", {"test"})):
        for name, part in examples[split].items():
            elsewhere = [
                {home for home, other in homes.get(example.photo, ()) if home != name and other in barred}
                for example in part
            ]
            kept = Examples.pack(example for example, others in zip(part, elsewhere, strict=True) if not others)
            if not kept:
                raise SightlineError(f"{name}: nothing is left of its {split} split: all of it is held out elsewhere")
            for home, count in Counter(home for others in elsewhere for home in others).items():
                say(f"{name}: {count} photos left out of {split}, as {home} holds out the same")
            examples[split][name] = kept
    twice = sum(
        any(home != name and other == "train" for home, other in homes.get(example.photo, ()))
        for name, part in examples["train"].items()
        for example in part
    )
    if twice:
        say(f"{twice} training photos lie in more than one dataset, and are shown by each")


@contextmanager
def unreadable_told() -> Iterator[None]:
    """In the block a photo is decoded; raises `SightlineError`, with the ways out, where that is impossible."""
    try:
        yield
    except SightlineError as error:
        advice = "mend it, or leave such photos out: training.unreadable=skip"
        raise SightlineError(f"{error}; {advice}") from None


def _readable(where: str, examples: Sequence[Example], say: Callable[[str], None]) -> Sequence[Example]:
    """The examples whose photos can be decoded; ``say`` which are left out."""

    def can_be_read(example: Example) -> bool:
        try:
            open_photo(example.photo)
        except SightlineError:
            return False
        return True

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        readable = np.fromiter(pool.map(can_be_read, examples), bool, len(examples))
    if readable.all():
        return examples
    names = [examples[at].name for at in np.flatnonzero(~readable).tolist()]
    if len(names) == len(examples):
        raise SightlineError(f"{where}: none of its photos can be read; `sightline data check` says why")
    listed = f"{', '.join(names[:8])}{', ...' * (len(names) > 8)}"
    say(f"{where}: left out, as they cannot be read, {len(names)} of {len(examples)} photos: {listed}")
    return (examples if isinstance(examples, Examples) else Examples.pack(examples)).take(readable)


def _homes(datasets: Mapping[str, Dataset]) -> dict[ImageSource, list[tuple[str, str]]]:
    """Photo -> the (dataset, split) pairs that have a photo of the same bytes; without photos of a unique size."""
    photos = [
        (name, split, example.photo)
        for name, data in datasets.items()
        for split in _SPLITS
        for example in data.splits.get(split, ())
    ]
    sizes: dict[int | None, list[tuple[str, str, ImageSource]]] = {}
    for entry in photos:
        sizes.setdefault(entry[2].size(), []).append(entry)
    # A photo of unknown size may equal any other.
    groups = [photos] if None in sizes else list(sizes.values())
    same: dict[bytes, list[tuple[str, str, ImageSource]]] = {}
    for alike in groups:
        if len({name for name, _, _ in alike}) > 1:
            for entry in alike:
                same.setdefault(hashlib.sha256(entry[2].read()).digest(), []).append(entry)
    return {photo: [(name, split) for name, split, _ in alike] for alike in same.values() for _, _, photo in alike}


def _say_sizes(
    datasets: Mapping[str, Dataset],
    examples: Mapping[str, Mapping[str, Sequence[Example]]],
    repeats: Mapping[str, float],
    say: Callable[[str], None],
) -> None:
    for name, data in datasets.items():
        for torn in data.torn:
            say(f"{name}: photos in the damaged part of a shard are lost: {torn}")
        if data.without_photo:
            shown = f", such as {', '.join(data.missing)}" if data.missing else ""
            say(f"{name}: {data.without_photo:,} photos that it lists are missing{shown}; going on without them")
        if data.split_source == "derived":
            say(f"{name} lists no splits: its photos are split 80/10/10 by file name")
        if len(datasets) > 1:
            train, val = (len(examples[split][name]) for split in ("train", "val"))
            say(f"{name}: {train} training photos, each shown {repeats.get(name, 1):g} times an epoch, {val} held out")


def _report(folder: Path, say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Progress of indexing shards, a line about every ten seconds."""
    reported = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            say(f"{folder}: {done} of {total} shards indexed")

    return report
