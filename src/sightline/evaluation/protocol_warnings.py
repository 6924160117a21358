"""What casts doubt on scores: how a split came about, and whether the model learned from its photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sightline.data.dataset import Dataset
from sightline.data.example import Example
from sightline.data.provenance import overlap, same_files


def warnings_about(dataset: Dataset, split: str, training: Mapping[str, Any]) -> list[str]:
    """What casts doubt on scores of this split by a model trained thus (`ModelConfig.training`), a sentence each."""
    return [*_about_data(dataset, split), *_about_training(dataset, split, training)]


def trained_by(dataset: Dataset, training: Mapping[str, Any]) -> bool:
    """Whether the model learned from the train split of this dataset."""
    train, records = dataset.splits.get("train", ()), _fingerprints(training)
    if records:
        return all(same_files(record["train"], train) for record in records)
    return bool(training.get("data") == name_of(dataset))


def _about_data(dataset: Dataset, split: str) -> Iterator[str]:
    if dataset.split_source == "derived":
        yield f"{split} is no official split: the dataset lists none, so its photos were chosen by their file names"
    if dataset.without_photo:
        yield f"missing: {count_photos(dataset.without_photo)} that the dataset lists, in all splits together"
    if dataset.without_captions:
        yield f"left out: {count_photos(dataset.without_captions)} without a caption, in all splits together"
    if dataset.torn:
        yield f"torn: {len(dataset.torn)} of its shards, so photos are lost ({dataset.torn[0]})"
    images = [{example.name for example in dataset.splits.get(name, ())} for name in (split, "train")]
    if split != "train" and (shared := images[0] & images[1]):
        yield f"{split} shares {count_photos(len(shared))} with train"


def _about_training(dataset: Dataset, split: str, training: Mapping[str, Any]) -> Iterator[str]:
    if not training.get("data"):
        yield "the model does not say what it was trained on, so it may know these photos"
        return
    records, examples = _fingerprints(training), dataset.splits.get(split, ())
    if all(overlap(record["train"], examples).looked_up for record in records) and records:
        yield from _about_photos(dataset, split, records)
    else:
        yield from _about_names(dataset, split, training)


def _about_photos(dataset: Dataset, split: str, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    examples, train = dataset.splits[split], dataset.splits.get("train", ())
    if trained := _among(records, "train", examples):
        yield f"the model was trained on {trained}"
    if chosen := _among(records, "val", examples):
        yield f"{chosen} chose the checkpoint: the model is the epoch that did best on these, so scores flatter it"
    sampled = any(overlap(record["train"], examples).looked_up < len(examples) for record in records)
    # All of a dataset's train split is known, or none of it, where the split is as it was: others may have been added.
    kept = [overlap(record["train"], train) for record in records]
    if not trained and sampled and any(0 < each.known < each.looked_up for each in kept):
        yield "the dataset's train split is not as it was at the training, so the model may know some of these photos"


def _among(records: Sequence[Mapping[str, Any]], split: str, examples: Sequence[Example]) -> str:
    """How many of ``examples`` a training had in its ``split``, in words; empty if none was found."""
    found = [overlap(record[split], examples) for record in records if record.get(split)]
    looked_up, known = max(found, key=lambda each: each.known / max(1, each.looked_up), default=(0, 0))
    if not known:
        return ""
    if looked_up == len(examples):
        return "these photos" if known == looked_up else f"{known:,} of these photos"
    some = "" if known == looked_up else "some of "
    return f"{some}these photos ({known:,} of the {looked_up:,} that could be looked up)"


def _about_names(dataset: Dataset, split: str, training: Mapping[str, Any]) -> Iterator[str]:
    data, here = training["data"], name_of(dataset)
    known = _training_on(here, training)
    if known is None:
        told = ", ".join(map(repr, data)) if isinstance(data, list) else repr(data)
        yield f"the model was trained on {told}; if that is {here!r} under another name, it may know these photos"
        return
    if split == "train":
        yield "the model was trained on these photos"
    if split == "val" and not {"kept_epoch", "val_loss"}.isdisjoint(training):
        yield "val chose the checkpoint: the model is the epoch that did best on this split, so scores flatter it"
    now: dict[str, object] = {"split_source": dataset.split_source}
    now |= {f"{name}_photos": len(dataset.splits.get(name, ())) for name in ("train", "val")}
    if changed := [key for key in now if key in known and known[key] != now[key]]:
        told = ", ".join(f"{key.replace('_', ' ')} {known[key]} then and {now[key]} now" for key in changed)
        yield f"the dataset is not as it was at the training ({told}), so the model may know these photos"


def _training_on(name: str, training: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the record of a training tells of the dataset called ``name``; None if that was not learned from."""
    data = training["data"]
    if not isinstance(data, list):
        return training if data == name else None
    if name in data:
        # Beside each dataset that one model learned from, or each member of an ensemble, stands its own value.
        beside = {key: value for key, value in training.items() if isinstance(value, list) and len(value) == len(data)}
        return {key: value[data.index(name)] for key, value in beside.items()}
    return {} if any(isinstance(each, list) and name in each for each in data) else None


def _fingerprints(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is known of a training's photos, for each member of an ensemble; empty for a model of an older version."""
    known = training.get("fingerprint") or []
    return known if isinstance(known, list) else [known]


def name_of(dataset: Dataset) -> str:
    """The name of its folder."""
    return dataset.root.resolve().name


def count_photos(count: int) -> str:
    """How many, in words: ``1,200 photos``."""
    return f"{count:,} photo{'s' * (count != 1)}"
