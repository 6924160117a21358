"""Failures of a training: each is one line that names the cause and the way out."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml

import sightline.export.export as export
import sightline.training.train as steps
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model, save_model
from sightline.shapes.draw import draw_shapes
from sightline.training import batches
from sightline.training.module import CaptioningModule
from sightline.training.results import draw_samples
from sightline.training.run_folder import interruptible
from sightline.training.train import train
from tests.training.conftest import tiny


def run(data, out, recipe=None, **options):
    quiet = {"export": False, "progress": False, "say": lambda line: None}
    return train(recipe or tiny(), data, out, **{**quiet, **options})


def in_second_epoch(monkeypatch, action):
    """Call ``action`` in a training's second epoch."""
    whole = CaptioningModule.training_step

    def step(self, batch, index):
        if self.current_epoch == 1:
            action()
        return whole(self, batch, index)

    monkeypatch.setattr(CaptioningModule, "training_step", step)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_sigterm_is_one_line_and_the_training_goes_on_later(workers, data, tmp_path, monkeypatch):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def end_all():
        for process in [*(child.pid for child in multiprocessing.active_children()), os.getpid()]:
            os.kill(process, signal.SIGTERM)

    with monkeypatch.context() as patch:
        in_second_epoch(patch, end_all)
        with pytest.raises(SightlineError, match=r"^interrupted; go on with --resume$"):
            run(data, tmp_path / "out", tiny(workers=workers))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    run(data, tmp_path / "out", resume=True)


def test_a_loading_process_that_dies_is_one_line(data, tmp_path, monkeypatch):
    in_second_epoch(monkeypatch, lambda: [child.kill() for child in multiprocessing.active_children()])
    with pytest.raises(SightlineError, match=r"loads photos was ended from outside.*--resume.*training\.workers"):
        run(data, tmp_path / "out", tiny(workers=1))


def test_an_interrupted_export_says_what_is_there_already(data, tmp_path, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "export_into", interrupted)
    with pytest.raises(SightlineError, match="holds the model trained so far; go on with --resume"):
        run(data, tmp_path / "out", tiny(epochs=1), export=True)
    load_model(tmp_path / "out")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training_at_once(value, data, tmp_path, monkeypatch):
    def poison(self, batch):
        if self.current_epoch == 1:
            with torch.no_grad():
                self.model.decoder.output.weight.mul_(value)

    monkeypatch.setattr(CaptioningModule, "on_train_batch_end", lambda self, outputs, batch, index: poison(self, batch))
    with pytest.raises(SightlineError, match=r"diverged in epoch 2 \(.*nan\); lower training\.learning_rate"):
        run(data, tmp_path / "out")
    last = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=False)
    assert last["epoch"] == 0


def test_a_training_that_explodes_is_said_to_have_diverged(data, tmp_path):
    with pytest.raises(SightlineError, match=r"diverged: at best .* where guessing costs .*; lower training"):
        run(data, tmp_path / "out", tiny(learning_rate=1.0), export=True)


@pytest.mark.parametrize("broken", ["explosion", "nan"])
def test_a_diverged_model_is_not_exported_and_nobody_is_asked_to_report_it(
    broken, tiny_run, tiny_graph, tmp_path, monkeypatch
):
    model, config, vocabulary = load_model(tiny_run)
    if broken == "explosion":
        model.decoder.output.weight.data.mul_(1e6)
        config = replace(config, training={"val_loss": 300.0})
    else:
        model.decoder.output.weight.data.fill_(float("nan"))
    save_model(tmp_path / "run", model, config, vocabulary)
    monkeypatch.setattr(export, "to_onnx", lambda *described: copy.deepcopy(tiny_graph))
    with pytest.raises(SightlineError, match="nothing exported, as its training diverged"):
        export.export_model(tmp_path / "run", tmp_path / "bundle")


