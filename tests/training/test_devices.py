"""Several processes train as one does: here two, on processors, by gloo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

import sightline.training.distributed as distributed
from sightline.data.large.write_shards import write_shards
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model
from sightline.training.distributed import Ranks
from sightline.training.module import CaptioningModule, shares_batch_statistics
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.recipe import Recipe
from sightline.training.train import train
from tests.training.conftest import TINY, tiny
from tests.training.test_train import losses

# Of 24 training photos the second batch has one, which leaves a process without; so do three held-out photos in one.
BATCH = 23


@pytest.fixture(scope="module", autouse=True)
def no_gpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


@pytest.fixture(scope="module")
def frozen(tiny_run: Path) -> Recipe:
    """The encoder at rest, no dropout: what is left is the same however many processes there are."""
    return Recipe.model_validate(
        {
            **TINY,
            "encoder": {"name": "small_cnn", "weights": str(tiny_run)},
            "decoder": {**TINY["decoder"], "dropout": 0.0},
            "training": {**TINY["training"], "batch_size": BATCH, "devices": 1},
        }
    )


def on(devices: int, recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"devices": devices})})


def run(recipe, data, out, **options):
    options = {"export": False, "progress": False, "say": lambda line: None, "cache": out.parent / "cache", **options}
    return train(recipe, data, out, **options)


@pytest.fixture(scope="module")
def alone(frozen, data, tmp_path_factory):
    return run(frozen, data, tmp_path_factory.mktemp("runs") / "one")


# One start of torchrun for all of these, as most of what a process costs is its imports. Run by each of two processes.
IN_BOTH = """
import os, signal, sys
from functools import partial
from pathlib import Path
from sightline.errors import SightlineError
from sightline.training.distributed import is_rank_zero
from sightline.training.module import CaptioningModule
from sightline.training.recipe import load_recipe
from sightline.training.train import train

data, shards, folder = map(Path, sys.argv[1:])
recipes = {name: load_recipe(folder / f"{name}.yaml") for name in ("frozen", "learning", "statistics")}
silent = partial(train, export=False, progress=False, cache=folder / "cache", say=lambda line: None)
silent(recipes["frozen"], shards, folder / "whole")
silent(recipes["learning"], data, folder / "learning")
try:
    silent(recipes["statistics"], data, folder / "statistics")
except SightlineError as error:
    if is_rank_zero():
        (folder / "refused").write_text(str(error))

whole = CaptioningModule.training_step

def step(self, batch, index):
    if self.current_epoch == 1:
        (folder / "asked").touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return whole(self, batch, index)

CaptioningModule.training_step = step
try:
    silent(recipes["frozen"], data, folder / "interrupted", say=print)
except SightlineError as error:
    sys.exit(str(error) if is_rank_zero() else 1)
