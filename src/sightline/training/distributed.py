"""Several processes that train one model: which one this is, how they wait for each other, and who starts them."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Literal

import torch
import torch.distributed as dist

from sightline import plugins
from sightline.errors import SightlineError
from sightline.sessions import available_cores
from sightline.training.checkpoints import resume_advice

_HOST = "127.0.0.1"
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_FAILURE = "failure"
_POLL = 0.05  # seconds
# Computing a share of a large dataset's features may take long. A process that dies is noticed at once, not by this.
_TIMEOUT = timedelta(hours=12)
# Seconds in which a process should notice that another has ended, and end.
_GRACE = 30
# Ctrl-C reaches all processes at once; rank zero answers it.
_IGNORE_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_WORKER = f"{_IGNORE_CTRL_C}; from {__name__} import run_worker; run_worker()"

_trainings = count()


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; by default it is the only one."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0  # among those on this machine
    local_world_size: int = 1
    store: dist.Store | None = None  # where the processes exchange notes; None for a single process
    _meetings: Iterator[int] = field(default_factory=count, compare=False)

    @property
    def is_rank_zero(self) -> bool:
        """Whether this is rank zero, the one that writes files and prints."""
        return self.rank == 0

    def shares(self) -> list[tuple[int, int]]:
        """(number, of how many): this process among all, then among its machine's; machines may have a folder each."""
        among_all, here = (self.rank, self.world_size), (self.local_rank, self.local_world_size)
        return [among_all] if here == among_all else [among_all, here]

    def meet(self) -> None:
        """Return once all processes have made the same call; raises `SightlineError` where one has failed."""
        if self.store is None:
            return
        key = f"meeting/{next(self._meetings)}"
        self.store.add(key, 1)
        while self.store.add(key, 0) < self.world_size:
            self.check()
            time.sleep(_POLL)

    def decided_by_rank_zero(self, decision: bool) -> bool:
        """Rank zero's ``decision``, in all processes."""
        if self.store is None:
            return decision
        key = f"decision/{next(self._meetings)}"
        if self.is_rank_zero:
            self.store.set(key, str(int(decision)))
        self.meet()
        return bool(self.store.get(key) == b"1")

    @contextmanager
    def rank_zero_first(self) -> Iterator[None]:
        """Rank zero runs the block before any other process enters it."""
        if not self.is_rank_zero:
            self.meet()
        yield
        if self.is_rank_zero:
            self.meet()

    def fail(self, reason: str) -> str:
        """Tell the others that this process fails; returns the reason of the first process that failed."""
        if self.store is not None:
            with suppress(RuntimeError):  # the process that keeps the store may have ended
                return self.store.compare_set(_FAILURE, "", reason).decode()
        return reason

    def check(self) -> None:
        """Raise `SightlineError` where a process has failed."""
        if self.store is not None and self.store.check([_FAILURE]):
            raise SightlineError(self.store.get(_FAILURE).decode())


SINGLE = Ranks()


def ranks_of_environment() -> Ranks | None:
    """The ranks that torchrun or another launcher sets, yet without a store; None where a variable is missing."""
    values = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    if len(values) < len(_ENVIRONMENT):
        return None
    try:
        rank, world_size, local_rank, local_world_size = map(int, values.values())
        return Ranks(rank, world_size, local_rank, local_world_size)
    except ValueError:
        listed = ", ".join(f"{name}={value}" for name, value in values.items())
        raise SightlineError(f"in the environment, {listed} must be numbers: use torchrun, or unset them") from None


def is_rank_zero() -> bool:
    """Whether this process is the one that writes files and prints."""
    return (ranks_of_environment() or SINGLE).is_rank_zero


@contextmanager
def joined(devices: int | Literal["auto"], work: Callable[[], object], out: Path) -> Iterator[Ranks]:
    """In the block, this process trains together with the others, if there are any; gives its `Ranks`.

    The launcher's environment decides how many there are, where torchrun or another one sets it. Otherwise this process
    is rank zero and starts one more for each further one of the recipe's ``devices``: these call ``work``, which is
    pickled and enters this block in turn. ``out`` is the run folder. Raises `SightlineError` where there are fewer
    devices, or another process failed, with its reason.
    """
    launched, gpus = ranks_of_environment(), torch.cuda.device_count()
    here = launched.local_world_size if launched else max(1, gpus) if devices == "auto" else devices
    if 0 < gpus < here:
        source = "torchrun started" if launched else "training.devices asks for"
        raise SightlineError(f"{source} {here} processes on this machine, which has {gpus} GPUs; each needs its own")
    ranks = launched or Ranks(0, here, 0, here)
    if ranks.world_size == 1:
        yield ranks
        return
    with ExitStack() as stack:
        if launched:
            try:
                store, _, _ = next(iter(dist.rendezvous("env://", timeout=_TIMEOUT)))
            except ValueError as error:
                reason = f"the processes cannot find each other ({error})"
                raise SightlineError(f"{reason}; start them with torchrun") from None
            ranks = replace(ranks, store=_prefixed(store, next(_trainings)))
        else:
            store = dist.TCPStore(_HOST, 0, is_master=True, wait_for_workers=False, timeout=_TIMEOUT)
            ranks = replace(ranks, store=_prefixed(store, 0))
            stack.enter_context(_workers(ranks, store.port, work, out))
        stack.enter_context(_process_group(ranks))
        yield ranks


