"""One photo, one row: the same columns from every engine and in every file; CSV and Parquet files of them."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.images.source import ImageSource, name_of
from sightline.model_folder import ONNX

if TYPE_CHECKING:
    import pyarrow

    from sightline.captioner import Captioner

Row: TypeAlias = dict[str, Any]

COLUMNS = ("photo", "caption", "words", "log_probs", "score", "confidence", "kind", "keywords", "error")
# With the state of the photo's file, and the model and options, that the row was made from.
KEPT = (*COLUMNS, "size", "modified_ns", "made_by")

_ROWS_AT_ONCE = 10_000


class Version(NamedTuple):
    """The state of a photo's file when its row was made; None and None where there was none."""

    size: int | None
    modified_ns: int | None


def caption_row(result: Caption | SightlineError) -> Row:
    """The row of a result of `Captioner.stream`: of a caption, ``error`` is None; of an error, all else is missing.

    Confidence, kind and keywords are missing if the model does not tell them.
    """
    photo = name_of(result.photo)
    if isinstance(result, SightlineError):
        return dict(zip(COLUMNS, (photo, None, [], [], None, None, None, [], str(result)), strict=True))
    log_probs = [round(float(value), 6) for value in result.log_probs]
    confidence = None if result.confidence is None else round(result.confidence, 4)
    searched = (photo, result.text, list(result.words), log_probs, round(result.score, 6))
    values = (*searched, confidence, result.kind, [keyword.word for keyword in result.keywords], None)
    return dict(zip(COLUMNS, values, strict=True))


def made_by(captioner: Captioner, beam_size: int, length_penalty: float, allow_repeats: bool = False) -> str:
    """What a row's words depend on beside the photo, in a few words; all rows of a file must be made by the same."""
    digest = hashlib.sha256((captioner.folder / ONNX).read_bytes()).hexdigest()[:12]
    repeats = ", repeats allowed" if allow_repeats else ""
    return f"model {digest}, beam {beam_size}, length penalty {length_penalty:g}{repeats}"


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


def arrow_schema() -> pyarrow.Schema:
    """The columns' types: without them, a file whose photos were all captioned would hold errors of no type."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    types = (text, text, texts, pa.list_(pa.float32()), pa.float64(), pa.float64(), text, texts, text)
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def as_text(name: str) -> str:
    """A file's name as Unicode, which Arrow demands: bytes that are no text are shown by their numbers."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class CsvTable:
    """Comma-separated; words, log-probabilities and keywords have spaces between them, what is missing is empty."""

    def read(self, path: Path, columns: Sequence[str] = KEPT) -> Iterator[Row]:
        """Every row, its lists as text; `ValueError` where the file holds something else."""
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.reader(file)
            if next(reader, list(KEPT)) != list(KEPT):
                raise ValueError("other columns")
            for cells in reader:
                row = dict(zip(KEPT, cells, strict=True))
                sizes = {name: int(row[name]) if row[name] else None for name in Version._fields}
                yield {**row, **sizes, "error": row["error"] or None}

    def write(self, path: Path, rows: Iterator[Row]) -> None:
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

    def read(self, path: Path, columns: Sequence[str] = KEPT) -> Iterator[Row]:
        """Every row's ``columns``; `ValueError` where the file holds something else."""
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(_kept_schema()):
                raise ValueError("other columns")
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(columns)):
                yield from batch.to_pylist()

    def write(self, path: Path, rows: Iterator[Row]) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        with ParquetWriter(path, _kept_schema(), compression="zstd") as writer:
            while part := list(islice(rows, _ROWS_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(part, _kept_schema()))


def _kept_schema() -> pyarrow.Schema:
    import pyarrow as pa

    kept = [("size", pa.int64()), ("modified_ns", pa.int64()), ("made_by", pa.string())]
    return pa.schema([*arrow_schema(), *kept])
