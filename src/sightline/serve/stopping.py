"""Between the signal to stop and the end: answer what was taken, refuse the rest, and only then close the port."""

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
    """While this lasts, the first signal stops the service, and reaches the server when nothing is left to answer.

    Uvicorn alone would close the port at once: clients that connected a moment earlier would be cut off without an
    answer, and new ones could not tell a service that is stopping from one that is broken. A second signal reaches it
    at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    loop = asyncio.get_running_loop()
    waiting: set[asyncio.Future[None]] = set()  # the loop itself would let go of them
    servers: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}

    async def pass_on(number: int, frame: FrameType | None) -> None:
        while service.busy:
            await asyncio.sleep(_SECONDS_BETWEEN)
        _call(servers[number], number, frame)

    def stop(number: int, frame: FrameType | None) -> None:
        if service.stopping:
            _call(servers[number], number, frame)
            return
        service.stop()
        loop.call_soon_threadsafe(lambda: waiting.add(asyncio.ensure_future(pass_on(number, frame))))

    for known in _SIGNALS:
        signal.signal(known, stop)
    try:
        yield
    finally:
        for known in _SIGNALS:
            signal.signal(known, servers[known])


def _call(handler: object, number: int, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
