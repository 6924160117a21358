"""Progress on stderr, so that stdout holds the result alone."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

_BAR_WIDTH = 40
_SECONDS_BETWEEN = 0.1


class ProgressLine:
    """A line on stderr that is written over and over; none where it is not ``shown``."""

    def __init__(self, what: str, shown: bool):
        self._what, self._shown = what, shown
        self._width = 0
        self._started = time.monotonic()
        self._next = self._started

    def __call__(self, done: int, total: int | None) -> None:
        """Tell how many are done, of how many (None: nobody knows)."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN
        text = f"{self._what} {done}"
        if total:
            filled = "#" * (_BAR_WIDTH * done // total)
            left = timedelta(seconds=round((now - self._started) * (total - done) / done)) if done else "-:--:--"
            text = f"{self._what} [{filled:-<{_BAR_WIDTH}}] {done}/{total} {left}"
        # A line that reached the terminal's edge would wrap, and could not be written over.
        text = text[: shutil.get_terminal_size().columns - 1]
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def clear(self) -> None:
        """Leave an empty line, for something else to be printed on."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
        self._width = 0


@contextmanager
def progress(what: str, shown: bool = True) -> Iterator[ProgressLine]:
    """A progress line for as long as something takes; none where stderr is no terminal."""
    line = ProgressLine(what, shown and sys.stderr.isatty())
    try:
        line(0, None)
        yield line
    finally:
        line.clear()
