"""Where a photo's bytes are: in a file, a shard, a table's cell, at a URL. Whatever opens photos takes any of these.

An `ImageSource` is small and can be compared, hashed and sent to another process; the photo is read when asked for.
"""

from __future__ import annotations

import errno
import functools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class ImageSource(ABC):
    """Where a photo's bytes are.

    Attributes:
        name: the place as people and errors call it.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """See the class."""

    @abstractmethod
    def read(self) -> bytes:
        """The photo's bytes; `OSError` where they cannot be had."""

    @abstractmethod
    def size(self) -> int | None:
        """How many bytes these are, without reading them, or None where not even that is known; `OSError` likewise."""

    @abstractmethod
    def stamp(self) -> str:
        """A line that changes where the bytes may have: place, size, time; `OSError` likewise."""


@dataclass(frozen=True, slots=True)
class FileSource(ImageSource):
    """A file of its own; like a path, it may be given to whatever opens files."""

    path: str

    def __fspath__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        """Its path."""
        return self.path

    def read(self) -> bytes:
        """All of the file."""
        with open(self.path, "rb") as file:  # noqa: PTH123
            return file.read()

    def size(self) -> int:
        """The size in the file system."""
        return os.stat(self.path).st_size  # noqa: PTH116

    def stamp(self) -> str:
        """Its absolute path, size, and time of change."""
        return _stamp(self.path)


@dataclass(frozen=True, slots=True)
class TarSource(ImageSource):
    """A part of an uncompressed tar file, a shard, read by its position without a look at what lies before.

    Attributes:
        shard: the tar file's path.
        member: what the photo is called in there.
        offset, length: where in the tar file its bytes begin, and how many they are.
    """

    shard: str
    member: str
    offset: int
    length: int

    @property
    def name(self) -> str:
        """``shard.tar: member``."""
        return f"{self.shard}: {self.member}"

    def read(self) -> bytes:
        """So many bytes from there."""
        with open(self.shard, "rb", buffering=0) as file:  # noqa: PTH123
            file.seek(self.offset)
            content = file.read(self.length)
        if len(content) < self.length:
            raise OSError(errno.EIO, "the shard is cut off before its end")
        return content

    def size(self) -> int:
        """As the shard's index has it."""
        return self.length

    def stamp(self) -> str:
        """The shard's stamp, and the place in it."""
        return f"{_stamp(self.shard)} {self.offset} {self.length}"


@dataclass(frozen=True, slots=True)
class ParquetSource(ImageSource):
    """A cell of a Parquet file that holds an image file's bytes, bare or, as Hugging Face has them, as ``bytes``.

    Attributes:
        table: the Parquet file's path.
        column: the column's name.
        row: counted from 0 over the whole file.
    """

    table: str
    column: str
    row: int

    @property
    def name(self) -> str:
        """``table.parquet: column[row]``."""
        return f"{self.table}: {self.column}[{self.row}]"

    def read(self) -> bytes:
        """The cell's bytes; with its row group, which is kept for the rows that follow."""
        with _as_os_error("pip install pyarrow to read Parquet files"):
            time = os.stat(self.table).st_mtime_ns  # noqa: PTH116
            with _reading:
                group, row = _row_group(self.table, time, self.row)
                cells = _cells(self.table, time, group, self.column)
            value = cells[row].as_py()
        value = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(value, bytes):
            raise OSError(errno.EIO, "the cell holds no image file's bytes")
        return value

    def size(self) -> None:
        """Not known without reading the cell."""

    def stamp(self) -> str:
        """The table's stamp, and the place in it."""
        return f"{_stamp(self.table)} {self.column} {self.row}"


@dataclass(frozen=True, slots=True)
class UrlSource(ImageSource):
    """What fsspec finds at a URL, such as ``s3://bucket/photo.jpg``, ``gs://``, ``https://``; taken not to change."""

    url: str

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    def read(self) -> bytes:
        """All that is there."""
        with _as_os_error(f"pip install fsspec, and what reads {self.url.partition('://')[0]}://"):
            import fsspec

            with fsspec.open(self.url, "rb") as file:
                return bytes(file.read())

    def size(self) -> None:
        """Not known: to ask for a million photos' sizes over a network would take hours."""

    def stamp(self) -> str:
        """The URL."""
        return self.url


@contextmanager
def _as_os_error(where_lacking: str) -> Iterator[None]:
    """Whatever libraries raise in the block leaves it as an `OSError` that says why."""
    try:
        yield
    except ImportError:
        raise OSError(errno.EIO, where_lacking) from None
    except FileNotFoundError:
        raise
    except Exception as error:
        said = error.strerror if isinstance(error, OSError) else None
        reason = said or next(iter(str(error).splitlines()), type(error).__name__)
        raise OSError(errno.EIO, reason) from None


def _stamp(path: str) -> str:
    found = os.stat(path)  # noqa: PTH116
    return f"{os.path.abspath(path)} {found.st_size} {found.st_mtime_ns}"  # noqa: PTH100


# A `ParquetFile` is not to be read by two threads at once.
_reading = threading.Lock()


def _read_anew() -> None:
    """A fork while another thread was reading would leave the child a lock that nobody opens."""
    global _reading
    _reading = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_read_anew)


@functools.lru_cache(maxsize=8)
def _parquet(table: str, time: int) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(table)


def _row_group(table: str, time: int, row: int) -> tuple[int, int]:
    """The row group that holds a row, and the row's place in it."""
    metadata = _parquet(table, time).metadata
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < rows:
            return group, row
        row -= rows
    raise OSError(errno.EIO, "the table has fewer rows")


@functools.lru_cache(maxsize=4)
def _cells(table: str, time: int, group: int, column: str) -> Any:
    return _parquet(table, time).read_row_group(group, columns=[column]).column(0)
