"""A training that runs away from what it should learn is ended, and said to have diverged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from sightline.errors import SightlineError
from sightline.export.export import worse_than_guessing
from sightline.training.callbacks import EpochRecord
from sightline.training.objective import Objective

_WAY_OUT = "lower training.learning_rate or set training.gradient_clip, and train in another --out"


class StopAtDivergence(Callback):
    """Ends the training at the first epoch whose values are no numbers, before that epoch is kept."""

    def __init__(self, record: EpochRecord) -> None:
        self.record = record

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the epoch's row, which the record has just written."""
        row = self.record.rows[-1]
        if wrong := [f"{name} {value}" for name, value in row.items() if not math.isfinite(value)]:
            raise SightlineError(f"diverged in epoch {row['epoch']} ({', '.join(wrong)}); {_WAY_OUT}")


def check_learned(out: Path, rows: list[dict[str, Any]], objective: Objective, words: int) -> None:
    """Raise `SightlineError` where even the best epoch's held-out loss is far worse than guessing among ``words``."""
    if objective.value != "loss":
        return
    best = min(row["val_loss"] for row in rows)
    if worse_than_guessing(best, words):
        raise SightlineError(
            f"{out}: diverged: at best a held-out loss of {best:.1f} nats a word, where guessing costs"
            f" {math.log(words):.1f}; {_WAY_OUT}"
        )
