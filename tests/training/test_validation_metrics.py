"""Scores of captions while training: the metric for any module, and sightline's own epochs."""

import json
import pickle

import pytest
import torch

import sightline
from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model
from sightline.training.callbacks import EpochRecord
from sightline.training.checkpoints import best_checkpoint
from sightline.training.results import generate
from sightline.training.train import train
from sightline.training.validation_metrics import CaptionScore
from tests.training.conftest import tiny

OURS = ["A dog runs in the park.", "two boys, vitamin C.", "a red car :)"]
THEIRS = [["A dog runs in the park .", "The dog's running!"], ["Two boys play"], ["The red car.", "Ein Auto – grün :)"]]


@pytest.mark.parametrize("name", ["CIDEr", "BLEU-4", "ROUGE-L"])
def test_the_metric_is_the_score_of_all_batches_together(name):
    metric = CaptionScore(name)
    for _ in range(2):
        metric.update(OURS[:2], THEIRS[:2])
        metric.update(OURS[2:], tuple(map(tuple, THEIRS[2:])))
        assert metric.compute().item() == pytest.approx(sightline.score(OURS, THEIRS)[name], rel=1e-6)
        metric = pickle.loads(pickle.dumps(metric))
        metric.reset()
    assert not metric.state_dict()


def test_captions_of_several_devices_are_scored_together():
    there = CaptionScore("CIDEr")
    there.update(OURS[1:], THEIRS[1:])
    record = torch.cat(there.records)

    def gathered(tensor, group=None):
        return [tensor, record]

    here = CaptionScore("CIDEr", dist_sync_fn=gathered, distributed_available_fn=lambda: True)
    here.update(OURS[:1], THEIRS[:1])
    assert here.compute().item() == pytest.approx(sightline.score(OURS, THEIRS)["CIDEr"], rel=1e-6)
    idle = CaptionScore("CIDEr", distributed_available_fn=lambda: True)
    idle.sync(gathered)
    assert idle.records.dtype == torch.uint8 and len(idle.records) == len(record)


def test_the_metric_refuses_what_it_would_score_wrongly():
    with pytest.raises(SightlineError, match=r"no score is named 'cider'; choose from .*CIDEr"):
        CaptionScore("cider")
    metric = CaptionScore()
    with pytest.raises(SightlineError, match="pass a string and a list of strings for each photo"):
        metric.update(["a dog"], ["a dog"])
    with pytest.raises(SightlineError, match="2 captions, but references of 1 photos"):
        metric.update(["a dog", "a cat"], [["a dog"]])
    with pytest.raises(SightlineError, match="no captions since the last reset"):
        metric.compute()


@pytest.mark.slow
def test_a_training_logs_scores_and_keeps_the_epoch_that_they_choose(shapes, tmp_path, monkeypatch):
    kept = []
    after = EpochRecord.on_train_epoch_end
    monkeypatch.setattr(
        EpochRecord, "on_train_epoch_end", lambda self, *a: (after(self, *a), kept.append(self.rows))[0]
    )
    recipe = tiny(scores=["BLEU-4"], monitor="CIDEr", epochs=3)
    out = train(recipe, shapes, tmp_path / "run", export=False, progress=False, say=lambda line: None)
    rows = kept[-1]
    assert list(rows[0]) == ["epoch", "seconds", "train_loss", "val_loss", "val_BLEU-4", "val_CIDEr"]
    best = max(rows, key=lambda row: row["val_CIDEr"])
    told = json.loads((out / "config.json").read_text())["training"]
    assert (told["kept_epoch"], told["val_CIDEr"]) == (best["epoch"], best["val_CIDEr"])
    assert torch.load(best_checkpoint(out), weights_only=True)["epoch"] + 1 == best["epoch"]

    model, config, vocabulary = load_model(out)
    held_out = read_dataset(shapes).split("val")
    captions = generate(model, config, vocabulary, [example.photo for example in held_out], beam_size=1)
    scores = sightline.score(captions, [example.captions for example in held_out])
    assert best["val_CIDEr"] == pytest.approx(scores["CIDEr"], abs=2e-5)
    assert best["val_BLEU-4"] == pytest.approx(scores["BLEU-4"], abs=2e-5)
