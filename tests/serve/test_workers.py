import os
import sys
import threading
from concurrent.futures import wait

import pytest

pytest.importorskip("fastapi", reason="the service is not installed: pip install '.[serve,dev]'")

from sightline.serve.workers import Workers


class Held:
    """Work that waits to be let go, and keeps what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, kind, items):
        self.calls.append((kind, list(items)))
        self.begun.release()
        assert self.go.wait(10)
        if -1 in items:
            raise ValueError("one of them is bad")
        return [f"{kind} {item}" for item in items]

    def started(self, times: int) -> None:
        for _ in range(times):
            assert self.begun.acquire(timeout=10)


def test_what_a_core_can_begin_with_is_left_to_it():
    work = Held()
    workers = Workers(2, work)
    first = [workers.submit("a", item) for item in (1, 2)]
    work.started(2)
    assert sorted(work.calls) == [("a", [1]), ("a", [2])]
    work.go.set()
    assert [future.result(10) for future in first] == ["a 1", "a 2"]


def test_what_waits_is_taken_together_if_of_a_kind_and_not_cancelled():
    work = Held()
    workers = Workers(1, work, at_once=3)
    futures = [workers.submit("a", 1)]
    work.started(1)
    waiting = [*(("a", item) for item in (2, 3, 4, 7, 8)), ("b", 5), ("b", -1)]
    futures += [workers.submit(kind, item) for kind, item in waiting]
    assert futures[2].cancel() and not futures[0].cancel()
    work.go.set()
    wait(futures, timeout=10)
    assert work.calls == [("a", [1]), ("a", [2, 4, 7]), ("a", [8]), ("b", [5]), ("b", [-1])]
    assert [futures[number].result(0) for number in (0, 1, 3, 4, 5, 6)] == ["a 1", "a 2", "a 4", "a 7", "a 8", "b 5"]
    with pytest.raises(ValueError, match="one of them"):
        futures[7].result(0)
    assert workers.submit("c", 6).result(10) == "c 6"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_captioning_gives_way_to_the_thread_that_answers():
    def niceness(kind, items):
        return [os.getpriority(os.PRIO_PROCESS, 0) for _ in items]

    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert Workers(1, niceness).submit("any", 0).result(10) == min(before + 5, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
