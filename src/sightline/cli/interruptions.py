"""Ctrl-C, and all else that asks the command to end: one way out for all, and never in the middle of a line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ASKING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_number: int | None = None
_held = _waiting = False


def exit_status() -> int | None:
    """What to exit with if the process was asked to end: 130 for Ctrl-C, 143 for SIGTERM; None if it was not."""
    return None if _number is None else 128 + _number


@contextmanager
def raised() -> Iterator[None]:
    """In the block, a signal that asks the process to end, unless ignored as by nohup, raises `KeyboardInterrupt`."""
    global _number
    _number, before = None, dict[int, Callable[[int, FrameType | None], Any] | int | None]()
    if threading.current_thread() is threading.main_thread():  # the only one that may set handlers
        before = {number: signal.getsignal(number) for number in _ASKING}
        for number, handler in before.items():
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """An interruption in the block waits for its end; a second one does not, as the block may be stuck."""
    global _held, _waiting
    _held, _waiting = True, False
    try:
        yield
    finally:
        _held = False
    if _waiting:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _number, _waiting
    _number = number
    if _held and not _waiting:
        _waiting = True
    else:
        raise KeyboardInterrupt
