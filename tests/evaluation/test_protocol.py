from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sightline
import sightline.data.provenance as provenance
from sightline import Captioner, SightlineError, load
from sightline.data.dataset import Dataset, read_dataset
from sightline.data.example import Example
from sightline.data.provenance import fingerprint, overlap
from sightline.evaluation.protocol import data_fingerprint, evaluate_split, model_fingerprint
from sightline.evaluation.protocol_warnings import warnings_about
from sightline.images.source import FileSource
from sightline.shapes.draw import draw_shapes

KNOWN = {"data": "data", "kept_epoch": 2, "val_loss": 3.1}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("shapes") / "data"
    draw_shapes(root, photos=40, seed=1)
    return read_dataset(root)


@pytest.fixture(scope="module")
def captioner(tiny_bundle: Path) -> Captioner:
    return load(tiny_bundle)


def split(dataset: Dataset, **splits: tuple[Example, ...]) -> Dataset:
    return replace(dataset, splits={**dataset.splits, **splits})


def trained(captioner: Captioner, training: Mapping[str, Any]) -> Captioner:
    """The same captioner, with another story of its training."""
    other = copy.copy(captioner)
    other.config = replace(captioner.config, training=training)
    return other


def test_in_python_evaluate_writes_reports_and_compare_reads_them(shapes, captioner, tiny_bundle, tmp_path):
    beam = sightline.evaluate(str(tiny_bundle), shapes, "val", tmp_path / "beam", meteor=False)
    greedy = sightline.evaluate(captioner, shapes.root, "val", str(tmp_path / "greedy"), beam_size=1, meteor=False)
    assert (beam.protocol.beam_size, greedy.protocol.beam_size) == (3, 1)
    assert greedy.captions.keys() == beam.captions.keys() == {example.name for example in shapes.split("val")}
    comparison = sightline.compare(tmp_path / "beam", tmp_path / "greedy")
    assert comparison.photos == len(shapes.split("val")) and comparison.verdict in str(comparison)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(SightlineError, match="not a report to replace"):
        sightline.evaluate(captioner, shapes, "val", tmp_path / "other")
    assert sightline.evaluate(captioner, shapes, "val", meteor=False).scores.photos == beam.scores.photos


def test_every_photo_is_captioned_once_by_free_running_decoding(shapes, captioner):
    seen = []
    found = evaluate_split(captioner, shapes, "val", 2, 0.5, meteor=False, progress=lambda *done: seen.append(done))
    images = [example.name for example in shapes.split("val")]
    assert list(found.captions) == list(found.examples) == list(found.scores.photos) == images
    assert seen == [(number, len(images)) for number in range(1, len(images) + 1)]
    # What is scored is what the captioner says of the photo alone.
    for example in shapes.split("val"):
        assert found.captions[example.name].text == captioner(example.photo, 2, 0.5).text
    assert not any(word.startswith("<") for caption in found.captions.values() for word in caption.words)


def test_references_are_as_they_were_written(shapes, captioner):
    odd = "A <unk>-free, Zyzzyva-coloured circle (№ 7)!"
    first, *others = shapes.split("val")
    changed = split(shapes, val=(replace(first, captions=(odd, *first.captions)), *others))
    found = evaluate_split(captioner, changed, "val", meteor=False)
    assert found.references[first.name][0] == odd
    assert found.references == {example.name: list(example.captions) for example in changed.split("val")}


def test_a_photo_named_twice_is_refused(shapes, captioner):
    twice = split(shapes, val=(*shapes.split("val"), shapes.split("val")[0]))
    with pytest.raises(SightlineError, match=r"the 'val' split names 'shapes-00008\.png' 2 times"):
        evaluate_split(captioner, twice, "val")


