"""Where a photo's bytes are: a file, a member of a tar shard, a cell of a Parquet table, a URL.

An `ImageSource` is small, hashable and can be pickled; its bytes are read when the photo is opened. No read takes more
than `MAX_BYTES`.
"""

from __future__ import annotations

import errno
import functools
import os
import tarfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# A larger shard member, table cell or download is refused: bytes of a stranger's must not fill the memory.
MAX_BYTES = 256_000_000
TOO_LARGE = f"larger than {MAX_BYTES // 1_000_000} MB, the limit for one photo; save it smaller, as a file of its own"

_AT_ONCE = 1 << 23  # bytes that are asked of a network at once
_MAX_HEADER = 1 << 20  # bytes of a tar member's long name or extended header
_PYARROW = ("s3", "gs", "gcs", "hdfs", "abfs", "abfss")  # pyarrow reaches these; fsspec needs a package more for each


@dataclass(frozen=True, slots=True)
class ImageSource(ABC):
    """Where a photo's bytes are.

    Attributes:
        path: the path or URL of the file that holds it: the photo's own, or that of a shard or a table.
    """

    path: str

    @property
    def name(self) -> str:
        """The photo's name, for people and in errors."""
        return self.path

    @property
    def file(self) -> str:
        """The local file that holds it; ``""`` if that is remote."""
        return "" if is_remote(self.path) else self.path

    @abstractmethod
    def read(self) -> bytes:
        """The photo's bytes; `OSError` where they cannot be read, or are more than `MAX_BYTES`."""

    def size(self) -> int | None:
        """The number of bytes; None where only reading them would tell. Raises `OSError`."""
        return None

    def stamp(self) -> str:
        """A line that changes when the bytes may have: path, size, time of change. Raises `OSError`."""
        if not self.file:
            return self.path
        status = os.stat(self.path)  # noqa: PTH116
        return f"{os.path.abspath(self.path)} {status.st_size} {status.st_mtime_ns}"  # noqa: PTH100


@dataclass(frozen=True, slots=True)
class FileSource(ImageSource):
    """A file of its own; like a path, it may be given to whatever opens files."""

    def __fspath__(self) -> str:
        return self.path

    def read(self) -> bytes:
        with open(self.path, "rb") as file:  # noqa: PTH123
            return file.read()

    def size(self) -> int:
        return os.stat(self.path).st_size  # noqa: PTH116


@dataclass(frozen=True, slots=True)
class TarSource(ImageSource):
    """A member of an uncompressed local tar file (a WebDataset shard), read by its position.

    Attributes:
        member: the member's name.
        offset, length: where in the tar file its bytes begin, and how many they are.
    """

    member: str
    offset: int
    length: int

    @property
    def name(self) -> str:
        """``shard.tar/member.jpg``."""
        return f"{self.path}/{self.member}"

    def read(self) -> bytes:
        if self.length > MAX_BYTES:
            raise OSError(errno.EFBIG, TOO_LARGE)
        with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123
            file.seek(self.offset)
            content = file.read(self.length)
        if len(content) < self.length:
            raise OSError(errno.EIO, "the shard is cut off before its end")
        return content

    def size(self) -> int:
        return self.length

    def stamp(self) -> str:
        return f"{ImageSource.stamp(self)} {self.offset} {self.length}"


@dataclass(frozen=True, slots=True)
class TarStreamSource(ImageSource):
    """A member of a tar file that is compressed or remote, which can only be read from its beginning.

    `sightline.images.containers.loaded` reads all members of one in a single pass.

    Attributes:
        member: the member's name.
        number: its number among the tar file's members, from 0.
        length: its number of bytes.
    """

    member: str
    number: int
    length: int

    @property
    def name(self) -> str:
        """``shard.tar.gz/member.jpg``."""
        return f"{self.path}/{self.member}"

    def read(self) -> bytes:
        with _as_os_error(self.path), open_tar(self.path, "r|*") as tar:
            member = next(islice(iter(lambda: next_member(tar), None), self.number, None), None)
            if member is None or member.name != self.member:
                raise OSError(errno.EIO, "the shard has changed")
            return read_member(tar, member)

    def size(self) -> int:
        return self.length

    def stamp(self) -> str:
        return f"{ImageSource.stamp(self)} {self.number}"


