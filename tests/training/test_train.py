import csv
import json
import shutil

import pytest
import torch
from PIL import Image

import sightline.training.module as module
from sightline.data.dataset import read_dataset
from sightline.data.large.shard_index import FOLDER
from sightline.data.large.write_shards import write_shards
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.recipe import decoder_options
from sightline.training.results import generate
from sightline.training.train import train
from tests.training.conftest import tiny


def run(recipe, data, out, **options):
    return train(recipe, data, out, **{"export": False, "progress": False, "say": lambda line: None, **options})


def losses(out):
    with (out / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def unbroken(shapes, tmp_path_factory):
    return run(tiny(), shapes, tmp_path_factory.mktemp("runs") / "unbroken")


def test_training_leaves_a_model_that_captions_and_pictures_to_look_at(unbroken, shapes):
    model, config, vocabulary = load_model(unbroken)
    photos = [example.photo for example in read_dataset(shapes).split("val")]
    captions = generate(model, config, vocabulary, photos, beam_size=2)
    assert len(captions) == len(photos)
    for caption in captions:
        assert caption.words
        assert set(caption.words) <= set(vocabulary.words[4:])
        assert caption.attention.shape == (len(caption.words), 8, 8)
        assert caption.attention.sum((1, 2)) == pytest.approx(1, abs=1e-5)
        assert len(caption.alternatives) == 1
        json.dumps(caption.as_dict())
    for picture in ("loss.png", "samples.png"):
        with Image.open(unbroken / picture) as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20


def test_training_learns_and_keeps_the_best_epoch(unbroken):
    rows = losses(unbroken)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["train_loss"]) < 0.8 * float(rows[0]["train_loss"])
    config = json.loads((unbroken / "config.json").read_text())
    assert config["training"]["val_loss"] == min(float(row["val_loss"]) for row in rows)


def assert_resuming_equals(unbroken, out, monkeypatch, begin, resume):
    """Break a training off in its second epoch and go on."""
    steps = module.CaptioningModule.training_step
    taken = []

    def interrupted(self, batch, index):
        taken.append(index)
        if self.current_epoch == 1 and index == 1:
            raise KeyboardInterrupt
        return steps(self, batch, index)

    monkeypatch.setattr(module.CaptioningModule, "training_step", interrupted)
    with pytest.raises(SightlineError, match="--resume"):
        begin()
    monkeypatch.undo()
    resume()
    assert losses(out) == losses(unbroken)
    weights, expected = load_model(out)[0].state_dict(), load_model(unbroken)[0].state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [tiny(), tiny(schedule="cosine", augmentation=True)], ids=["plain", "scheduled"])
def test_resuming_equals_an_unbroken_training(recipe, data, tmp_path, monkeypatch):
    unbroken, out = run(recipe, data, tmp_path / "unbroken"), tmp_path / "broken"
    assert_resuming_equals(
        unbroken, out, monkeypatch, lambda: run(recipe, data, out), lambda: run(recipe, data, out, resume=True)
    )


@pytest.mark.slow
def test_resuming_from_shards_equals_an_unbroken_training(data, tmp_path, monkeypatch):
    shards, out = tmp_path / "shards", tmp_path / "broken"
    write_shards(data, shards, shard_bytes=8_000)
    assert len(list(shards.glob("train-*.tar"))) > 2
    unbroken, recipe = run(tiny(), shards, tmp_path / "unbroken"), tiny()

    def resume():
        shutil.rmtree(shards / FOLDER)  # where photos lie is found again, too
        run(recipe, shards, out, resume=True)

    assert_resuming_equals(unbroken, out, monkeypatch, lambda: run(recipe, shards, out), resume)


@pytest.mark.slow
def test_resuming_needs_nothing_of_what_a_training_started_from(unbroken, data, tmp_path, monkeypatch):
    init, out = shutil.copytree(unbroken, tmp_path / "init"), tmp_path / "broken"
    recipe = tiny(objective="self_critical", samples=3, epochs=2, augmentation=True)
    whole = run(recipe, data, tmp_path / "whole", init=init)

    def resume():
        shutil.rmtree(init)
        run(recipe, data, out, resume=True)

    assert_resuming_equals(whole, out, monkeypatch, lambda: run(recipe, data, out, init=init), resume)
    assert load_model(out)[1].training == load_model(whole)[1].training
    assert load_model(out)[1].training["init"] == "init"


@pytest.mark.slow
def test_resuming_goes_on_after_the_last_epoch_not_after_the_best(data, tmp_path, monkeypatch):
    monkeypatch.setattr(CrossEntropy, "better", "max")  # the first epoch is then the best
    out = run(tiny(), data, tmp_path / "run")
    epochs = [torch.load(out / "checkpoints" / name, weights_only=True)["epoch"] for name in ("best.ckpt", "last.ckpt")]
    assert epochs == [0, 2]
    run(tiny(epochs=4), data, out, resume=True)
    assert [row["epoch"] for row in losses(out)] == ["1", "2", "3", "4"]


