from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

import sightline
from sightline.errors import SightlineError
from sightline.export import export
from sightline.export.export import make_ensemble
from sightline.nn.model_files import load_model, save_model
from sightline.training.results import generate
from sightline.vocabulary import Vocabulary

from ..conftest import Tiny, make_tiny


@pytest.fixture(scope="module")
def transformer_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transformer") / "run"
    save_model(folder, *make_tiny(decoder="transformer"))
    return folder


@pytest.fixture(scope="module")
def gru_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRU whose attention asks by the word, too: that this is exported exactly is shown here."""
    folder = tmp_path_factory.mktemp("gru") / "run"
    save_model(folder, *make_tiny(query="hidden_and_word"))
    return folder


@pytest.fixture(scope="module")
def both(gru_run: Path, transformer_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ensemble") / "both"
    made = make_ensemble([gru_run, transformer_run], out)
    assert made.path == out / "model.onnx" and made.agreement.exact
    return out


@pytest.mark.slow
def test_an_ensemble_is_a_model_folder_like_its_members(both, gru_run, transformer_run, photos):
    model, config, vocabulary = load_model(both)
    assert [member.decoder for member in config.members] == ["gru", "transformer"]
    captions = generate(model, config, vocabulary, photos)
    found = list(sightline.load(both).stream(photos, evidence=True))
    assert [caption.words for caption in found] == [caption.words for caption in captions]
    assert all(caption.evidence.any() for caption in found)
    for member in (gru_run, transformer_run):
        alone = generate(*load_model(member), photos)
        assert [caption.text for caption in alone] != [caption.text for caption in captions]


def test_what_is_known_of_the_members_training_is_kept(tiny: Tiny, tiny_graph, tmp_path, monkeypatch):
    # The mean of a model with itself is that model.
    monkeypatch.setattr(export, "to_onnx", lambda *described: copy.deepcopy(tiny_graph))
    for name, epoch in (("one", 3), ("other", 5)):
        config = replace(tiny.config, training={"data": "d", "kept_epoch": epoch})
        save_model(tmp_path / name, tiny.model, config, tiny.vocabulary)
    make_ensemble([tmp_path / "one", tmp_path / "other"], tmp_path / "both")
    known = json.loads((tmp_path / "both" / "config.json").read_text())["training"]
    assert known == {"data": "d", "kept_epoch": [3, 5]}


def test_models_that_do_not_go_together_are_refused(tiny: Tiny, tiny_run, tmp_path):
    strange = tmp_path / "strange"
    save_model(strange, *make_tiny()._replace(vocabulary=Vocabulary((*tiny.vocabulary.words[:-1], "zebra"))))
    large = make_tiny("mobilenet_v2")
    save_model(tmp_path / "large", *large)
    for members, told in (
        ([tiny_run], "two model folders"),
        ([tiny_run, strange], "vocabulary"),
        ([tiny_run, tmp_path / "large"], "grid or preprocessing"),
        ([tiny_run, tmp_path / "none"], "no such model folder"),
    ):
        with pytest.raises(SightlineError, match=told):
            make_ensemble(members, tmp_path / "both")
    assert not (tmp_path / "both").exists()
    with pytest.raises(SightlineError, match="exists already; name a new folder"):
        make_ensemble([tiny_run, tiny_run], tiny_run)


@pytest.mark.slow
def test_the_command_joins_and_info_tells_of_the_members(
    sightline, both, gru_run, transformer_run, tmp_path, photos, monkeypatch
):
    monkeypatch.setattr(export, "to_onnx", lambda *described: onnx.load(both / "model.onnx"))
    out = tmp_path / "beide zusammen ü"
    done = sightline("ensemble", gru_run, transformer_run, "--out", out)
    assert done.status == 0 and str(out / "model.onnx") in done.out
    told = sightline("info", "--model", out).out
    assert "member 1        small_cnn" in told and "member 2" in told and "transformer (" in told
    assert sightline("caption", "--model", out, photos[0]).status == 0
    again = sightline("ensemble", gru_run, transformer_run, "--out", out)
    assert again.status == 1 and "exists already" in again.err
