"""One training a folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sightline.errors import SightlineError
from sightline.model_folder import make_folder
from sightline.training.ranks import ALONE, Ranks

_LOCK = ".lock"


@contextmanager
def run_lock(out: Path, ranks: Ranks = ALONE) -> Iterator[None]:
    """Make the folder ``out`` where it is not there, and keep other trainings out of it during the block.

    A folder made here in which nothing was written is taken away again. Of several processes that train one model
    together, rank zero holds the lock for all.

    Raises:
        SightlineError: another training holds it, or nothing can be written there.
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
            (out / _LOCK).unlink()
            out.rmdir()
        lock.release()
