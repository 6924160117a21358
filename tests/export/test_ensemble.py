from __future__ import annotations

import copy
import json
from dataclasses import replace

import onnx
import pytest

import sightline
from sightline.errors import SightlineError
from sightline.export import export
from sightline.export.export import make_ensemble
from sightline.nn.model_files import DECODERS, load_model, save_model
from sightline.training.results import generate
from sightline.vocabulary import Vocabulary

from ..conftest import Tiny, make_tiny


@pytest.mark.slow
def test_an_ensemble_is_a_model_folder_like_its_members(every_decoder, members, photos):
    model, config, vocabulary = load_model(every_decoder)
    assert [member.decoder for member in config.members] == list(DECODERS)
    captions = generate(model, config, vocabulary, photos)
    found = list(sightline.load(every_decoder).stream(photos, evidence=True))
    assert [caption.words for caption in found] == [caption.words for caption in captions]
    assert all(caption.evidence.any() for caption in found)
    for member in members:
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
    sightline, every_decoder, members, tmp_path, photos, monkeypatch
):
    monkeypatch.setattr(export, "to_onnx", lambda *described: onnx.load(every_decoder / "model.onnx"))
    out = tmp_path / "beide zusammen ü"
    done = sightline("ensemble", *members, "--out", out)
    assert done.status == 0 and str(out / "model.onnx") in done.out
    told = sightline("info", "--model", out).out
    assert "member 1        small_cnn" in told and "member 2" in told and "transformer (" in told
    assert sightline("caption", "--model", out, photos[0]).status == 0
    again = sightline("ensemble", *members, "--out", out)
    assert again.status == 1 and "exists already" in again.err
