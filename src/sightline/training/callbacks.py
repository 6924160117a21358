"""Each epoch's values and speed, kept as they come."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from sightline.model_folder import replacing


class EpochRecord(Callback):
    """Keeps each epoch's values and speed, in metrics.csv and in the checkpoint, so that resuming goes on with them."""

    def __init__(self, path: Path, value: str, scores: Sequence[str] = ()) -> None:
        self.path, self.value, self.scores = path, value, scores
        self.rows: list[dict[str, Any]] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the epoch's row."""
        if trainer.sanity_checking:
            return
        values = trainer.callback_metrics
        row = {"epoch": trainer.current_epoch + 1, "seconds": round(time.perf_counter() - self._started, 1)}
        # Lightning closes the training epoch after its validation: its mean is asked of the results it still holds.
        training = trainer.fit_loop.epoch_loop._results.metrics(on_step=False)["callback"]  # type: ignore[union-attr]
        row[f"train_{self.value}"] = round(float(training[f"train_{self.value}"]), 6)
        for name in (f"val_{self.value}", *(f"val_{score}" for score in self.scores)):
            row[name] = round(float(values[name]), 6)
        self.rows = [*self.rows, row]
        if trainer.is_global_zero:
            write_rows(self.path, self.rows)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self.rows = state_dict["rows"]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write dictionaries of equal keys as a CSV file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
