"""A run's checkpoints: written whole or not at all, found again where the run was moved, read with care."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from sightline.errors import SightlineError
from sightline.model_folder import replacing

CHECKPOINTS = "checkpoints"


def last_checkpoint(out: Path) -> Path:
    """Where a run folder keeps what resuming needs."""
    return out / CHECKPOINTS / "last.ckpt"


def best_checkpoint(out: Path) -> Path:
    """Where a run folder keeps the epoch that did best on the held-out captions."""
    return out / CHECKPOINTS / "best.ckpt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, on the processor; `SightlineError` where it is missing or torn."""
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=False))
    except Exception as error:  # torch.load raises what its readers raise
        reason = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
        raise SightlineError(f"{path}: damaged ({reason}); start anew in another --out") from None


def read_last_whole(out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The last checkpoint; where it is torn, the best one takes its place, which ``say`` is told.

    The epochs after the best are then trained once more. Raises `SightlineError` where neither is whole.
    """
    last, best = last_checkpoint(out), best_checkpoint(out)
    try:
        return read_checkpoint(last)
    except SightlineError as torn:
        try:
            whole = read_checkpoint(best)
        except SightlineError:
            raise torn from None
        with replacing(last) as path:
            shutil.copyfile(best, path)
        say(f"{last}: damaged; going on from epoch {whole['epoch'] + 1}, the best one, which is whole")
        return whole


def read_best(out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The best checkpoint; where it is torn, the last one, which ``say`` is told; `SightlineError` without either."""
    try:
        return read_checkpoint(best_checkpoint(out))
    except SightlineError:
        last = read_checkpoint(last_checkpoint(out))
        say(f"{best_checkpoint(out)}: damaged; the model left is that of the last epoch, {last['epoch'] + 1}")
        return last


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the old checkpoint and renames: Lightning's own way is a copy where file systems differ."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Put a checkpoint at ``path``, or leave what is there; raises `SightlineError` where the disk is full."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())


class KeptEpoch(ModelCheckpoint):
    """A `ModelCheckpoint` that knows its files, and the best score so far, when the run's folder has moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after this state, its files taken to lie where this one's do."""
        here = {
            "dirpath": self.dirpath,
            "best_k_models": {self._here(path): score for path, score in state_dict["best_k_models"].items()},
        }
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            here[name] = self._here(state_dict[name])
        super().load_state_dict({**state_dict, **here})

    def _here(self, path: str) -> str:
        return str(Path(str(self.dirpath)) / Path(path).name) if path else path