def test_a_second_run_never_overwrites_the_first(unbroken, shapes, sightline):
    before = (unbroken / "model.safetensors").read_bytes()
    with pytest.raises(SightlineError, match="--resume"):
        run(tiny(), shapes, unbroken)
    assert "--resume" in sightline("train", "--data", shapes, "--out", unbroken).err
    exported = shutil.copytree(unbroken, unbroken.parent / "exported", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(SightlineError, match="holds a model already"):
        run(tiny(), shapes, exported)
    with pytest.raises(SightlineError, match="another recipe"):
        run(tiny(learning_rate=0.5), shapes, unbroken, resume=True)
    with pytest.raises(SightlineError, match="nothing to resume"):
        run(tiny(), shapes, unbroken.parent / "new", resume=True)
    assert (unbroken / "model.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(data, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(SightlineError, match="no folder can be made there"):
        run(tiny(), data, tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "kept"


def test_fine_tuning_starts_from_another_model(unbroken, data, tmp_path):
    recipe = tiny(epochs=1, learning_rate=1e-6)
    kept = recipe.encoder.model_copy(update={"learning_rate": 1e-5, "freeze_batch_norm": True})
    out = run(recipe.model_copy(update={"encoder": kept}), data, tmp_path / "tuned", init=unbroken)
    before, after = load_model(unbroken)[0].state_dict(), load_model(out)[0].state_dict()
    moved = {name: float((after[name] - before[name]).abs().max()) for name in before}
    assert all(change == 0 for name, change in moved.items() if "running" in name or "num_batches" in name)
    assert 0 < moved["encoder.layers.0.weight"] < 1e-3
    assert moved["encoder.layers.0.weight"] > moved["decoder.output.weight"] > 0
    other = recipe.model_copy(update={"decoder": recipe.decoder.model_copy(update={"hidden_size": 8})})
    with pytest.raises(SightlineError, match="another shape"):
        run(other, data, tmp_path / "other", init=unbroken)
    other = recipe.model_copy(
        update={"decoder": decoder_options({"name": "transformer", "hidden_size": 8, "heads": 2})}
    )
    with pytest.raises(SightlineError, match=r"another shape than the recipe's \(gru, not transformer\)$"):
        run(other, data, tmp_path / "third", init=unbroken)


@pytest.mark.slow
def test_the_first_blocks_rest_while_the_others_learn(unbroken, data, tmp_path):
    recipe = tiny(epochs=1)
    encoder = recipe.encoder.model_copy(update={"frozen_blocks": 2})
    out = run(recipe.model_copy(update={"encoder": encoder}), data, tmp_path / "run", init=unbroken)
    before, after = load_model(unbroken)[0].encoder, load_model(out)[0].encoder
    for number, blocks in enumerate(zip(before.blocks(), after.blocks(), strict=True)):
        states = [block.state_dict() for block in blocks]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0]) == (number < 2)
    encoder = recipe.encoder.model_copy(update={"frozen_blocks": 5})
    with pytest.raises(SightlineError, match=r"encoder\.frozen_blocks.*4 blocks"):
        run(recipe.model_copy(update={"encoder": encoder}), data, tmp_path / "more")


@pytest.mark.slow
def test_an_encoder_comes_from_a_model_folder(unbroken, data, tmp_path):
    recipe = tiny(epochs=1)
    encoder = recipe.encoder.model_copy(update={"weights": str(unbroken), "trainable": False})
    out = run(recipe.model_copy(update={"encoder": encoder}), data, tmp_path / "run", cache=tmp_path / "cache")
    before, after = load_model(unbroken)[0].state_dict(), load_model(out)[0].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoder."))
    assert not torch.equal(before["decoder.output.weight"], after["decoder.output.weight"])
    encoder = encoder.model_copy(update={"name": "mobilenet_v2"})
    with pytest.raises(SightlineError, match="has a SmallCNN, the recipe a MobileNetV2"):
        run(recipe.model_copy(update={"encoder": encoder}), data, tmp_path / "other")


@pytest.mark.slow
def test_early_stopping(data, tmp_path):
    out = run(tiny(epochs=30, patience=1, learning_rate=0.2), data, tmp_path / "run")
    assert len(losses(out)) < 30


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["once", "every_step"])
def test_the_listings_variant_and_lower_precision_train(attention, shapes, tmp_path):
    recipe = tiny(epochs=2, precision="bfloat16", gradient_clip=1.0)
    decoder = recipe.decoder.model_copy(update={"attention": attention})
    rows = losses(run(recipe.model_copy(update={"decoder": decoder}), shapes, tmp_path / "run"))
    assert float(rows[1]["train_loss"]) < float(rows[0]["train_loss"])


@pytest.mark.slow
def test_a_transformer_learns_and_captions(shapes, tmp_path):
    recipe = tiny(epochs=3, learning_rate=3e-3)
    decoder = decoder_options({"name": "transformer", "hidden_size": 32, "layers": 1, "heads": 2, "dropout": 0.0})
    out = run(recipe.model_copy(update={"decoder": decoder}), shapes, tmp_path / "run")
    rows = losses(out)
    assert float(rows[-1]["train_loss"]) < 0.8 * float(rows[0]["train_loss"])
    (caption,) = generate(*load_model(out), [read_dataset(shapes).split("val")[0].photo])
    assert caption.words
    assert caption.attention.sum((1, 2)) == pytest.approx(1, abs=1e-5)


def test_missing_encoder_weights_say_both_ways_out(shapes, tmp_path, monkeypatch):
    import urllib.error

    from torchvision.models import MobileNet_V2_Weights

    def offline(self, *args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(MobileNet_V2_Weights, "get_state_dict", offline)
    recipe = tiny()
    encoder = recipe.encoder.model_copy(update={"name": "mobilenet_v2", "weights": "download", "trainable": False})
    with pytest.raises(SightlineError, match=r"go online once, or name a file.*encoder\.weights"):
        run(recipe.model_copy(update={"encoder": encoder}), shapes, tmp_path / "run")
    for name, content in {"absent.pth": None, "empty.pth": b""}.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        broken = encoder.model_copy(update={"weights": str(path)})
        with pytest.raises(SightlineError, match=name):
            run(recipe.model_copy(update={"encoder": broken}), shapes, tmp_path / "run")
