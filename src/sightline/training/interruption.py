"""What ends a training before its end, told in one line with the way on: Ctrl-C, SIGTERM, a full disk."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from sightline.errors import SightlineError
from sightline.model_folder import WEIGHTS, naming_write_errors
from sightline.training.checkpoints import last_checkpoint


@contextmanager
def interruptible(out: Path) -> Iterator[None]:
    """Turn what interrupts the training in ``out`` into a `SightlineError`; SIGTERM is taken as Ctrl-C is."""
    try:
        with naming_write_errors(out), _sigterm_as_ctrl_c():
            yield
    except (KeyboardInterrupt, SystemExit):  # the latter is Lightning's answer to the former
        raise SightlineError(f"interrupted; {way_on(out)}") from None
    except (RuntimeError, ConnectionError, EOFError) as error:  # the latter where it was about to hand over a batch
        if _lost_another_rank(error):
            raise SightlineError(f"another process of this training was ended from outside; {way_on(out)}") from None
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        raise SightlineError(
            f"a process that loads photos was ended from outside, perhaps as memory ran out; {way_on(out)}, maybe with"
            " fewer training.workers"
        ) from None


def way_on(out: Path) -> str:
    """How to go on with the interrupted training in ``out``."""
    if not last_checkpoint(out).exists():
        return "no epoch was finished, so start again"
    if (out / WEIGHTS).exists():
        return f"{out} holds the model trained so far; go on with --resume"
    return "go on with --resume"


def leave_signals_to_the_trainer(worker: int) -> None:
    """What a process that loads batches does first: it ends when the training does, not by itself."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _lost_another_rank(error: Exception) -> bool:
    # gloo's errors are of no kind of their own.
    return isinstance(error, dist.DistError) or "gloo" in str(error)


class OwnSigterm(Callback):
    """Keeps this process's own answer to SIGTERM, as in `interruptible`.

    Lightning's first tells all ranks of it, in the middle of whatever they tell each other then: they would wait for
    each other for ever.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Answer it as before Lightning did."""
        if threading.current_thread() is threading.main_thread():  # which alone may set signals
            signal.signal(signal.SIGTERM, self.handler)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # which alone may set signals
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if before[signal.SIGTERM] == signal.SIG_DFL:  # the command's own handler knows which status to end with
        signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():  # Lightning leaves Ctrl-C ignored once it was pressed
            signal.signal(number, handler)
