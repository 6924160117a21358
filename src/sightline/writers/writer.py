"""The registry of writers, and what they share: a caption's place beside its photo, and writing it whole."""

from __future__ import annotations

import errno
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from io import FileIO
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sightline.errors import SightlineError
from sightline.images.source import FileSource, ImageSource
from sightline.registry import Registry

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
EXISTING = ("skip", "append", "prepend", "overwrite")


class NothingCanBeWritten(SightlineError):
    """The disk is full, or the one file of the run cannot be written: other photos would fail as well."""


@dataclass
class Writer(ABC):
    """Writes captions in one form. Its dataclass fields are the options that it takes.

    Attributes:
        existing: what to do where there is a caption already, one of ``takes``.
        takes: which of `EXISTING` make sense for the form.
    """

    existing: str = "skip"
    takes: ClassVar[tuple[str, ...]] = EXISTING

    @abstractmethod
    def is_done(self, photo: ImageSource) -> bool:
        """Whether nothing is to be written for the photo, as a caption is there; changes nothing.

        Raises:
            SightlineError: no caption of this photo can be written in this form, or what is there cannot be read.
        """

    @abstractmethod
    def write(self, photo: ImageSource, text: str, keywords: Sequence[str] = ()) -> bool:
        """Write a photo's caption, one line; returns False where it was there already, and nothing was changed.

        ``keywords`` are words about the photo, the most probable first, for forms that have a place for them.

        Raises:
            SightlineError: it cannot be written. What was there is as it was, whole.
        """

    def close(self) -> None:  # noqa: B027  (not abstract: a form of one file a photo has nothing open)
        """Bring what was written onto the disk."""


WRITERS: Registry[type[Writer]] = Registry("form", "writers", "sightline.writers")
Made = TypeVar("Made", bound=type[Writer])


def register_writer(name: str) -> Callable[[Made], Made]:
    """Enter a dataclass that is a `Writer` as ``--write NAME``."""

    def enter(writer: Made) -> Made:
        WRITERS.add(name, writer)
        return writer

    return enter


def make_writer(name: str, options: Mapping[str, Any]) -> Writer:
    """The writer of that name with those of its options that are given; `SightlineError` if it does not take one."""
    writer = WRITERS[name]
    names = {field.name for field in fields(writer)}
    if other := [option for option in options if option not in names]:
        raise SightlineError(f"--{other[0].replace('_', '-')} is no option of --write {name}; leave it out")
    if (existing := options.get("existing", "skip")) not in writer.takes:
        raise SightlineError(f"--existing {existing} is not for --write {name}; choose from {', '.join(writer.takes)}")
    return writer(**options)


def read_options(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts -> options of the writer of that name, each of its default's type.

    Raises:
        SightlineError: the writer has no such option, or the value is of another type.
    """
    defaults = {field.name: field.default for field in fields(WRITERS[name])}
    options: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in defaults:
            raise SightlineError(f"--set {setting}: write KEY=VALUE; keys of --write {name}: {', '.join(defaults)}")
        kind: Any = type(defaults[key])
        try:
            options[key] = _SWITCH[text.lower()] if kind is bool else kind(text) if kind in (int, float) else text
        except (KeyError, ValueError):
            wanted = "true or false" if kind is bool else f"of type {kind.__name__}"
            raise SightlineError(f"--set {setting}: the value is to be {wanted}") from None
    return options


_SWITCH = {"true": True, "false": False}


def path_of(photo: ImageSource) -> Path:
    """The photo's own file, beside which its caption goes; `SightlineError` where it has none on this machine."""
    if not isinstance(photo, FileSource):
        place = "in a shard or a table" if photo.file else "at a URL"
        raise SightlineError(f"{photo.name}: a photo {place} has no place beside it; use --write json, or --out FILE")
    return Path(photo.path)


def check_folder(path: Path) -> None:
    """Raise `SightlineError` where nothing can be written beside ``path``: before a photo is captioned for nothing."""
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise SightlineError(f"{path}: cannot be written (its folder is read-only); permit it, or use --out FILE")


def replace_file(path: Path, content: bytes) -> None:
    """Make ``content`` the file at ``path``, whole or not at all, whatever ends this process.

    The temporary file beside it has a name that depends on ``path`` alone, so that one that a killed process left is
    used, and gone, at the next try. Links are followed; a file's permissions are kept.

    Raises:
        SightlineError: it cannot be written; what was there is still there.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".sightline-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}")
    try:
        with closing(_locked(temporary, path)) as file:
            try:
                file.truncate()
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                if target.exists():  # a new file that a power cut leaves empty counts as none, and is written again
                    os.fsync(file)
                with suppress(OSError):  # there is no file yet, or a network drive that has no permissions
                    temporary.chmod(target.stat().st_mode & 0o777)
                if os.name == "nt":  # which renames no file that is open
                    file.close()
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise write_error(path, error) from None


def write_error(path: Path, error: OSError) -> SightlineError:
    """Why ``path`` cannot be written, with the way out."""
    kind, advice = (NothingCanBeWritten, "make room") if error.errno in _NO_ROOM else (SightlineError, "permit it")
    return kind(f"{path}: cannot be written ({error.strerror}); {advice}, and start again")


def _locked(temporary: Path, path: Path) -> FileIO:
    """The temporary file, which no other process writes until this one closes it."""
    file = FileIO(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o666), "w")
    try:
        lock(file, temporary, path)
    except BaseException:
        file.close()
        raise
    return file


def lock(file: FileIO, opened: Path, path: Path) -> None:
    """Let no second process write the file, opened as ``opened``, until this one closes it, or ends.

    Raises:
        SightlineError: another one does; the message names ``path``.
    """
    try:
        import fcntl
    except ImportError:  # not POSIX
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_free = opened.exists() and os.path.samestat(os.fstat(file.fileno()), opened.stat())
    except BlockingIOError:
        is_free = False
    except OSError:  # a file system without locks
        return
    if not is_free:  # it is being written, or was renamed in the meantime
        raise SightlineError(f"{path}: another process is writing it; wait for that, and try again")