"""


class Launched(NamedTuple):
    """What torchrun left: a folder with the runs of `IN_BOTH`, its output, and how long it took to be interrupted."""

    folder: Path
    done: subprocess.CompletedProcess[str]
    seconds: float


@pytest.fixture(scope="module")
def learning() -> Recipe:
    """An encoder that learns, but for the statistics of its batch normalisation."""
    recipe = tiny(epochs=1)
    encoder = recipe.encoder.model_copy(update={"freeze_batch_norm": True})
    decoder = recipe.decoder.model_copy(update={"dropout": 0.0})
    return recipe.model_copy(update={"encoder": encoder, "decoder": decoder})


@pytest.fixture(scope="module")
def launched(frozen, learning, data, tmp_path_factory) -> Launched:
    """Trainings of two processes. The first is from shards, which no process has indexed yet."""
    folder = tmp_path_factory.mktemp("launched")
    for name, recipe in {"frozen": frozen, "learning": learning, "statistics": tiny()}.items():
        recipe.save(folder / f"{name}.yaml")  # of one device: torchrun decides
    write_shards(data, shards := folder / "shards" / data.name, shard_bytes=10_000)
    (folder / "train.py").write_text(IN_BOTH)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    paths = [folder / "train.py", data, shards, folder]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, env=environment)
    return Launched(folder, done, time.time() - (folder / "asked").stat().st_mtime)


@pytest.fixture(scope="module")
def together(launched: Launched) -> Path:
    """The same training as `alone`."""
    return launched.folder / "whole"


def difference(out, other):
    weights, others = load_model(out)[0].state_dict(), load_model(other)[0].state_dict()
    return max(float((weights[name] - others[name]).abs().max()) for name in weights)


def assert_losses_agree(out, other, tolerance):
    for row, expected in zip(losses(out), losses(other), strict=True):
        assert {name: float(value) for name, value in row.items()} == pytest.approx(
            {name: float(value) for name, value in expected.items()}, abs=tolerance, rel=0
        )


@pytest.mark.slow
def test_two_processes_learn_what_one_does(alone, together):
    assert_losses_agree(together, alone, 1.01e-6)  # they are written with six digits
    assert difference(together, alone) < 1e-5
    cached = next((together.parent / "cache").glob("*/rows.sha256")).read_text().split()
    assert len(cached) == len(set(cached)) == 27  # each photo was encoded by one of them


@pytest.mark.slow
def test_torchrun_interrupted_goes_on_as_two_devices_to_the_same_bits(launched, frozen, together, data):
    assert launched.seconds < 60
    assert launched.done.returncode != 0
    assert launched.done.stderr.count("interrupted; go on with --resume") == 1, launched.done.stderr
    assert launched.done.stdout.count("training photos") == 1  # rank zero speaks, for both
    out = launched.folder / "interrupted"
    assert [row["epoch"] for row in losses(out)] == ["1"]

    run(on(2, frozen), data, out, resume=True)
    assert losses(out) == losses(together)
    assert difference(out, together) == 0


@pytest.mark.slow
def test_a_killed_process_ends_the_training_which_one_alone_finishes(frozen, alone, data, tmp_path, monkeypatch):
    started, killed = [], []

    def remember(*args, **options):
        started.append(subprocess.Popen(*args, **options))
        return started[-1]

    whole = CaptioningModule.training_step

    def step(self, batch, index):
        if self.current_epoch == 1 and not killed:
            killed.append(time.perf_counter())
            started[0].kill()
        return whole(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(distributed, "Popen", remember)
        patch.setattr(CaptioningModule, "training_step", step)
        with pytest.raises(SightlineError, match=r"process.* was ended from outside.*; go on with --resume$"):
            run(on(2, frozen), data, tmp_path / "out")
        assert time.perf_counter() - killed[0] < 60
        assert started[0].returncode == -signal.SIGKILL
    out = run(frozen, data, tmp_path / "out", resume=True)
    assert_losses_agree(out, alone, 1e-5)
    assert difference(out, alone) < 1e-5


def test_only_rank_zero_speaks_on_the_command_line(sightline, data, tmp_path, monkeypatch):
    for rank in (0, 1):
        for name, value in {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}.items():
            monkeypatch.setenv(name, str(value))
        done = sightline("train", "--data", data, "--out", tmp_path / "out")
        assert done.status == 1
        assert bool(done.err) == (rank == 0)
    monkeypatch.setenv("WORLD_SIZE", "two")
    assert "WORLD_SIZE=two" in sightline("train", "--data", data, "--out", tmp_path / "out").err


@pytest.mark.slow
def test_batch_statistics_that_cannot_be_shared_end_the_training_before_it_begins(launched):
    assert "encoder.freeze_batch_norm" in (launched.folder / "refused").read_text()
    assert not (launched.folder / "statistics" / "checkpoints").exists()


def test_batch_statistics_are_not_learned_by_several_cpu_processes(monkeypatch):
    two = Ranks(0, 2, 0, 2)
    assert not shares_batch_statistics(nn.BatchNorm2d(3).eval(), two)
    assert not shares_batch_statistics(nn.BatchNorm2d(3), Ranks())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SightlineError, match=r"encoder\.freeze_batch_norm.*CPU processes.*training\.devices: 1"):
        shares_batch_statistics(nn.BatchNorm2d(3), two)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert shares_batch_statistics(nn.BatchNorm2d(3), two)

    class WithActivation(nn.BatchNorm2d):  # as timm has them: torch would replace it and lose what it does beside
        pass

    with pytest.raises(SightlineError, match="WithActivation"):
        shares_batch_statistics(nn.Sequential(nn.BatchNorm2d(3), WithActivation(3)), two)


def test_frozen_blocks_keep_their_statistics_when_layers_are_exchanged(tiny_run):
    model, *_ = load_model(tiny_run)
    recipe = tiny()
    recipe = recipe.model_copy(update={"encoder": recipe.encoder.model_copy(update={"frozen_blocks": 2})})
    module = CaptioningModule(model, CrossEntropy(), recipe).train()
    before = [layer.training for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    module = nn.SyncBatchNorm.convert_sync_batchnorm(module).train()  # as Lightning does, on GPUs
    assert [layer.training for layer in module.modules() if isinstance(layer, nn.SyncBatchNorm)] == before
    assert set(before) == {False, True}


@pytest.mark.slow
def test_an_encoder_learns_on_two_processes_with_frozen_statistics(launched, learning, data, tmp_path):
    alone = run(learning, data, tmp_path / "alone")
    assert_losses_agree(alone, launched.folder / "learning", 1e-4)


def test_more_processes_than_gpus_are_refused(frozen, data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SightlineError, match=r"training\.devices asks for 2 processes.*1 GPUs"):
        run(on(2, frozen), data, tmp_path / "out")
    assert not (tmp_path / "out").exists()
