"""All that verbs print: results on stdout, everything else on stderr, whatever the two are connected to."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from sightline.cli import interruptions, progress
from sightline.errors import SightlineError, printable

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

    A terminal is shown what it would obey as an escape; a file or a pipe gets the lines as they are.

    Raises:
        SightlineError: they cannot be written.
        click.exceptions.Exit: the reader has left, which is no failure to talk about.
    """
    if _silent:
        return
    progress.clear()
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
    progress.clear()
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
