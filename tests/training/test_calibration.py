"""Calibration: what is fitted, from which photos, and what becomes of the captioner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import sightline
from sightline.data.dataset import read_dataset
from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.export.export import Export
from sightline.model_folder import ModelConfig
from sightline.nn.model_files import load_model
from sightline.shapes.draw import draw_shapes
from sightline.training.calibration import calibrate
from sightline.training.calibration_words import choose_words, presence
from sightline.training.heads import bound_false_alarms, cross_fitted, fit_kinds, fit_logistic

from .conftest import tiny as tiny_recipe


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos enough to calibrate on: 40 are held out."""
    draw_shapes(root := tmp_path_factory.mktemp("many") / "größe 1", photos=400, seed=4)
    return root


@pytest.fixture(scope="module")
def run(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sightline.training.train import train

    out = tmp_path_factory.mktemp("run") / "run"
    return train(tiny_recipe(epochs=1), many, out, export=False, progress=False, say=lambda line: None)


@pytest.fixture(scope="module")
def calibrated(many: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    calibrate(run, [many], folder / "model", pictures=5, cache=folder / "cache", say=lambda line: None)
    return folder / "model"


def test_the_captioner_stays_as_it_was(run, calibrated):
    before, after = load_model(run)[0].state_dict(), load_model(calibrated)[0].state_dict()
    assert before.keys() == {name for name in after if not name.startswith("heads.")} != after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_its_captions_say_how_sure_it_is(many, calibrated):
    photo = read_dataset(many).split("val")[0].photo
    caption = sightline.load(calibrated)(photo)
    assert 0 < caption.confidence < 1 and caption.kind in ModelConfig.load(calibrated / "config.json").heads["kinds"]
    nouns = ModelConfig.load(calibrated / "config.json").heads["nouns"]
    assert {"circle", "square", "triangle"} & set(nouns) and not {"a", "is", "there"} & set(nouns)
    for word, sure in zip(caption.words, caption.word_confidence, strict=True):
        assert np.isnan(sure) == (word not in nouns), word
    assert len(caption.alternatives) == 2 and all(other.confidence is not None for other in caption.alternatives)


def test_figures_are_told_and_recorded(many, run, calibrated, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.training.calibration.export_into", lambda folder: Export(folder, "fp32", 0, 0, None))
    told = []
    calibrate(run, [many], tmp_path / "again", pictures=0, cache=tmp_path / "cache", say=told.append)
    recorded = json.loads((calibrated / "config.json").read_text())["training"]["calibration"]
    for name in ("keywords", "keywords_of_nearest_neighbours", "confidence_AUC", "confidence_Brier", "noun_AUC"):
        assert 0 < recorded[name] <= 1
    assert any(line.startswith("confidence AUC: 0.") for line in told)
    config = ModelConfig.load(tmp_path / "again" / "config.json")
    assert "kinds" not in config.heads and "drawings_found" not in config.training["calibration"]
    # The same seed, the same heads.
    names = [name for name in load_model(tmp_path / "again")[0].state_dict() if "keywords" in name]
    one, other = (load_model(folder)[0].state_dict() for folder in (calibrated, tmp_path / "again"))
    assert names and all(torch.equal(one[name], other[name]) for name in names)


def test_too_few_held_out_photos_and_other_folders_are_refused(many, run, data, tmp_path):
    with pytest.raises(SightlineError, match="3 held-out photos; 40 or more are needed"):
        calibrate(run, [data], tmp_path / "out", cache=tmp_path / "cache", say=lambda line: None)
    with pytest.raises(SightlineError, match="not a model folder to replace"):
        calibrate(run, [many], many, say=lambda line: None)
    assert not (tmp_path / "out").exists()


def test_training_on_from_a_calibrated_model_leaves_its_heads(many, calibrated, tmp_path):
    from sightline.training.train import train

    recipe = tiny_recipe(epochs=1)
    train(recipe, many, tmp_path / "on", init=calibrated, export=False, progress=False, say=lambda line: None)
    model, config, _ = load_model(tmp_path / "on")
    assert model.heads is None and not config.heads


def test_the_command_says_what_is_missing(sightline, many, run, tmp_path):
    assert sightline("calibrate", run, "--out", tmp_path / "out").status == 2
    finished = sightline("calibrate", run, "--data", tmp_path / "nothing", "--out", tmp_path / "out")
    assert finished.status == 1 and "no such folder" in finished.err and finished.err.count("\n") == 1
    bad = tmp_path / "bad"
    bad.mkdir()
    finished = sightline("calibrate", bad, "--data", many, "--out", tmp_path / "out")
    assert finished.status == 1 and "no model folder" in finished.err


def example(*captions: str) -> Example:
    return Example("photo", None, captions)  # type: ignore[arg-type]


def test_words_without_boxes_are_what_people_agree_upon(monkeypatch):
    monkeypatch.setattr("sightline.training.calibration_words._of_package", lambda counts: (frozenset(), set()))
    dogs = [example("ein hund im gras", "der hund rennt", f"ein hund und {n}") for n in range(30)]
    cats = [example("ein kater schläft", "der kater im haus", f"ein kater und {n}") for n in range(30)]
    birds = [example("ein vogel fliegt", "der vogel im wind", f"ein vogel und {n}") for n in range(60)]
    said = []
    words = choose_words([*dogs, *cats, *birds], [], frozenset(), said.append)
    assert words.nouns == frozenset() and set(words.keywords) == {"hund", "kater"}  # a vogel is in half of all
    assert len(said) == 1 and "no confidence" in said[0]
    assert choose_words([*dogs, *cats, *birds], [], frozenset({"hund"}), said.append).nouns == {"hund"}
    with pytest.raises(SightlineError, match="no word is common enough"):
        choose_words(dogs[:5], [], frozenset(), said.append)


def test_presence_is_of_any_caption_and_number():
    there = presence([example("two dogs", "a cat"), example("a bench")], ["dog", "cat", "bench"])
    assert there.tolist() == [[True, True, False], [False, False, True]]


def test_logistic_regression_finds_what_it_was_made_of():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 3)) * [1, 5, 0.5] + [0, 3, 1]
    odds = x @ [1.0, -0.3, 2.0] - 0.5
    true = (rng.random(len(x)) < 1 / (1 + np.exp(-odds))).astype(float)
    weights, bias = fit_logistic(x, true)
    np.testing.assert_allclose([*weights, bias], [1.0, -0.3, 2.0, -0.5], atol=0.15)
    separable, bias = fit_logistic(np.array([[0.0], [1.0]] * 50), np.array([0.0, 1.0] * 50))
    assert np.isfinite([*separable, bias]).all()
    same, _ = fit_logistic(np.ones((10, 2)), np.ones(10))
    assert np.isfinite(same).all()


def test_cross_fitting_never_sees_its_own_fold():
    rng = np.random.default_rng(1)
    folds = np.arange(500) % 5
    x, true = rng.normal(size=(500, 30)), rng.integers(0, 2, 500).astype(float)
    odds = cross_fitted(x, true, folds)
    assert abs(np.corrcoef(odds, true)[0, 1]) < 0.15  # of noise nothing can be foretold
    assert np.corrcoef(x @ fit_logistic(x, true)[0], true)[0, 1] > 0.2


def test_kinds_have_the_false_alarms_that_are_asked_for():
    torch.manual_seed(0)
    photos, drawn = torch.randn(1000, 4), torch.randn(200, 4) + 2
    layer = fit_kinds(torch.cat([photos, drawn]), torch.cat([torch.zeros(1000), torch.ones(200)]).long(), 2)
    harder = photos[:200] + 0.5
    bound_false_alarms(layer, [photos, harder], 0.05)
    with torch.no_grad():
        assert int((layer(harder).softmax(1)[:, 0] < 0.5).sum()) == 10
        assert int((layer(photos).softmax(1)[:, 0] < 0.5).sum()) < 50
        assert float((layer(drawn).softmax(1)[:, 0] < 0.5).float().mean()) > 0.6