def _prefixed(store: dist.Store, training: int) -> dist.Store:
    """The keys of this process's n-th training, and of this attempt where torchrun restarts processes."""
    return dist.PrefixStore(f"sightline/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{training}", store)


@contextmanager
def _process_group(ranks: Ranks) -> Iterator[None]:
    """In the block, the processes are connected, and each has its GPU or its share of the cores."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(max(1, available_cores() // ranks.local_world_size))
        ranks.meet()
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(ranks.local_rank)
            backend = "nccl"
        dist.init_process_group(
            backend, timeout=_TIMEOUT, store=ranks.store, rank=ranks.rank, world_size=ranks.world_size
        )
        yield
    except SightlineError as error:
        raise SightlineError(ranks.fail(str(error))) from None
    except BaseException:
        ranks.fail(f"process {ranks.rank} of this training failed; its error is printed above")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        torch.set_num_threads(threads)


@contextmanager
def _workers(ranks: Ranks, port: int, work: Callable[[], object], out: Path) -> Iterator[None]:
    """In the block, the processes of ranks 1 and on run, and are watched."""
    workers = [_start(rank, ranks.world_size, port, work) for rank in range(1, ranks.world_size)]
    ended = threading.Event()
    # A store serves one thread at a time.
    watching = replace(ranks, store=_prefixed(dist.TCPStore(_HOST, port, is_master=False), 0))
    threading.Thread(target=_watch, args=(workers, watching, out, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        for process in workers:
            process.terminate()
        for process in workers:
            try:
                process.wait(_GRACE)
            except TimeoutExpired:
                process.kill()
                process.wait()
            process.stdin.close()  # type: ignore[union-attr]


def _start(rank: int, world_size: int, port: int, work: Callable[[], object]) -> Popen[bytes]:
    environment = {
        **os.environ,
        **dict(zip(_ENVIRONMENT, map(str, (rank, world_size) * 2), strict=True)),
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": str(True),  # as under torchrun, the store exists already
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        plugins.ENVIRONMENT: os.pathsep.join(plugins.sources()),
    }
    process = Popen([sys.executable, "-W", "ignore", "-c", _WORKER], stdin=PIPE, env=environment)
    assert process.stdin is not None
    pickle.dump(work, process.stdin)
    process.stdin.flush()  # and stays open: the process ends when this one does, which closes it
    return process


def _watch(workers: Sequence[Popen[bytes]], ranks: Ranks, out: Path, ended: threading.Event) -> None:
    """Tell all processes when one was ended, and free this one where it waits for it in vain."""
    while not ended.wait(0.2):
        for rank, process in enumerate(workers, 1):
            if not (status := process.poll()):
                continue
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            ranks.fail(f"process {rank} of this training was ended from outside ({how}); {resume_advice(out)}")
            # gloo raises an error when a connection is lost; NCCL may wait for ever, until its group is aborted.
            if not ended.wait(_GRACE) and dist.group.WORLD is not None:
                with suppress(RuntimeError):  # a backend without abort
                    dist.group.WORLD.abort()
            return


def run_worker() -> None:
    """A process that `joined` started: do the work and end when rank zero does, without printing."""
    try:
        work = pickle.load(sys.stdin.buffer)
    except SightlineError as error:  # a plugin that cannot be loaded in this process
        store, _, _ = next(iter(dist.rendezvous("env://", timeout=_TIMEOUT)))
        Ranks(store=_prefixed(store, 0)).fail(str(error))
        os._exit(1)
    threading.Thread(target=_end_with_rank_zero, daemon=True).start()
    try:
        work()
    except SightlineError:  # which rank zero prints
        os._exit(1)
    os._exit(0)  # without waiting for threads and other processes


def _end_with_rank_zero() -> None:
    os.read(0, 1)
    os._exit(1)
