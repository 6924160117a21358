"""Reasons to doubt scores: how a split was chosen, and whether the model was trained on its photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sightline.data.dataset import Dataset
from sightline.data.example import Example
from sightline.data.provenance import overlap, same_files


def warnings_about(dataset: Dataset, split: str, training: Mapping[str, Any]) -> list[str]:
    """Reasons to doubt scores of this split by a model with this record of its `training`, a sentence each."""
    return [*_about_data(dataset, split), *_about_training(dataset, split, training)]


def trained_by(dataset: Dataset, training: Mapping[str, Any]) -> bool:
    """Whether the model was trained on the train split of this dataset, and on nothing else."""
    train, records = dataset.splits.get("train", ()), _fingerprints(training)
    return bool(records) and all(same_files(record["train"], train) for record in records)


def _about_data(dataset: Dataset, split: str) -> Iterator[str]:
    if dataset.split_source == "derived":
        yield f"{split} is not an official split: the dataset lists none, so its photos were chosen by their file names"
    if dataset.without_photo:
        yield f"missing: {count_photos(dataset.without_photo)} that the dataset lists, in all splits"
    if dataset.without_captions:
        yield f"left out: {count_photos(dataset.without_captions)} without a caption, in all splits"
    if dataset.torn:
        yield f"torn: {len(dataset.torn)} of its shards, so photos are lost ({dataset.torn[0]})"
    images = [{example.name for example in dataset.splits.get(name, ())} for name in (split, "train")]
    if split != "train" and (shared := images[0] & images[1]):
        yield f"{split} shares {count_photos(len(shared))} with train"


def _about_training(dataset: Dataset, split: str, training: Mapping[str, Any]) -> Iterator[str]:
    calibrated = training.get("calibration", {}).get("data", ())
    if split == "val" and dataset.root.resolve().name in ([calibrated] if isinstance(calibrated, str) else calibrated):
        yield "confidence was learned on these photos, so its scores flatter it; config.json has those by cross-fitting"
    records, examples = _fingerprints(training), dataset.splits.get(split, ())
    if not records:
        yield "the model has no record of its training photos, so it may know these"
        return
    if trained := _among(records, "train", examples):
        yield f"the model was trained on {trained}"
    if chosen := _among(records, "val", examples):
        yield f"{chosen} chose the checkpoint: the model is the epoch that did best on these, so scores flatter it"
    if trained or trained_by(dataset, training):
        return
    # Of a large training only a sample of photos is on record, so other photos of the split may be known.
    looked_up = [overlap(record["train"], examples).looked_up for record in records]
    if 0 in looked_up:
        yield "too few photos to look them up among the training photos on record, so the model may know these"
        return
    # Either all of a dataset's train split was learned from or none of it, unless the split has changed since; a
    # training may have had other datasets too.
    kept = [overlap(record["train"], dataset.splits.get("train", ())) for record in records]
    if min(looked_up) < len(examples) and any(0 < each.known < each.looked_up for each in kept):
        yield "the dataset's train split has changed since the training, so the model may know some of these photos"


def _among(records: Sequence[Mapping[str, Any]], split: str, examples: Sequence[Example]) -> str:
    """How many of ``examples`` were in a training's ``split``, in words; empty if none was found."""
    known = [record[split] for record in records if record.get(split)]
    if any(same_files(each, examples) for each in known):
        return "these photos"
    overlaps = [overlap(each, examples) for each in known]
    looked_up, count = max(overlaps, key=lambda each: each.known / max(1, each.looked_up), default=(0, 0))
    if not count:
        return ""
    if looked_up == len(examples):
        return "these photos" if count == looked_up else f"{count:,} of these photos"
    some = "" if count == looked_up else "some of "
    return f"{some}these photos ({count:,} of the {looked_up:,} that could be looked up)"


def _fingerprints(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The record of a training's photos, for each member of an ensemble (`sightline.data.provenance.fingerprint`)."""
    known = training.get("fingerprint") or []
    return known if isinstance(known, list) else [known]


def count_photos(count: int) -> str:
    """How many, in words: ``1,200 photos``."""
    return f"{count:,} photo{'s' * (count != 1)}"
