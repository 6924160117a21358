"""What happens at the end of an epoch: its row is recorded, divergence ends the training, its checkpoint is kept."""

from __future__ import annotations

import csv
import math
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar

from sightline.errors import SightlineError
from sightline.export.export import worse_than_guessing
from sightline.model_folder import replacing
from sightline.training.objective import Objective

_AFTER_DIVERGENCE = "lower training.learning_rate or set training.gradient_clip, and train in another --out"


class EpochRecord(Callback):
    """Records each epoch's values and duration in metrics.csv and in the checkpoint, so that resuming continues both.

    A value that is infinite or not a number ends the training, before that epoch's checkpoint. The objective's
    ``value`` has the columns ``train_`` and ``val_`` and its name, and each of the ``scores`` of held-out captions has
    ``val_`` and its name. ``rows``: column -> number, one dictionary an epoch.
    """

    def __init__(self, path: Path, value: str, scores: Sequence[str] = ()) -> None:
        self.path = path
        self.columns = [f"train_{value}", f"val_{value}", *(f"val_{score}" for score in scores)]
        self.rows: list[dict[str, Any]] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Validation is over, and callbacks that monitor a value come later.
        row = {"epoch": trainer.current_epoch + 1, "seconds": round(time.perf_counter() - self._started, 1)}
        row |= {name: round(float(trainer.callback_metrics[name]), 6) for name in self.columns}
        self.rows = [*self.rows, row]
        if trainer.is_global_zero:
            with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
                writer = csv.DictWriter(file, row.keys())
                writer.writeheader()
                writer.writerows(self.rows)
        if wrong := [f"{name} {value}" for name, value in row.items() if not math.isfinite(value)]:
            raise SightlineError(f"diverged in epoch {row['epoch']} ({', '.join(wrong)}); {_AFTER_DIVERGENCE}")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


def check_learned(out: Path, rows: list[dict[str, Any]], objective: Objective, words: int) -> None:
    """Raise `SightlineError` where even the best epoch's held-out loss is far worse than guessing among ``words``."""
    if objective.value != "loss":
        return
    best = min(row["val_loss"] for row in rows)
    if worse_than_guessing(best, words):
        raise SightlineError(
            f"{out}: diverged: at best a held-out loss of {best:.1f} nats a word, where guessing costs"
            f" {math.log(words):.1f}; {_AFTER_DIVERGENCE}"
        )


class OwnBar(TQDMProgressBar):
    """Ends its line before an error's line follows."""

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        for name in ("val_progress_bar", "train_progress_bar"):
            with suppress(TypeError):  # it has not begun
                getattr(self, name).close()


class OwnSigterm(Callback):
    """Keeps this process's handler of SIGTERM, see `sightline.training.run_folder.interruptible`.

    Lightning's handler first tells all ranks of the signal, in the middle of another exchange between them: they would
    wait for each other for ever.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # only the main thread may set signal handlers
            signal.signal(signal.SIGTERM, self.handler)


class KeptEpoch(ModelCheckpoint):
    """A `ModelCheckpoint` that finds its files, and with them the best score so far, after the run folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        paths = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "dirpath": self.dirpath, "best_k_models": best})