@pytest.mark.parametrize(
    ("captions", "min_count", "said"),
    [
        (lambda text: text, 1000, r"no word occurs 1000 times .*'a', occurs \d+; lower vocabulary\.min_count"),
        (lambda text: "... !", 1, "the training captions hold no word"),
    ],
    ids=["rare", "punctuation"],
)
def test_nothing_to_learn_from_is_told_before_anything_is_written(captions, min_count, said, data, tmp_path):
    draw_shapes(other := tmp_path / "data", photos=30, seed=3)
    head, *lines = (file := other / "captions.txt").read_text().splitlines()
    pairs = [line.split(",", 1) for line in lines]
    file.write_text("\n".join([head, *(f"{name},{captions(text)}" for name, text in pairs)]))
    recipe = tiny()
    vocabulary = recipe.vocabulary.model_copy(update={"min_count": min_count})
    with pytest.raises(SightlineError, match=f"nothing to learn from: {said}"):
        run(other, tmp_path / "out", recipe.model_copy(update={"vocabulary": vocabulary}))
    assert not (tmp_path / "out").exists()


def test_fewer_photos_than_a_batch_are_enough(tmp_path):
    draw_shapes(tmp_path / "data", photos=10)
    out = run(tmp_path / "data", tmp_path / "out", tiny(batch_size=64, epochs=1))
    assert load_model(out)[1].training["kept_epoch"] == 1


def test_captions_in_any_script_are_drawn_in_silence(data, tmp_path, recwarn):
    photo = next(data.rglob("*.png"))
    draw_samples(tmp_path / "samples.png", [photo] * 3, ["草地上的狗 🐕", "कुत्ता घास पर", "costs $5 and $ 6"])
    assert (tmp_path / "samples.png").stat().st_size > 0
    assert not [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)]


SILENT = """
import matplotlib
import sightline.training.train as steps
from sightline.cli.main import main
from sightline.export.agreement import Agreement
from sightline.export.export import Export

matplotlib.use("svg")  # plots of others, as a notebook's, stay as they are
# That an export is silent, too, is tested with the tour, which has one.
steps.export_into = lambda folder: Export(folder / "model.onnx", "fp32", 0, 1, Agreement(8, 24, 0, 0, 0.0, 0.0))
try:
    main()
finally:
    assert matplotlib.get_backend() == "svg"
"""


@pytest.mark.slow
def test_nothing_but_sightline_speaks_while_it_trains(data, tmp_path):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tiny(epochs=1).model_dump()))
    paths = ["--data", data, "--recipe", tmp_path / "recipe.yaml", "--out", tmp_path / "aus gabe ü"]
    done = subprocess.run([sys.executable, "-c", SILENT, "train", "--quiet", *paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(maxsplit=1)[0] for line in done.stdout.splitlines()] == ["24", "model.onnx:", "the"]
    load_model(paths[-1])


# What torch makes of an error of a loading process.
WRAPPED = "Caught {0} in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File\n{1}: {2}\n"


def test_a_photo_that_a_loading_process_cannot_read_is_one_line(tmp_path):
    text = WRAPPED.format(
        "SightlineError", "sightline.errors.SightlineError", "a.jpg: damaged: mend it"
    )  # torch's form
    with pytest.raises(SightlineError, match=r"^a\.jpg: damaged: mend it$"), interruptible(tmp_path):
        raise SightlineError(text)


def test_shared_memory_that_is_full_is_one_line(tmp_path, monkeypatch):
    def full(tensor):
        error = "unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)"
        raise RuntimeError(WRAPPED.format("RuntimeError", "RuntimeError", error))

    monkeypatch.setattr(batches, "get_worker_info", lambda: "a loading process")
    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(SightlineError) as raised, interruptible(tmp_path):
        batches._shared(((torch.zeros(3),), 1))
    assert all(part in str(raised.value) for part in ("shared memory", "training.workers=0", "--shm-size"))
    assert "Traceback" not in str(raised.value)
