import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from sightline.data.large.write_shards import write_shards
from sightline.errors import SightlineError
from sightline.model_folder import load_description
from sightline.shapes.draw import OBJECTS, SETTINGS, draw_shapes
from sightline.training.data import read_data
from tests.training.conftest import tiny
from tests.training.test_train import run


@pytest.fixture(scope="module")
def others(shapes, tmp_path_factory):
    """Another dataset, two of whose training photos `shapes` holds out, and one of whose training photos it has too."""
    root = tmp_path_factory.mktemp("other data") / "a=b: c"
    draw_shapes(root, photos=20, seed=4)
    for ours, theirs in ((8, 0), (9, 1), (0, 2)):
        shutil.copy(shapes / f"Images/shapes-{ours:05d}.png", root / f"Images/shapes-{theirs:05d}.png")
    return root


def test_what_one_holds_out_the_other_does_not_learn(shapes, others):
    said = []
    read = read_data([shapes, others], {others.name: 2.5}, boxes=True, say=said.append)
    assert [len(read.examples[split]) for split in ("train", "val")] == [64 + 14, 8 + 2]
    assert {example.name for example in read.examples["train"][64:]}.isdisjoint(
        {"shapes-00000.png", "shapes-00001.png"}
    )
    assert read.shown.tolist() == [1.0] * 64 + [2.5] * 14
    assert read.record == {
        "data": [shapes.name, others.name],
        "split_source": ["files", "files"],
        "train_photos": [64, 16],
        "val_photos": [8, 2],
        "weights": [1.0, 2.5],
        "photos_with_boxes": [64, 14],
    }
    assert all(example.regions for example in read.examples["train"])
    told = "\n".join(said)
    for words in (
        f"{others.name}: 2 photos left out of train, as {shapes.name} holds out the same",
        f"{others.name}: 14 training photos, each shown 2.5 times an epoch, 2 held out",
        "2 training photos lie in more than one dataset",
        f"{shapes.name}: boxes of 64 photos from {OBJECTS} in {shapes}",
        f"{others.name}: boxes of 16 photos from {OBJECTS} in {others}",
    ):
        assert words in told


def test_one_dataset_is_recorded_as_itself(shapes):
    said = []
    read = read_data([shapes], {}, boxes=False, say=said.append, regions={shapes.name: shapes})
    assert len(said) == 1 and "--regions is not used" in said[0]
    assert read.record == {"data": shapes.name, "split_source": "files", "train_photos": 64, "val_photos": 8}


def test_photos_that_are_not_there_are_told(shapes, tmp_path):
    copy = shutil.copytree(shapes, tmp_path / "some gone")
    for number in (2, 3):
        (copy / f"Images/shapes-{number:05d}.png").unlink()
    said = []
    read_data([copy], {}, boxes=False, say=said.append)
    assert said[0].startswith("some gone: 2 photos that it lists are missing, such as 'shapes-00002.png'")


def test_names_and_weights_must_tell(shapes, others, tmp_path):
    twin = shutil.copytree(shapes, tmp_path / shapes.name)
    for folders, weights, message in (
        ([shapes, twin], {}, "two datasets are called"),
        ([shapes, others], {"coco": 2.0}, "no dataset of this name; there are: größe 1, a=b: c"),
        ([shapes, others], {others.name: 0.0}, "a number above 0"),
        ([shapes, others], {others.name: float("nan")}, "a number above 0"),
    ):
        with pytest.raises(SightlineError, match=message):
            read_data(folders, weights, boxes=False, say=lambda line: None)


def test_regions_are_those_of_the_dataset_that_is_named(shapes, others, tmp_path):
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    shutil.copy(others / SETTINGS, boxes)
    objects = json.loads((others / OBJECTS).read_text())
    (boxes / OBJECTS).write_text(json.dumps(dict(list(objects.items())[:3])))
    said = []
    read = read_data([shapes, others], {}, boxes=True, say=said.append, regions={others.name: boxes})
    assert read.record["photos_with_boxes"][0] == 64 and read.record["photos_with_boxes"][1] <= 3
    assert any(line.endswith(f"from {OBJECTS} in {boxes}") for line in said)
    with pytest.raises(SightlineError, match="--regions coco: no dataset of this name"):
        read_data([shapes, others], {}, boxes=True, say=said.append, regions={"coco": boxes})


