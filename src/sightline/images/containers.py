"""Tar shards and Parquet tables as photos: listed without their bytes, or read from beginning to end.

What is wrong with a shard or a table is a `BrokenSource` in the place of its photos.
"""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, groupby
from typing import Any, TypeAlias, TypeVar

from sightline.errors import SightlineError
from sightline.images.columns import PHOTO_NAMES, find_column, plain_column
from sightline.images.formats import is_hidden, is_photo, unsupported_format
from sightline.images.source import (
    BrokenSource,
    FileSource,
    ImageSource,
    ParquetSource,
    TarSource,
    TarStreamSource,
    UrlSource,
    cell_bytes,
    is_remote,
    naming_errors,
    next_member,
    open_binary,
    open_tar,
    read_member,
    refuse_large_rows,
)

# A photo to be opened: bytes in a file with a name, or where they are.
Content: TypeAlias = io.BytesIO | ImageSource
Photo = TypeVar("Photo")

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
TABLE_SUFFIXES = (".parquet", ".pq")
# Where the paths in a table may lead beside the table's own folder: not to files of this machine, nor to http://, by
# which a stranger's table would reach services inside a network.
TABLE_SCHEMES = ("https", "s3", "gs", "gcs", "hf", "hdfs", "abfs", "abfss")

# The first that a table has wins: the photos themselves, then where they are, then what else may name a file.
_COLUMNS = ("photo", "image", "jpg", "jpeg", "png", "bytes", "content", "path", "image_path", *PHOTO_NAMES)
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


class NoPhotoColumn(SightlineError):
    """A Parquet file that names no photos."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar file of photos; if it is torn, the photos before the tear are given, then a `BrokenSource`."""

    path: str

    def listed(self) -> Iterator[ImageSource]:
        """Its photos without their bytes."""
        return _until_torn(self.path, self._sources())

    def __iter__(self) -> Iterator[Content]:
        """Its photos with their bytes, read in one pass."""
        return _until_torn(self.path, self._contents())

    def _sources(self) -> Iterator[ImageSource]:
        is_plain = not is_remote(self.path) and _is_plain(self.path)
        with open_tar(self.path, "r:" if is_plain else "r|*") as tar:
            for number, member, again in _photos(tar):
                if again:
                    yield self._second(member, again)
                    continue
                if member.size:
                    tar.fileobj.seek(member.offset_data + member.size - 1)  # type: ignore[union-attr]
                    if not tar.fileobj.read(1):  # type: ignore[union-attr]
                        raise EOFError("unexpected end of data")
                if is_plain:
                    yield TarSource(self.path, member.name, member.offset_data, member.size)
                else:
                    yield TarStreamSource(self.path, member.name, number, member.size)

    def _contents(self) -> Iterator[Content]:
        with open_tar(self.path, "r|*") as tar:
            for _, member, again in _photos(tar):
                read = partial(read_member, tar, member)
                yield self._second(member, again) if again else read_content(f"{self.path}/{member.name}", read)

    def _second(self, member: tarfile.TarInfo, again: int) -> BrokenSource:
        """In the place of a photo with the name of another, as rows and captions are kept by photos' names."""
        reason = "another photo in the shard has the same name; pack it under a name of its own"
        return BrokenSource(f"{self.path}/{member.name}#{again + 1}", reason)


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A group of rows of a Parquet file, ``rows`` from ``first`` on, whose ``column`` holds photos' bytes."""

    table: str
    column: str
    number: int
    first: int
    rows: int

    def listed(self) -> Iterator[ImageSource]:
        """Its photos without their bytes."""
        return (ParquetSource(self.table, self.column, self.first + row) for row in range(self.rows))

    def __iter__(self) -> Iterator[Content]:
        """Its photos with their bytes, a few rows at a time."""
        row = self.first
        try:
            with _parquet(self.table) as file:
                refuse_large_rows(file.metadata.row_group(self.number), self.column)
                for batch in file.iter_batches(64, row_groups=[self.number], columns=[self.column]):
                    for cell in batch[self.column]:
                        yield read_content(f"{self.table}#{row}", partial(cell_bytes, cell.as_py()))
                        row += 1
        except SightlineError as error:
            yield BrokenSource(f"{self.table}#{row}", str(error).removeprefix(f"{self.table}: "))


def table_photos(table: str, column: str | None = None, with_paths: bool = True) -> Iterator[RowGroup | ImageSource]:
    """The photos that a Parquet file holds or, in a column of text, names.

    A path is taken from the table's own folder, and may not lead out of it; a URL must be of `TABLE_SCHEMES`. Of
    another path or URL, the row is a `BrokenSource`.

    Args:
        column: the photos' column; by default the first of the names that datasets usually give it.
        with_paths: whether a table of paths counts.

    Raises:
        SightlineError: the table cannot be read; a `NoPhotoColumn`, if it has no such column.
    """
    with _parquet(table) as file:
        import pyarrow as pa

        name = _photo_column(table, file.schema_arrow, column)
        kind = file.schema_arrow.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            row = 0
            for batch in file.iter_batches(10_000, columns=[name]) if with_paths else ():
                for path in batch[name].to_pylist():
                    if path:
                        yield _named_by_table(table, row, path)
                    row += 1
            return
        if not holds_bytes(kind):
            raise NoPhotoColumn(f"{table}: column {name!r} holds neither bytes nor paths, but {kind}; name another")
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    for number, (first, size) in enumerate(zip(accumulate(sizes, initial=0), sizes, strict=False)):
        yield RowGroup(table, name, number, first, size)


