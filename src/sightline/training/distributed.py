"""Several processes that train one model: those that torchrun started, or those that this one starts."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Literal

import torch
import torch.distributed as dist

from sightline.errors import SightlineError
from sightline.sessions import available_cores
from sightline.training.interruption import way_on
from sightline.training.ranks import Ranks, told_ranks

_HOST = "127.0.0.1"
# A share of a large dataset's features may take long. That a process died is noticed at once, and not by this.
_PATIENCE = timedelta(hours=12)
# Seconds in which a process notices that another has gone, and ends.
_GRACE = 30
# Ctrl-C reaches all processes at once, and rank zero answers it.
_TAKE_PART = f"""
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from {__name__} import take_part
take_part()
"""

_trainings = count()


@contextmanager
def joined(devices: int | Literal["auto"], arguments: Mapping[str, Any]) -> Iterator[Ranks]:
    """In the block, this process trains together with the others, if there are to be any; gives its `Ranks`.

    Devices and machines are those of the environment, where torchrun or its like set one. Otherwise this process is
    rank zero and starts one more for each further device: they call `train` with ``arguments``, and end with it.

    Raises:
        SightlineError: there are not so many devices; or another process failed: what that one had to say.
    """
    told = told_ranks()
    here = told.local_world_size if told else _devices(devices)
    if 0 < (gpus := torch.cuda.device_count()) < here:
        asked = "torchrun started" if told else "training.devices asks for"
        raise SightlineError(f"{asked} {here} processes on this machine, which has {gpus} GPUs; each needs its own")
    ranks = told or Ranks(0, here, 0, here)
    if ranks.world_size == 1:
        yield ranks
        return
    with ExitStack() as stack:
        if told:
            ranks = replace(ranks, store=_ours(_told_store(), next(_trainings)))
        else:
            store = dist.TCPStore(_HOST, 0, is_master=True, wait_for_workers=False, timeout=_PATIENCE)
            ranks = replace(ranks, store=_ours(store, 0))
            stack.enter_context(_others(ranks, store.port, arguments))
        stack.enter_context(_share_of_threads(ranks))
        stack.enter_context(_in_one_group(ranks))
        yield ranks


def _told_store() -> dist.Store:
    try:
        store, _, _ = next(iter(dist.rendezvous("env://", timeout=_PATIENCE)))
    except ValueError as error:
        raise SightlineError(f"the processes cannot find each other ({error}); start them with torchrun") from None
    return store


def _ours(store: dist.Store, training: int) -> dist.Store:
    """The part of a store that is this process's n-th training's, and this attempt's where torchrun tries again."""
    return dist.PrefixStore(f"sightline/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{training}", store)


def _devices(asked: int | Literal["auto"]) -> int:
    return max(1, torch.cuda.device_count()) if asked == "auto" else asked


@contextmanager
def _in_one_group(ranks: Ranks) -> Iterator[None]:
    try:
        ranks.meet()
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(ranks.local_rank)
            backend = "nccl"
        place = {"store": ranks.store, "rank": ranks.rank, "world_size": ranks.world_size}
        dist.init_process_group(backend, timeout=_PATIENCE, **place)  # type: ignore[arg-type]
        yield
    except SightlineError as error:
        raise SightlineError(ranks.fail(str(error))) from None
    except BaseException:
        ranks.fail(f"process {ranks.rank} of this training failed; what it had to say stands above")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def _share_of_threads(ranks: Ranks) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, available_cores() // ranks.local_world_size))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _others(ranks: Ranks, port: int, arguments: Mapping[str, Any]) -> Iterator[None]:
    """In the block, the processes of ranks 1 and on run, and are watched."""
    started = [_start(rank, ranks.world_size, port, arguments) for rank in range(1, ranks.world_size)]
    ended = threading.Event()
    # A store serves one thread at a time.
    watched = replace(ranks, store=_ours(dist.TCPStore(_HOST, port, is_master=False), 0))
    threading.Thread(target=_watch, args=(started, watched, arguments["out"], ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(_GRACE)
            except TimeoutExpired:
                process.kill()
                process.wait()
            process.stdin.close()  # type: ignore[union-attr]


def _start(rank: int, world_size: int, port: int, arguments: Mapping[str, Any]) -> Popen[bytes]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "LOCAL_WORLD_SIZE": world_size}
    environment = {
        **os.environ,
        **{name: str(value) for name, value in place.items()},
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": str(True),  # as under torchrun, the store is there before rank zero asks
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    process = Popen([sys.executable, "-W", "ignore", "-c", _TAKE_PART], stdin=PIPE, env=environment)
    assert process.stdin is not None
    pickle.dump(dict(arguments), process.stdin)
    process.stdin.flush()  # and left open: that it closes tells the process that this one has gone
    return process


def _watch(started: Sequence[Popen[bytes]], ranks: Ranks, out: Path, ended: threading.Event) -> None:
    """Tell all when a process was ended, and end this one where it waits for that in vain."""
    while not ended.wait(0.2):
        for rank, process in enumerate(started, 1):
            if not (status := process.poll()):
                continue
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            reason = ranks.fail(f"process {rank} of this training was ended from outside ({how}); {way_on(out)}")
            if not ended.wait(_GRACE):
                print(f"sightline: {reason}", file=sys.stderr, flush=True)
                os._exit(1)
            return


def take_part() -> None:
    """What a process does that `joined` started: train, in silence, and end when rank zero does."""
    from sightline.training.train import train

    arguments = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_rank_zero, daemon=True).start()
    try:
        train(**arguments)
    except SightlineError:  # which rank zero says
        os._exit(1)
    os._exit(0)  # whatever else would still end first


def _end_with_rank_zero() -> None:
    os.read(0, 1)
    os._exit(1)
