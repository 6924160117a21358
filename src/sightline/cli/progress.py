"""Progress on stderr, so that stdout holds the result alone."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
            took = now - self._started
            left = timedelta(seconds=round(took * (total - done) / done)) if done else "-:--:--"
            rate = f", {done / took:,.1f}/s" if done and took else ""
            text = f"{self._what} [{filled:-<{_BAR_WIDTH}}] {done}/{total} {left}{rate}"
        # A line that reached the terminal's edge would wrap, and could not be written over.
        text = text[: shutil.get_terminal_size().columns - 1]
        _draw(f"\r{text:<{self._width}}")
        self._width = len(text)

    def clear(self) -> None:
        """Leave an empty line, for something else to be printed on."""
        if self._width:
            _draw(f"\r{'':<{self._width}}\r")
        self._width = 0


_line = ProgressLine("", shown=False)


@contextmanager
def progress(what: str, shown: bool = True) -> Iterator[ProgressLine]:
    """A progress line for as long as something takes; none where stderr is no terminal."""
    global _line
    _line = ProgressLine(what, shown and sys.stderr.isatty())
    try:
        _line(0, None)
        yield _line
    finally:
        clear()


def clear() -> None:
    """Leave an empty line in place of the progress line, if there is one."""
    _line.clear()


def _draw(text: str) -> None:
    with suppress(OSError):  # a terminal that has gone ends no work
        print(text, end="", file=sys.stderr, flush=True)