def loaded(photos: Iterable[ImageSource]) -> Iterator[Content]:
    """The same photos, but that those of a compressed or remote shard are read here, one shard in one pass.

    What a shard has lost since it was listed is a `BrokenSource` in its place.
    """
    for shard, run in groupby(photos, lambda photo: photo.path if isinstance(photo, TarStreamSource) else ""):
        yield from _loaded_from(shard, run)


def _loaded_from(shard: str, photos: Iterator[ImageSource]) -> Iterator[Content]:
    if not shard:
        yield from photos
        return
    waiting = None
    with suppress(Exception), open_tar(shard, "r|*") as tar:
        members = enumerate(iter(lambda: next_member(tar), None))
        for waiting in photos:
            assert isinstance(waiting, TarStreamSource)
            wanted = waiting.number
            member = next((member for number, member in members if number == wanted), None)
            if member is None or member.name != waiting.member:
                break
            yield read_content(waiting.name, partial(read_member, tar, member))
            waiting = None
    for lost in chain([waiting] if waiting else [], photos):
        yield BrokenSource(lost.name, "cannot be read (the shard has changed since it was listed); start again")


def named_bytes(name: str, content: bytes) -> io.BytesIO:
    """An open file of ``content`` with a ``name``, by which errors call the photo."""
    file = io.BytesIO(content)
    file.name = name
    return file


def read_content(name: str, read: Callable[[], bytes]) -> Content:
    """The bytes that ``read`` returns, as an open file with a name; a `BrokenSource` if it cannot."""
    try:
        return named_bytes(name, read())
    except FileNotFoundError:
        return BrokenSource(name, "no such file")
    except OSError as error:
        if error.strerror is None:  # the shard is torn
            raise
        return BrokenSource(name, f"cannot be read ({error.strerror})")


def _until_torn(shard: str, photos: Iterator[Photo]) -> Iterator[Photo | BrokenSource]:
    """The photos; where an error ends them, a `BrokenSource` that says after how many."""
    count = 0
    try:
        for photo in photos:
            yield photo
            count += 1
    except FileNotFoundError:
        yield BrokenSource(shard, "no such file")
    except Exception as error:  # tarfile, gzip and every file system raise classes of their own
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        photos_read = f"{count:,} photo{'s' * (count != 1)}"
        yield BrokenSource(shard, f"torn or damaged after {photos_read} ({reason}); copy it anew")


def _is_plain(path: str) -> bool:
    with open_binary(path) as file:
        return not file.read(8).startswith(_COMPRESSED)


def _photos(tar: tarfile.TarFile) -> Iterator[tuple[int, tarfile.TarInfo, int]]:
    """The members that are photos, or of a kind that cannot be read: number, member, photos of its name before it."""
    number, seen = 0, Counter[str]()
    while member := next_member(tar):
        is_picture = is_photo(member.name) or unsupported_format(member.name)
        if member.isfile() and is_picture and not is_hidden(member.name):
            yield number, member, seen[member.name]
            seen[member.name] += 1
        number += 1
    # Cut off where a member would begin, it looks like its end, were it not for the empty block that ends it.
    end = tar.offset  # type: ignore[attr-defined]
    if tar.fileobj.tell() < end + tarfile.BLOCKSIZE:  # type: ignore[union-attr]
        raise EOFError("it has no end")


def _named_by_table(table: str, row: int, path: str) -> ImageSource:
    """The photo that a row names."""
    here = table.rpartition("/")[0]
    if is_remote(path):
        if path.partition("://")[0].lower() in TABLE_SCHEMES:
            return UrlSource(path)
    elif is_remote(table):
        joined = posixpath.normpath(path)
        if not joined.startswith(("../", "/")) and joined != "..":
            return UrlSource(f"{here}/{joined}")
    else:
        folder = os.path.dirname(table)  # noqa: PTH120
        joined = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
        inside = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118
        if os.path.abspath(joined).startswith(inside):  # noqa: PTH100
            return FileSource(joined)
    return BrokenSource(
        f"{table}#{row}", f"{path!r} leads out of the table's folder; give paths that you trust as a list on stdin (-)"
    )


def _photo_column(table: str, schema: Any, column: str | None) -> str:
    plain = {plain_column(name): name for name in reversed(schema.names)}
    name = column or plain.get(find_column(_COLUMNS, plain) or "")
    if name is None or name not in schema.names:
        wanted = f"no column {name!r}" if name else "no column for the photos"
        raise NoPhotoColumn(f"{table}: {wanted}; name one of {', '.join(schema.names)}")
    return name


def holds_bytes(kind: Any) -> bool:
    """Whether a column's Arrow type is binary, or Hugging Face's struct with binary ``bytes``."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(part.name == "bytes" and holds_bytes(part.type) for part in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


@contextmanager
def _parquet(table: str) -> Iterator[Any]:
    with naming_errors(table):
        from pyarrow.parquet import ParquetFile

        with open_binary(table) as file, ParquetFile(file) as parquet:
            yield parquet
