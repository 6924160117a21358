"""A run's checkpoints: written whole or not at all, and read without running code that a file brings along."""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch.serialization import get_unsafe_globals_in_checkpoint

from sightline.errors import SightlineError
from sightline.model_folder import WEIGHTS, replacing

CHECKPOINTS = "checkpoints"


class DamagedCheckpoint(SightlineError):
    """A checkpoint that is missing, cut off or otherwise unreadable."""


def last_checkpoint(out: Path) -> Path:
    """The checkpoint of the last finished epoch, which resuming needs."""
    return out / CHECKPOINTS / "last.ckpt"


def best_checkpoint(out: Path) -> Path:
    """The checkpoint of the epoch that did best on the held-out captions."""
    return out / CHECKPOINTS / "best.ckpt"


def resume_advice(out: Path) -> str:
    """How to go on with the interrupted training in ``out``."""
    if not last_checkpoint(out).exists():
        return "no epoch was finished, so start again"
    if (out / WEIGHTS).exists():
        return f"{out} holds the model trained so far; go on with --resume"
    return "go on with --resume"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU. Only tensors and plain values are read: a pickle may call any function otherwise.

    Raises `DamagedCheckpoint` where it is missing or damaged, `SightlineError` where it holds what may run code.
    """
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load raises what its readers raise, and so does the next call
        names: list[str] = []
        if isinstance(error, pickle.UnpicklingError):
            with suppress(Exception):
                names = sorted(get_unsafe_globals_in_checkpoint(path))
        if names:
            raise SightlineError(
                f"{path}: holds {', '.join(names)}, which may run code; resume a checkpoint that sightline wrote"
            ) from None
        reason = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
        raise DamagedCheckpoint(f"{path}: damaged ({reason}); start anew in another --out") from None


def read_last_whole(out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The last checkpoint; where it is damaged, the best one, which then replaces it and ``say`` is told.

    The epochs after the best are then trained once more. Raises `SightlineError` where neither can be read.
    """
    last, best = last_checkpoint(out), best_checkpoint(out)
    try:
        return read_checkpoint(last)
    except DamagedCheckpoint as damaged:
        try:
            checkpoint = read_checkpoint(best)
        except DamagedCheckpoint:
            raise damaged from None
        with replacing(last) as path:
            shutil.copyfile(best, path)
        say(f"{last}: damaged; going on from epoch {checkpoint['epoch'] + 1}, the best one, which is whole")
        return checkpoint


def read_best(out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The best checkpoint; where it is damaged, the last one, and ``say`` is told; `SightlineError` without either."""
    try:
        return read_checkpoint(best_checkpoint(out))
    except DamagedCheckpoint:
        last = read_checkpoint(last_checkpoint(out))
        say(f"{best_checkpoint(out)}: damaged; the model left is that of the last epoch, {last['epoch'] + 1}")
        return last


class WholeCheckpoints(TorchCheckpointIO):
    """How Lightning writes and reads checkpoints."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write beside ``path`` and rename: whole or not at all; raises `SightlineError` where the disk is full."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: str | Path, *_: Any, **options: Any) -> dict[str, Any]:
        return read_checkpoint(Path(path))  # whatever Lightning allows to be read
