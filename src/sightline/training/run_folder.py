"""The run folder: what it may hold at the start, one training at a time, and how to go on after an interruption."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch.distributed as dist
from filelock import FileLock, Timeout

from sightline.errors import SightlineError
from sightline.model_folder import ONNX, WEIGHTS, make_folder, naming_write_errors
from sightline.training.checkpoints import last_checkpoint, resume_advice
from sightline.training.distributed import SINGLE, Ranks
from sightline.training.recipe import Recipe, load_recipe

RECIPE = "recipe.yaml"
_LOCK = ".lock"


def check_new(out: Path) -> None:
    """Raise `SightlineError` where ``out`` holds what a new training would overwrite."""
    if last_checkpoint(out).exists():
        raise SightlineError(f"{out}: holds a training already; go on with --resume, or name another --out")
    if any((out / name).exists() for name in (WEIGHTS, ONNX)):
        raise SightlineError(f"{out}: holds a model already; name another --out")
    if out.exists() and not out.is_dir():
        raise SightlineError(f"{out}: is a file; --out must be a folder")


def check_resumable(out: Path, recipe: Recipe) -> None:
    """Raise `SightlineError` where ``out`` holds no training by this recipe."""
    if not last_checkpoint(out).exists():
        raise SightlineError(f"{out}: nothing to resume here (no finished epoch); leave out --resume to start")
    before, now = _fixed(load_recipe(out / RECIPE)), _fixed(recipe)
    if different := [key for key in before.keys() & now.keys() if before[key] != now[key]]:
        changes = ", ".join(f"{key}: {before[key]}, not {now[key]}" for key in sorted(different))
        if different == ["training.epochs"]:
            changes += f"; training.schedule: {recipe.training.schedule} depends on their number from the start"
        raise SightlineError(f"{out}: was begun with another recipe ({changes}); resume with its {RECIPE}")


@contextmanager
def run_lock(out: Path, ranks: Ranks = SINGLE) -> Iterator[None]:
    """Make the folder ``out`` where it is missing, and keep other trainings out of it during the block.

    The lock ends with its process. A folder made here in which nothing was written is removed again. Of several
    processes that train one model, rank zero holds the lock for all. Raises `SightlineError` where another training
    holds it, or the folder cannot be written.
    """
    if not ranks.is_rank_zero:
        ranks.meet()
        yield
        return
    new = not out.exists()
    make_folder(out)
    lock = FileLock(out / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SightlineError(f"{out}: another training writes there now; wait for it, or name another --out") from None
    except OSError as error:
        raise SightlineError(f"{out}: cannot be written ({error.strerror}); give another --out") from None
    try:
        ranks.meet()
        yield
    finally:
        if new and [path.name for path in out.iterdir()] == [_LOCK]:
            with suppress(OSError):  # Windows deletes no file that is open
                (out / _LOCK).unlink()
                out.rmdir()
        lock.release()


@contextmanager
def interruptible(out: Path) -> Iterator[None]:
    """Turn what interrupts the training in ``out`` into a `SightlineError`: Ctrl-C, SIGTERM, a full disk."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    sets_handlers = threading.current_thread() is threading.main_thread()  # no other thread may
    # The command line has its own handler, with its exit status.
    if sets_handlers and before[signal.SIGTERM] == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as at Ctrl-C
    try:
        with naming_write_errors(out):
            yield
    except (KeyboardInterrupt, SystemExit):  # Lightning raises SystemExit after KeyboardInterrupt
        raise SightlineError(f"interrupted; {resume_advice(out)}") from None
    except SightlineError as error:
        # One of a loading process comes with its traceback.
        if "DataLoader worker" not in str(error):
            raise
        reason = str(error).removesuffix(r"\n").rpartition(r"\n")[2].partition(": ")[2]
        raise SightlineError(reason) from None
    # A loading process that dies while it hands over a batch raises ConnectionError or EOFError.
    except (RuntimeError, ConnectionError, EOFError) as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):  # gloo raises plain RuntimeErrors that name it
            reason = "another process of this training was ended from outside"
            raise SightlineError(f"{reason}; {resume_advice(out)}") from None
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        if "shared memory" in str(error):
            raise SightlineError(
                f"shared memory (/dev/shm) is full; {resume_advice(out)}, with training.workers=0, or with more of it,"
                " such as docker run --shm-size 1g"
            ) from None
        raise SightlineError(
            f"a process that loads photos was ended from outside, perhaps as memory ran out; {resume_advice(out)},"
            " maybe with fewer training.workers"
        ) from None
    finally:
        if sets_handlers:
            for number, handler in before.items():  # Lightning leaves Ctrl-C ignored once it was pressed
                signal.signal(number, handler)


def _fixed(recipe: Recipe) -> dict[str, Any]:
    """section.option -> value, without what may change when a training is resumed."""
    values = recipe.model_dump()
    changeable = ["patience", "devices", "workers", "threads"]
    if recipe.training.schedule == "constant":  # any other schedule depends on the number of epochs
        changeable.append("epochs")
    for key in changeable:
        values["training"].pop(key)
    values["encoder"].pop("weights")
    return {f"{section}.{key}": value for section, options in values.items() for key, value in options.items()}