def test_a_dataset_held_out_as_a_whole_leaves_nothing_to_learn(shapes, tmp_path):
    (tmp_path / "copy").mkdir()
    copy = shutil.copytree(shapes, tmp_path / "copy/again")
    train = (copy / "shapes.trainImages.txt").read_text()
    (copy / "shapes.trainImages.txt").write_text((copy / "shapes.testImages.txt").read_text())
    (copy / "shapes.testImages.txt").write_text(train)
    with pytest.raises(SightlineError, match="nothing is left of its train split"):
        read_data([shapes, copy], {}, boxes=False, say=lambda line: None)


@pytest.mark.slow
def test_several_datasets_train_one_model(shapes, others, tmp_path, sightline):
    recipe = tmp_path / "tiny.yaml"
    tiny(epochs=1).save(recipe)
    out = tmp_path / "run"
    asked = ["train", "--data", shapes, "--data", others, "--recipe", recipe, "--out", out, "--quiet"]
    refused = sightline(*asked, "--weight", "three")
    assert refused.status == 2 and "NAME=TIMES" in refused.err
    boxes = tmp_path / "boxes"
    for given in ([boxes], [f"{others.name}={boxes}"] * 2):  # of no dataset; of one twice
        refused = sightline(*asked, *(word for path in given for word in ("--regions", path)))
        assert refused.status == 2 and "--regions" in refused.err
    run(tiny(epochs=1, attention_supervision=0.1), [shapes, others], out, repeats={others.name: 2})
    assert load_description(out)[0].training["weights"] == [1.0, 2.0]
    assert json.loads((out / "config.json").read_text())["training"]["data"] == [shapes.name, others.name]
    refused = sightline("train", "--data", shapes, "--data", others, "--out", out, "--resume", "--quiet")
    assert refused.status == 1 and "began with (--weight [1.0, 1.0], not [1.0, 2.0])" in refused.err
    boxes.mkdir()
    shutil.copy(others / SETTINGS, boxes)
    (boxes / OBJECTS).write_text("{}")
    again = ["train", "--data", shapes, "--data", others, "--out", out, "--resume", "--weight", f"{others.name}=2"]
    refused = sightline(*again, "--regions", f"{others.name}={boxes}", "--quiet")
    assert refused.status == 1 and "began with ([64, 0] training photos with boxes, not [64, 14]" in refused.err


@pytest.mark.slow
def test_shards_train_the_same_model(shapes, tmp_path):
    write_shards(shapes, tmp_path / "shards", shard_bytes=100_000)
    lost = [
        [row["train_loss"] for row in csv.DictReader((out / "metrics.csv").open())]
        for data in (shapes, tmp_path / "shards")
        for out in [run(tiny(epochs=2), data, tmp_path / f"run-{data.name}")]
    ]
    assert lost[0] == lost[1]


@pytest.mark.slow
def test_features_that_have_no_room_are_computed_as_photos_are_shown(shapes, tiny_run, tmp_path, monkeypatch):
    recipe = tiny(epochs=1)
    encoder = recipe.encoder.model_copy(update={"weights": str(tiny_run), "trainable": False})
    recipe = recipe.model_copy(update={"encoder": encoder})
    kept = run(recipe, shapes, tmp_path / "kept", cache=tmp_path / "cache")
    monkeypatch.setattr("sightline.training.features.shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    said = []
    shown = run(recipe, shapes, tmp_path / "shown", cache=tmp_path / "other", say=said.append)
    assert any("no room for the features of 72 photos" in line for line in said)
    losses = [next(csv.DictReader((out / "metrics.csv").open()))["val_loss"] for out in (kept, shown)]
    assert float(losses[0]) == pytest.approx(float(losses[1]), abs=1e-3)


def test_photos_that_cannot_be_read_are_named_and_left_out_where_the_recipe_says_so(tmp_path):
    draw_shapes(root := tmp_path / "data", photos=30, seed=3)
    whole = read_data([root], {}, boxes=False, say=lambda line: None)
    broken = whole.examples["train"][2]
    Path(broken.photo.path).write_bytes(broken.photo.read()[:200])
    said: list[str] = []
    read = read_data([root], {}, boxes=False, say=said.append, skips_unreadable=True)
    names = [example.name for example in whole.examples["train"] if example.name != broken.name]
    assert [example.name for example in read.examples["train"]] == names
    assert len(read.shown) == len(names)
    assert any(broken.name in line and "train" in line for line in said)
    assert len(read.examples["val"]) == len(whole.examples["val"])
