"""Worker threads that take one item at a time, or a few together where more items wait than there are cores."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Kind = TypeVar("Kind", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[Kind, Item, Result]):
    """A thread for each of ``cores``. None waits for a second item: an item that comes alone is begun at once.

    Args:
        cores: how many calls of ``work`` run at the same time.
        work: takes a kind and one item or several of that kind, returns their results in the same order.
        at_once: the most items that one call takes.
    """

    def __init__(self, cores: int, work: Callable[[Kind, Sequence[Item]], Sequence[Result]], at_once: int = 1) -> None:
        self._cores, self._work, self._at_once = cores, work, at_once
        self._pool = ThreadPoolExecutor(cores, "caption", _lower_priority)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Kind, Item, Future[Result]]] = deque()

    def submit(self, kind: Kind, item: Item) -> Future[Result]:
        """The future result; cancelling it before its work has begun removes it from the queue."""
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.append((kind, item, future))
        self._pool.submit(self._take_and_work)
        return future

    def _take_and_work(self) -> None:
        jobs: list[tuple[Kind, Item, Future[Result]]] = []
        with self._lock:
            while self._waiting and len(jobs) < self._at_once:
                if jobs and (self._waiting[0][0] != jobs[0][0] or len(self._waiting) <= self._cores):
                    break  # leave it to a free core: the first answer would wait for the others
                job = self._waiting.popleft()
                if job[2].set_running_or_notify_cancel():
                    jobs.append(job)
        if not jobs:
            return  # cancelled, or another thread took this item together with its own
        kinds, items, futures = zip(*jobs, strict=True)
        try:
            for future, result in zip(futures, self._work(kinds[0], items), strict=True):
                future.set_result(result)
        except BaseException as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)


def _lower_priority() -> None:
    """Let the event loop's thread run first, on Linux: its work is short, and clients wait for it."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + 5)