@dataclass(frozen=True, slots=True)
class ParquetSource(ImageSource):
    """A cell of a Parquet file that holds an image file's bytes, bare or, as Hugging Face has them, as ``bytes``.

    Attributes:
        column: the column's name.
        row: counted from 0 over the whole file.
    """

    column: str
    row: int

    @property
    def name(self) -> str:
        """``table.parquet#row``."""
        return f"{self.path}#{self.row}"

    def read(self) -> bytes:
        """The cell's bytes; with its row group, which is kept for the rows that follow."""
        with _as_os_error(self.path):
            time = os.stat(self.path).st_mtime_ns if self.file else 0  # noqa: PTH116
            with _reading.setdefault(os.getpid(), threading.Lock()):
                group, row = _row_group(self.path, time, self.row)
                cells = _cells(self.path, time, group, self.column)
            return cell_bytes(cells[row].as_py())

    def stamp(self) -> str:
        return f"{ImageSource.stamp(self)} {self.column} {self.row}"


@dataclass(frozen=True, slots=True)
class UrlSource(ImageSource):
    """What pyarrow or fsspec find at a URL, such as ``s3://bucket/photo.jpg``, ``https://``; taken not to change."""

    def read(self) -> bytes:
        with _as_os_error(self.path), open_binary(self.path) as file:
            return read_bounded(file)


@dataclass(frozen=True, slots=True)
class BrokenSource(ImageSource):
    """A photo, or a shard or table of photos, that is known to be unreadable, in the place of its photos.

    Attributes:
        reason: what is wrong with it, and the way out.
    """

    reason: str

    def read(self) -> bytes:
        raise SightlineError(self.message)

    def stamp(self) -> str:
        return self.path

    @property
    def message(self) -> str:
        """Name and reason."""
        return f"{self.path}: {self.reason}"


def name_of(photo: Any) -> str:
    """The name of a photo that is a path, an `ImageSource` or an open file."""
    return os.fspath(photo) if isinstance(photo, str | os.PathLike) else str(photo.name)


def is_remote(name: str) -> bool:
    """Whether a name is a URL, rather than a path on this machine."""
    return "://" in name