def test_unreadable_photos_are_left_out_with_a_warning(shapes, captioner, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no photo")
    broken = Example("broken.png", FileSource(str(tmp_path / "broken.png")), ("a circle",))
    found = evaluate_split(captioner, split(shapes, val=(broken, *shapes.split("val"))), "val", meteor=False)
    assert "broken.png" not in found.captions and len(found.captions) == len(shapes.split("val"))
    assert found.protocol.warnings[0].startswith("not scored: 1 photo, which cannot be read (")
    assert "broken.png: not an image" in found.protocol.warnings[0]
    with pytest.raises(SightlineError, match=r"broken\.png: not an image"):
        evaluate_split(captioner, split(shapes, val=(broken,)), "val")


def test_the_protocol_is_told_in_full(shapes, captioner):
    found = evaluate_split(captioner, shapes, "val", 1, 0.25, meteor=False).protocol
    told = json.loads(json.dumps(found.as_dict()))
    assert (told["split"], told["beam_size"], told["length_penalty"]) == ("val", 1, 0.25)
    assert told["decoding"] == "free-running" and told["sightline"]
    assert told["model"]["precision"] == "fp32" and told["model"]["fingerprint"] == model_fingerprint(captioner.folder)
    assert told["data"]["name"] == "data" and told["data"]["split_source"] == "files"
    assert told["data"]["fingerprint"] == data_fingerprint(shapes.split("val"))


def test_captions_are_novel_beside_the_models_own_training_captions(shapes, captioner):
    scored = [
        evaluate_split(trained(captioner, told), shapes, "val", meteor=False) for told in (remembered(shapes), KNOWN)
    ]
    assert scored[0].scores["novel"] is not None and scored[1].scores["novel"] is None


def test_a_model_without_a_record_of_its_photos_may_know_any(shapes):
    for training in ({}, KNOWN):
        [warning] = warnings_about(shapes, "val", training)
        assert "no record of its training photos" in warning


def test_what_is_wrong_with_the_data_casts_doubt(shapes):
    leaking = split(shapes, test=(*shapes.split("test"), *shapes.split("train")[:2]))
    dataset = replace(leaking, split_source="derived", without_photo=1, without_captions=1200)
    said = warnings_about(dataset, "test", remembered(shapes))
    beginnings = (
        "test is not an official split",
        "missing: 1 photo ",
        "left out: 1,200 photos ",
        "test shares 2 photos ",
    )
    assert len(said) == 5 and all(map(str.startswith, said, beginnings))
    assert said[4] == "the model was trained on 2 of these photos"


def test_fingerprints_change_with_any_content_but_not_with_the_order(shapes, bundle, tmp_path):
    examples = shapes.split("val")
    data, model = data_fingerprint(examples), model_fingerprint(bundle)
    assert data == data_fingerprint(examples[::-1]) and len(data) == len(model) == len("sha256:") + 64
    (tmp_path / "other.png").write_bytes(examples[0].photo.read() + b"\0")
    for change in ({"name": "x"}, {"captions": ("x",)}, {"photo": FileSource(str(tmp_path / "other.png"))}):
        assert data_fingerprint([replace(examples[0], **change), *examples[1:]]) != data
    for name in ("config.json", "vocabulary.json", "model.onnx"):
        before = model_fingerprint(bundle)
        (bundle / name).write_bytes((bundle / name).read_bytes() + b"\n")
        assert model_fingerprint(bundle) != before


def remembered(dataset: Dataset) -> dict[str, Any]:
    """What a model trained on this dataset keeps of it."""
    return {**KNOWN, "fingerprint": fingerprint({name: dataset.splits[name] for name in ("train", "val")})}


def test_photos_are_known_under_any_name_of_their_folder(shapes, tmp_path):
    moved = read_dataset(Path(shutil.copytree(shapes.root, tmp_path / "renamed")))
    told = {name: warnings_about(moved, name, remembered(shapes)) for name in ("train", "val", "test")}
    assert told["train"] == ["the model was trained on these photos"]
    assert len(told["val"]) == 1 and "these photos chose the checkpoint" in told["val"][0]
    assert told["test"] == []


def test_another_dataset_in_a_folder_of_the_same_name_is_no_trouble(shapes, captioner, tmp_path):
    draw_shapes(tmp_path / "data", photos=40, seed=2)
    other = read_dataset(tmp_path / "data")
    assert [warnings_about(other, name, remembered(shapes)) for name in ("train", "val", "test")] == [[], [], []]
    found = evaluate_split(trained(captioner, remembered(shapes)), other, "test", meteor=False)
    assert found.scores["novel"] is None
    found = evaluate_split(trained(captioner, remembered(shapes)), shapes, "test", meteor=False)
    assert found.scores["novel"] is not None
    assert "fingerprint" not in found.protocol.model["training"]


def test_some_photos_of_the_training_in_another_set_are_counted(shapes):
    mixed = split(shapes, test=(*shapes.split("test"), *shapes.split("train")[:3]), train=())
    said = warnings_about(mixed, "test", remembered(shapes))
    assert said == ["the model was trained on 3 of these photos"]


def test_of_a_large_training_a_sample_is_known(shapes, monkeypatch):
    monkeypatch.setattr(provenance, "_SAMPLE", 16)
    known = remembered(shapes)
    sample = overlap(known["fingerprint"]["train"], shapes.split("train"))
    assert sample.looked_up == sample.known == 16
    mixed = split(shapes, test=(*shapes.split("test"), *shapes.split("train")))
    assert "trained on these photos (16 of the 16 that could" in warnings_about(mixed, "test", known)[-1]
    fewer = split(shapes, train=shapes.split("train")[:20], test=shapes.split("train")[20:])
    assert "trained on these photos (" in warnings_about(fewer, "test", known)[0]


def test_photos_too_few_to_be_in_a_sample_are_called_unknown(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_SAMPLE", 4)
    known = remembered(shapes)
    single = next(each for each in shapes.split("test") if not overlap(known["fingerprint"]["train"], [each]).looked_up)
    other = split(shapes, test=(single,), train=())
    [warning] = warnings_about(other, "test", known)
    assert "too few photos to look them up" in warning
    # Beside the very photos of the training, a split that shares none with them is known to be new.
    assert warnings_about(split(shapes, test=(single,)), "test", known) == []


def test_of_a_sample_a_changed_train_split_is_told_and_a_second_dataset_is_no_change(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_SAMPLE", 32)
    others = []
    for seed in (2, 5):
        draw_shapes(tmp_path / str(seed), photos=40, seed=seed)
        train = read_dataset(tmp_path / str(seed)).split("train")
        others.append(tuple(replace(example, name=f"{seed}-{example.name}") for example in train))
    both = {"train": (*shapes.split("train"), *others[0]), "val": shapes.split("val")}
    known = {**KNOWN, "data": ["data", "2"], "fingerprint": fingerprint(both)}
    assert warnings_about(split(shapes, test=others[1][:16]), "test", known) == []
    changed = split(shapes, train=(*shapes.split("train"), *others[1][16:]), test=others[1][:16])
    said = warnings_about(changed, "test", known)
    assert len(said) == 1 and "train split has changed" in said[0]


def test_an_ensemble_knows_the_photos_of_every_member(shapes, tmp_path):
    draw_shapes(tmp_path / "other", photos=40, seed=2)
    other = remembered(read_dataset(tmp_path / "other"))
    both = {**KNOWN, "fingerprint": [other["fingerprint"], remembered(shapes)["fingerprint"]]}
    assert warnings_about(shapes, "train", both)[0] == "the model was trained on these photos"
