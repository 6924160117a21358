"""Graceful shutdown: on a signal, refuse new requests, answer those accepted, and only then close the port."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sightline.serve.service import CaptionService

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SECONDS_BETWEEN = 0.02


@contextmanager
def finish_before_exit(service: CaptionService) -> Iterator[None]:
    """Within this block the first signal stops the service, and is passed on to uvicorn once every request is answered.

    Uvicorn alone would close the port at once: clients that connected a moment earlier would get no answer, and new
    ones could not tell a stopping service from a broken one. A second signal is passed on at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Future[None]] = set()  # the loop itself keeps weak references only
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}

    async def pass_on(number: int, frame: FrameType | None) -> None:
        while service.busy:
            await asyncio.sleep(_SECONDS_BETWEEN)
        _call(handlers[number], number, frame)

    def stop(number: int, frame: FrameType | None) -> None:
        if service.stopping:
            _call(handlers[number], number, frame)
            return
        service.stop()
        loop.call_soon_threadsafe(lambda: tasks.add(asyncio.ensure_future(pass_on(number, frame))))

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, handlers[number])


def _call(handler: object, number: int, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
