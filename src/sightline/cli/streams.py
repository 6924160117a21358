"""All that verbs print: results on stdout, everything else on stderr, whatever the two are connected to."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import click

from sightline.cli import interruptions
from sightline.errors import SightlineError, printable

_BAR_WIDTH = 40
_SECONDS_BETWEEN = 0.1

_silent = False


def prepare() -> None:
    """Make the three streams usable: to be called first, as what is opened before could take a closed one's place."""
    global _silent
    _silent = False
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
    codecs.register_error("as_given", _encode_as_given)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open()  # noqa: SIM115  (opened for reading: who writes to it is told)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        raw, encoding = sys.stdout.buffer, sys.stdout.encoding
        if isinstance(raw, io.RawIOBase):  # PYTHONUNBUFFERED: what does not go out at once would be lost
            sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding, line_buffering=True)
        sys.stdout.reconfigure(errors="as_given")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def silence() -> None:
    """Print nothing more: another process speaks for this one."""
    global _silent
    _silent = True


def put(*lines: str) -> None:
    """Print a result's lines to stdout and flush, so that an interruption loses nothing and no reader has to wait.

    A terminal is shown what it would obey as an escape; a file or a pipe gets the lines as they are. Raises
    `SightlineError` where they cannot be written, `Exit` where the reader has left, which is no failure to talk about.
    """
    if _silent:
        return
    _line.clear()
    shown = map(printable, lines) if sys.stdout.isatty() else lines
    try:
        with interruptions.held():
            sys.stdout.write("".join(f"{line}\n" for line in shown))
            sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise click.exceptions.Exit(1) from None
    except OSError as error:
        _abandon(sys.stdout)
        reason = error.strerror or "it is closed"
        raise SightlineError(f"stdout cannot be written to ({reason}); send it elsewhere: > FILE") from None


def remark(*lines: str) -> None:
    """Print lines to stderr, what a terminal would obey as an escape; where that fails, nobody wanted to know."""
    if _silent:
        return
    _line.clear()
    try:
        print(*map(printable, lines), sep="\n", file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


def complain(reason: object) -> None:
    """Tell on stderr, in one line, what is wrong."""
    remark(f"sightline: {reason}")


def stdout_may_share_the_terminal() -> bool:
    """Whether stdout's lines may reach the terminal that shows stderr: at once, or through a pipe at any time."""
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return sys.stdout.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class ProgressLine:
    """A line on stderr that is written over and over, so that stdout holds the result alone; empty if not ``shown``."""

    def __init__(self, what: str, shown: bool):
        self._what, self._shown = what, shown
        self._width = 0
        self._started = time.monotonic()
        self._next = self._started

    def __call__(self, done: int, total: int | None) -> None:
        """Show how many are done, of how many (None: not known)."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN
        text = f"{self._what} {done}"
        if total:
            filled = "#" * (_BAR_WIDTH * done // total)
            elapsed = now - self._started
            left = timedelta(seconds=round(elapsed * (total - done) / done)) if done else "-:--:--"
            rate = f", {done / elapsed:,.1f}/s" if done and elapsed else ""
            text = f"{self._what} [{filled:-<{_BAR_WIDTH}}] {done}/{total} {left}{rate}"
        # A line that reached the terminal's edge would wrap, and could not be written over.
        text = text[: shutil.get_terminal_size().columns - 1]
        _draw(f"\r{text:<{self._width}}")
        self._width = len(text)

    def clear(self) -> None:
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
        _line.clear()


def _draw(text: str) -> None:
    with suppress(OSError):  # a terminal that has gone ends no work
        print(text, end="", file=sys.stderr, flush=True)


def _abandon(stream: TextIO) -> None:
    """What it still holds would fail again when Python ends, and change the exit status: let it go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _encode_as_given(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of a file name that are no text go out as they came in; what an encoding lacks, as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return character.encode("unicode_escape").decode(), error.start + 1
