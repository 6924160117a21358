"""Where photos are -> pieces of work, each read by whichever worker gets it; whatever is wrong with one is a row.

A source is a photo, a folder, a pattern, a WebDataset shard (``.tar``), a Parquet file of bytes or of paths, here or at
a URI, or any number of these.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, Protocol, TypeAlias

from sightline.bulk import places
from sightline.errors import SightlineError
from sightline.images.columns import PHOTO_NAMES, find_column, plain_column
from sightline.images.formats import is_photo, unsupported_format

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_SHARDS = (".tar", ".tar.gz", ".tgz")
_PARQUET = (".parquet", ".pq")
# The first found wins: the photos themselves, then where they lie, then what else may name a file.
_COLUMNS = ("photo", "image", "jpg", "jpeg", "png", "bytes", "content", "path", "image_path", *PHOTO_NAMES)


class Found(NamedTuple):
    """One photo to caption: its name, which is nobody else's; its bytes, unless it is read by name; what is wrong."""

    photo: str
    content: bytes | None = None
    error: str | None = None


class Piece(Protocol):
    """Photos that are read together."""

    def __iter__(self) -> Iterator[Found]: ...


@dataclass(frozen=True)
class Named:
    """Photos that are read by their names, where they are captioned."""

    photos: tuple[str, ...]

    def __iter__(self) -> Iterator[Found]:
        return (Found(photo) for photo in self.photos)


@dataclass(frozen=True)
class Wrong:
    """A source that could not be looked into."""

    place: str
    error: str

    def __iter__(self) -> Iterator[Found]:
        yield Found(self.place, None, self.error)


@dataclass(frozen=True)
class Shard:
    """A tar file, read from its beginning; if it is torn, what comes before is captioned."""

    place: str

    def __iter__(self) -> Iterator[Found]:
        count = 0
        try:
            for found in self._members():
                yield found
                count += 1
        except FileNotFoundError:
            yield Found(self.place, None, f"{self.place}: no such file")
        except Exception as error:  # tarfile, gzip and every file system raise classes of their own
            reason = " ".join(str(error).split()) or type(error).__name__
            yield Found(self.place, None, f"{self.place}: torn or damaged after {count:,} photos ({reason})")

    def _members(self) -> Iterator[Found]:
        system, path = places.file_system(self.place)
        with system.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|*", bufsize=1 << 20) as shard:
            for member in shard:
                if member.isfile() and _may_be_photo(member.name):
                    content = shard.extractfile(member)
                    assert content is not None  # of a file
                    yield Found(f"{self.place}/{member.name}", content.read())
            # Cut off where a member would begin, it looks like its end, were it not for the empty block that ends it.
            if shard.fileobj.tell() < shard.offset + tarfile.BLOCKSIZE:  # type: ignore[union-attr]
                raise EOFError("it has no end")


@dataclass(frozen=True)
class RowGroup:
    """Photos whose bytes are in a group of rows of a Parquet file; each is named by its row in the file."""

    place: str
    column: str
    number: int
    first: int

    def __iter__(self) -> Iterator[Found]:
        try:
            yield from self._cells()
        except SightlineError as error:
            yield Found(f"{self.place}#group-{self.number}", None, str(error))

    def _cells(self) -> Iterator[Found]:
        with _parquet(self.place) as file:
            row = self.first
            for batch in file.iter_batches(64, row_groups=[self.number], columns=[self.column]):
                for cell in batch[self.column]:
                    value = cell.as_py()
                    content = value["bytes"] if isinstance(value, dict) else value
                    yield Found(f"{self.place}#{row}", content, None if content else f"{self.place}#{row}: no photo")
                    row += 1


def find(source: Source, column: str | None = None, pieces: int = 16, at_most: int = 1024) -> list[Piece]:
    """The pieces of a source; of a photo that is named several times, one.

    Args:
        source: see the module.
        column: of Parquet files, which one holds the photos' bytes or paths; by default the first of the names that
            datasets usually give it. Bytes are binary, or a struct with ``bytes``, as Hugging Face's datasets keep
            photos; a path is taken from the file's own folder.
        pieces: into how many the photos are divided that are read by name,
        at_most: of so many photos, and so into more pieces.

    Raises:
        SightlineError: a folder or a pattern far away cannot be listed.
    """
    given = [source] if isinstance(source, str | os.PathLike) else source
    files: dict[str, None] = {}
    for name in map(places.absolute, given):
        listed = None if places.is_remote(name) and _is_known(name) else places.files_at(name)
        files.update(dict.fromkeys([name] if listed is None else filter(_is_known, listed)))
    found: list[Piece] = []
    photos: dict[str, None] = {}
    for file in files:
        if _ends(file, _SHARDS):
            found.append(Shard(file))
        elif _ends(file, _PARQUET):
            try:
                groups, paths = _of_parquet(file, column)
            except SightlineError as error:
                groups, paths = [Wrong(file, str(error))], []
            found += groups
            photos.update(dict.fromkeys(paths))
        else:
            photos[file] = None
    names, size = tuple(photos), min(at_most, -(-len(photos) // pieces) or 1)
    return [*(Named(names[start : start + size]) for start in range(0, len(names), size)), *found]


def _of_parquet(place: str, column: str | None) -> tuple[list[Piece], list[str]]:
    """A Parquet file's groups of rows, if it holds bytes; or the paths it holds."""
    import pyarrow as pa

    with _parquet(place) as file:
        schema = file.schema_arrow
        plain = {plain_column(name): name for name in reversed(schema.names)}
        name = column or plain.get(find_column(_COLUMNS, plain) or "")
        if name is None or name not in schema.names:
            wanted = f"no column {name!r}" if name else "no column for the photos"
            raise SightlineError(f"{place}: {wanted}; name one of {', '.join(schema.names)}")
        kind = schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            cells = file.read([name])[name].to_pylist()
            return [], [_beside(place, cell) for cell in cells if cell]
        if not (pa.types.is_struct(kind) and "bytes" in [field.name for field in kind]) and not (
            pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        ):
            raise SightlineError(f"{place}: column {name!r} holds neither bytes nor paths, but {kind}; name another")
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    firsts = accumulate(sizes, initial=0)
    return [RowGroup(place, name, number, first) for number, first in zip(range(len(sizes)), firsts, strict=False)], []


@contextmanager
def _parquet(place: str) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    with places.telling_of(place):
        system, path = places.file_system(place)
        with system.open(path, "rb") as file, ParquetFile(file) as parquet:
            yield parquet


def _beside(place: str, name: str) -> str:
    """A path that a file names, which is meant from that file's own folder."""
    if places.is_remote(name) or os.path.isabs(name):  # noqa: PTH117
        return name
    return f"{place.rpartition('/')[0]}/{name}"


def _may_be_photo(name: str) -> bool:
    return is_photo(name) or unsupported_format(name) is not None


def _is_known(name: str) -> bool:
    """Whether a folder's file is meant; one of a kind that cannot be read is, and becomes a row that says so."""
    return _may_be_photo(name) or _ends(name, (*_SHARDS, *_PARQUET))


def _ends(name: str, suffixes: tuple[str, ...]) -> bool:
    return name.lower().endswith(suffixes)