def file_system(place: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a path or URL, and the path in it; raises what pyarrow and fsspec raise."""
    scheme, _, path = place.partition("://") if is_remote(place) else ("file", "", place)
    system = _file_system(scheme.lower(), path.partition("/")[0])
    return system, path if scheme.lower() in _PYARROW else system._strip_protocol(place)


def open_binary(place: str) -> IO[bytes]:
    """Open a path or URL to read; raises what pyarrow and fsspec raise."""
    if not is_remote(place):
        return open(place, "rb")  # noqa: PTH123
    system, path = file_system(place)
    return system.open(path, "rb")


def read_bounded(file: IO[bytes]) -> bytes:
    """All of an open file; `OSError` where that is more than `MAX_BYTES`."""
    content = bytearray()
    while part := file.read(_AT_ONCE):
        content += part
        if len(content) > MAX_BYTES:
            raise OSError(errno.EFBIG, TOO_LARGE)
    return bytes(content)


def cell_bytes(value: object) -> bytes:
    """The image file's bytes of a Parquet cell; `OSError` where it holds none, or more than `MAX_BYTES`."""
    value = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(value, bytes) or not value:
        raise OSError(errno.EIO, "the cell holds no image file's bytes")
    if len(value) > MAX_BYTES:
        raise OSError(errno.EFBIG, TOO_LARGE)
    return value


class _BoundedHeader(tarfile.TarInfo):
    """Refuses long names and extended headers of unbounded size, which tarfile would read into memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
        member = super().frombuf(buf, encoding, errors)
        if not (member.isreg() or member.isdir()) and member.size > _MAX_HEADER:
            raise OSError(errno.EFBIG, f"a header of {member.size:,} bytes")
        return member


@contextmanager
def open_tar(shard: str, mode: str) -> Iterator[tarfile.TarFile]:
    """A tar file at a path or URL; ``mode`` ``"r:"`` seeks, ``"r|*"`` decompresses and only goes forward."""
    with (
        open_binary(shard) as file,
        tarfile.open(fileobj=file, mode=mode, bufsize=1 << 20, tarinfo=_BoundedHeader) as tar,  # type: ignore[call-overload]
    ):
        yield tar


def next_member(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next member; None at the end."""
    tar.members.clear()  # type: ignore[attr-defined]  # it would keep a million headers
    return tar.next()


def read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """A member's bytes; `OSError` where they are more than `MAX_BYTES`."""
    if member.size > MAX_BYTES:
        raise OSError(errno.EFBIG, TOO_LARGE)
    content = tar.extractfile(member)
    assert content is not None  # of a file
    return content.read()


@contextmanager
def naming_errors(place: str) -> Iterator[None]:
    """What pyarrow, fsspec and what they load raise in the block becomes a `SightlineError` that names ``place``."""
    try:
        with _as_os_error(place):
            yield
    except FileNotFoundError:
        raise SightlineError(f"{place}: no such file") from None
    except OSError as error:
        raise SightlineError(f"{place}: cannot be read ({error.strerror})") from None


@contextmanager
def _as_os_error(place: str) -> Iterator[None]:
    """Whatever libraries raise in the block leaves it as an `OSError` with the reason."""
    try:
        yield
    except ImportError as error:
        reason = f"no {error.name}: pip install fsspec, and what reads {place.partition('://')[0]}://"
        if error.name and error.name.startswith("pyarrow"):
            reason = 'Parquet needs pyarrow: pip install "sightline[parquet]"'
        raise OSError(errno.EIO, reason) from None
    except Exception as error:
        # Over HTTP, fsspec calls every failure a missing file, and keeps the reason as the cause.
        missing, cause = isinstance(error, FileNotFoundError), error.__cause__ or error
        if isinstance(error, SightlineError) or (missing and isinstance(cause, FileNotFoundError)):
            raise
        text = cause.strerror if isinstance(cause, OSError) else None
        raise OSError(errno.EIO, text or " ".join(str(cause).split()) or type(cause).__name__) from None


@functools.cache
def _file_system(scheme: str, bucket: str) -> AbstractFileSystem:
    """One connection a process to each bucket."""
    if scheme in _PYARROW:
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow.fs import FileSystem

        return ArrowFSWrapper(FileSystem.from_uri(f"{scheme}://{bucket}")[0])
    import fsspec

    if scheme != "https":
        return fsspec.filesystem(scheme)
    from aiohttp import TraceConfig

    redirects = TraceConfig()
    redirects.on_request_redirect.append(_refuse_other_schemes)
    return fsspec.filesystem(scheme, client_kwargs={"trace_configs": [redirects]})


async def _refuse_other_schemes(session: object, context: object, redirect: Any) -> None:
    """A stranger's https URL must not lead to an http address inside the network."""
    from yarl import URL

    headers = redirect.response.headers
    scheme = URL(headers.get("Location") or headers.get("URI", "")).scheme
    if scheme not in ("", "https"):
        raise OSError(errno.EACCES, f"redirected from https to {scheme}")


# Two threads must not read one `ParquetFile` at once. There is a lock for each process: a forked child must not wait
# for a lock that a thread of its parent held.
_reading: dict[int, threading.Lock] = {}


@functools.lru_cache(maxsize=8)
def _parquet(table: str, time: int) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(open_binary(table) if is_remote(table) else table)


def _row_group(table: str, time: int, row: int) -> tuple[int, int]:
    """The row group that holds a row, and the row's number in it."""
    metadata = _parquet(table, time).metadata
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < rows:
            return group, row
        row -= rows
    raise OSError(errno.EIO, "the table has fewer rows")


@functools.lru_cache(maxsize=4)
def _cells(table: str, time: int, group: int, column: str) -> Any:
    file = _parquet(table, time)
    refuse_large_rows(file.metadata.row_group(group), column)
    return file.read_row_group(group, columns=[column]).column(0)


def refuse_large_rows(group: Any, column: str) -> None:
    """`OSError` where a row group's rows have more than `MAX_BYTES` each of a column, on average, by its metadata."""
    chunks = [group.column(index) for index in range(group.num_columns)]
    size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] == column)
    if size > MAX_BYTES * max(group.num_rows, 1):
        raise OSError(errno.EFBIG, TOO_LARGE)
