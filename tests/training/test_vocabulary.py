"""Training on from a model with new words: what it knew, it knows still."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import sightline.training.train as training
from sightline import captioner
from sightline.export.agreement import Agreement
from sightline.export.export import Export
from sightline.model_folder import WEIGHTS
from sightline.nn.model_files import build_model, compact, load_model, restore
from sightline.nn.prefix_tree import PrefixTree
from sightline.training.batches import tell_cut_off
from sightline.training.recipe import further_recipe
from sightline.training.train import train
from sightline.training.vocabulary import extend_vocabulary, extend_weights
from sightline.vocabulary import UNKNOWN, Vocabulary
from tests.conftest import make_tiny

EXPORTED = Export(Path("model.onnx"), "fp32", 0, 1, Agreement(1, 1, 0, 0, 0.0, 0.0))
MET = Vocabulary.from_captions(["a kayak", "a kayak on the river", "the dog"])


@pytest.mark.parametrize("decoder", ["gru", "transformer"])
def test_known_words_keep_their_places_and_share_with_new_ones_only_what_unknown_had(decoder):
    model, config, known = make_tiny(decoder=decoder)
    words = extend_vocabulary(known, MET)
    assert words.words == (*known.words, "kayak", "river")
    bigger = build_model(config, words)
    bigger.load_state_dict(extend_weights(model.state_dict(), bigger.state_dict(), len(known), len(words)))
    tree = PrefixTree.from_captions(torch.tensor([[known.encode("a dog runs", 9)]]).numpy())
    features = torch.randn(1, 64, 128, generator=torch.manual_seed(1))[..., : model.encoder.feature_size]
    with torch.inference_mode():
        before, after = (part.eval()(features, tree).logits.softmax(1).double() for part in (model, bigger))
    others = [index for index in range(len(known)) if index != UNKNOWN]
    if decoder == "gru":  # whose words have biases
        assert after[:, others] == pytest.approx(before[:, others], abs=1e-6)
        assert after[:, [UNKNOWN, *range(len(known), len(words))]].sum(1) == pytest.approx(before[:, UNKNOWN], abs=1e-6)
    ratio = after[:, others] / before[:, others]
    assert ratio == pytest.approx(ratio[:, :1].expand_as(ratio), rel=1e-4)


def test_weights_of_another_size_are_left_for_the_model_to_refuse():
    model, _, known = make_tiny()
    wider = make_tiny(hidden_size=64).model.state_dict()
    state = extend_weights(model.state_dict(), {**wider, "decoder.output.weight": torch.zeros(50, 64)}, len(known), 50)
    assert state["decoder.output.weight"].shape == model.decoder.output.weight.shape


def test_captions_that_are_cut_off_are_told():
    lines: list[str] = []
    targets = np.array([[[4, 5, 2], [4, 5, 6]], [[4, 2, 0], [0, 0, 0]]], np.uint16)
    tell_cut_off(targets, 3, lines.append)
    assert len(lines) == 1 and "33%" in lines[0] and "vocabulary.max_words: 3" in lines[0]
    tell_cut_off(targets[:, :1], 3, lines.append)
    assert len(lines) == 1


def test_no_new_words_change_nothing():
    model, _, known = make_tiny()
    state = extend_weights(model.state_dict(), model.state_dict(), len(known), len(known))
    assert extend_vocabulary(known, Vocabulary.from_captions(["a dog"])) == known
    assert all(
        tensor is model.state_dict()[name] or torch.equal(tensor, model.state_dict()[name])
        for name, tensor in state.items()
    )


def test_compact_weights_are_a_third_and_near():
    state = make_tiny(hidden_size=64, embedding_size=64, attention_size=64).model.state_dict()
    stored = compact(state)
    again = restore(stored)
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        assert again[name].dtype == tensor.dtype and again[name].shape == tensor.shape
        if tensor.dim() == 2:
            assert stored[name].dtype == torch.int8
            assert ((again[name] - tensor).abs() <= tensor.abs().amax(1, keepdim=True) / 250).all()
        elif tensor.dim() < 2:
            assert torch.equal(again[name], tensor)
    assert restore(state).keys() == state.keys()


@pytest.fixture
def bundled(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "bundled")
    save_file(compact(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    monkeypatch.setattr(captioner, "BUNDLED_MODEL", folder)
    return folder


def test_one_command_teaches_the_bundled_model_new_words(bundled, shapes, tmp_path, monkeypatch, sightline):
    monkeypatch.chdir(tmp_path)
    before, _, known = load_model(bundled)
    monkeypatch.setattr(training, "export_into", lambda out: EXPORTED)  # which has its own tests, and takes seconds
    command = ("train", "--init", "bundled", "--data", shapes, "--cache", tmp_path / "cache", "--quiet")
    done = sightline(*command, "--set", "training.epochs=2", "--set", "training.learning_rate=1e-6")
    assert done.status == 0, done.err
    out = tmp_path / "runs" / shapes.name
    after, config, words = load_model(out)
    assert words.words[: len(known)] == known.words and "circle" in words.words[len(known) :]
    told = re.search(r"^(\d+) new words: .*, \.\.\.; the (\d+) known ones keep", done.out, re.MULTILINE)
    assert told and (int(told[1]), int(told[2])) == (len(words) - len(known), len(known))
    old, new = before.state_dict(), after.state_dict()
    assert torch.equal(new["encoder.layers.0.weight"], old["encoder.layers.0.weight"])
    assert new["decoder.embedding.weight"][: len(known)] == pytest.approx(old["decoder.embedding.weight"], abs=1e-3)
    assert config.max_words == 9
    assert json.loads((out / "config.json").read_text())["training"]["epochs"] == 2
    shutil.rmtree(bundled)  # which resuming does without
    again = sightline(*command, "--resume")
    assert again.status == 0 and "new words" not in again.out, again.err


def test_a_package_without_weights_says_so(bundled, shapes, sightline, tmp_path):
    (bundled / WEIGHTS).unlink()
    done = sightline("train", "--init", "bundled", "--data", shapes, "--out", tmp_path / "run")
    assert done.status == 1
    assert (
        done.err
        == "sightline: bundled: no model.safetensors came with this installation; name a model folder instead\n"
    )


def test_rewards_teach_no_words(bundled, shapes, tmp_path):
    recipe = further_recipe(bundled, ["training.objective=self_critical", "training.epochs=1"])
    said = []
    options = {"cache": tmp_path / "cache", "export": False, "progress": False, "say": said.append}
    train(recipe, shapes, tmp_path / "run", init=bundled, **options)
    assert "not learned, as only training.objective: cross_entropy teaches words" in said[0]
    assert load_model(tmp_path / "run")[2] == load_model(bundled)[2]
