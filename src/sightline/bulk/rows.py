"""One photo, one row: the same columns from every engine and in every file; CSV and Parquet files of them."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.images.source import ImageSource, UrlSource, is_remote, name_of
from sightline.model_folder import ONNX

if TYPE_CHECKING:
    import pyarrow

    from sightline.captioner import Captioner

Row: TypeAlias = dict[str, Any]

COLUMNS = ("photo", "caption", "words", "log_probs", "score", "error")
# What tells whether a row still speaks of the photo as it is now, and of the model in use.
KEPT = (*COLUMNS, "size", "modified_ns", "made_by")

_ROWS_AT_ONCE = 10_000


class Version(NamedTuple):
    """The state of a photo's file when its row was made; None and None where there was none."""

    size: int | None
    modified_ns: int | None


class Entry(NamedTuple):
    """A photo's row without its words."""

    version: Version
    failed: bool


def caption_row(result: Caption | SightlineError) -> Row:
    """The row of a result of `Captioner.stream`: of a caption, ``error`` is None; of an error, all else is missing."""
    photo = name_of(result.photo)
    if isinstance(result, SightlineError):
        return dict(zip(COLUMNS, (photo, None, [], [], None, str(result)), strict=True))
    log_probs = [round(float(value), 6) for value in result.log_probs]
    values = (photo, result.text, list(result.words), log_probs, round(result.score, 6), None)
    return dict(zip(COLUMNS, values, strict=True))


def made_by(captioner: Captioner, beam_size: int, length_penalty: float) -> str:
    """What a row's words depend on beside the photo, in a few words; all rows of a file must be made by the same."""
    digest = hashlib.sha256((captioner.folder / ONNX).read_bytes()).hexdigest()[:12]
    return f"model {digest}, beam {beam_size}, length penalty {length_penalty:g}"


def other_maker(path: object, there: str, now: str) -> SightlineError:
    """The error where rows would be added to those of another model."""
    return SightlineError(
        f"{path}: its captions were made by {there}, these would be by {now}; name another --out, or start anew with"
        " --overwrite"
    )


def versions(photos: Iterable[ImageSource]) -> Iterator[tuple[ImageSource, Version]]:
    """Photos with the present state of the files that hold them."""
    last, version = "", Version(None, None)
    for photo in photos:
        if (file := photo.file) != last or not file:
            try:
                status = os.stat(file)  # noqa: PTH116  (a hundred thousand of them take a moment)
                version = Version(status.st_size, status.st_mtime_ns)
            except (OSError, ValueError):
                version = Version(None, None)
            last = file
        yield photo, version


def may_be_there_now(photo: ImageSource) -> bool:
    """Whether a photo that failed is worth another try though nothing tells that it changed: a network may fail."""
    return isinstance(photo, UrlSource) or is_remote(photo.name)


def arrow_schema() -> pyarrow.Schema:
    """The columns' types: without them, a file whose photos were all captioned would hold errors of no type."""
    import pyarrow as pa

    types = (pa.string(), pa.string(), pa.list_(pa.string()), pa.list_(pa.float32()), pa.float64(), pa.string())
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def as_text(name: str) -> str:
    """A file's name as Unicode, which Arrow demands: bytes that are no text are shown by their numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class TableFormat(Protocol):
    """A format that cannot grow row by row, and so is written whole."""

    def name(self, photo: str) -> str:
        """The name that a photo has in the file."""

    def entries(self, path: Path) -> Iterator[tuple[str, Entry, str]]:
        """Photo, entry and maker of every row; ValueError where the file holds something else."""

    def read(self, path: Path) -> Iterator[Row]:
        """Every row."""

    def write(self, path: Path, rows: Iterator[Row]) -> None:
        """Write rows into a new file."""


class CsvTable:
    """Comma-separated; words and log-probabilities have spaces between them, what is missing is empty."""

    def name(self, photo: str) -> str:
        """As it is."""
        return photo

    def entries(self, path: Path) -> Iterator[tuple[str, Entry, str]]:
        """See `TableFormat`."""
        for row in self.read(path):
            sizes = (int(row[name]) if row[name] else None for name in ("size", "modified_ns"))
            yield row["photo"], Entry(Version(*sizes), bool(row["error"])), row["made_by"]

    def read(self, path: Path) -> Iterator[Row]:
        """Every row, its cells as text."""
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.reader(file)
            if next(reader, list(KEPT)) != list(KEPT):
                raise ValueError("other columns")
            for cells in reader:
                yield dict(zip(KEPT, cells, strict=True))

    def write(self, path: Path, rows: Iterator[Row]) -> None:
        """See `TableFormat`."""
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(KEPT)
            for row in rows:
                writer.writerow(" ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in row.values())


class ParquetTable:
    """Parquet; raises `SightlineError` where pyarrow is missing."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise SightlineError(
                f'{path}: Parquet needs pyarrow: pip install "sightline[parquet]"; or name a .jsonl or .csv file'
            ) from None
        if path.is_dir():
            raise SightlineError(f"{path}: a folder, as --engine ray writes; name a file")

    def name(self, photo: str) -> str:
        """As Arrow can hold it."""
        return as_text(photo)

    def entries(self, path: Path) -> Iterator[tuple[str, Entry, str]]:
        """See `TableFormat`."""
        for batch in self._batches(path, ["photo", "size", "modified_ns", "error", "made_by"]):
            for photo, size, modified, error, made_by in zip(*(column.to_pylist() for column in batch), strict=True):
                yield photo, Entry(Version(size, modified), error is not None), made_by

    def read(self, path: Path) -> Iterator[Row]:
        """See `TableFormat`."""
        return chain.from_iterable(batch.to_pylist() for batch in self._batches(path))

    def write(self, path: Path, rows: Iterator[Row]) -> None:
        """See `TableFormat`."""
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        with ParquetWriter(path, _kept_schema(), compression="zstd") as writer:
            while part := list(islice(rows, _ROWS_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(part, _kept_schema()))

    def _batches(self, path: Path, columns: list[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(_kept_schema()):
                raise ValueError("other columns")
            yield from file.iter_batches(_ROWS_AT_ONCE, columns=columns)


def _kept_schema() -> pyarrow.Schema:
    import pyarrow as pa

    kept = [("size", pa.int64()), ("modified_ns", pa.int64()), ("made_by", pa.string())]
    return pa.schema([*arrow_schema(), *kept])
