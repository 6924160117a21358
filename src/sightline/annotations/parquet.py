"""The rows of a Parquet file; photos in its cells are not read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sightline.annotations.records import CaptionRows, Row, RowMaker
from sightline.errors import SightlineError
from sightline.images.columns import PHOTO_COLUMNS, caption_columns, find_column, plain_column
from sightline.images.containers import holds_bytes
from sightline.images.source import ImageSource, ParquetSource


def read_parquet(path: Path) -> CaptionRows | None:
    """The file's rows; None if it names no column for the photo or none for the caption.

    The photo's column holds paths; or an image file's bytes, as binary or, as in Hugging Face's datasets, as a struct
    of bytes and path. A photo of bytes is named by that path, by another column of photos' names, or by file and row.

    Raises:
        SightlineError: pyarrow is not installed, or the file is none that it reads.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SightlineError(f'{path}: Parquet needs pyarrow: pip install "sightline[parquet]"') from None
    try:
        file = ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SightlineError(f"{path}: not a Parquet file that can be read ({reason}); fetch the file again") from None
    cells = _Cells(path, file)
    return CaptionRows(cells.rows(), cells.photos) if cells.captions and (cells.of_bytes or cells.photo) else None


class _Cells:
    """The cells of one file, read in order without the photos' bytes."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self.file, schema = path, file, file.schema_arrow
        self.of_bytes = next((name for name in schema.names if holds_bytes(schema.field(name).type)), None)
        parts = [part.name for part in schema.field(self.of_bytes).flatten()] if self.of_bytes else []
        self.is_struct, self.has_path = parts != [self.of_bytes], f"{self.of_bytes}.path" in parts
        self.plain = {name: plain_column(name) for name in schema.names if name != self.of_bytes}
        self.photo = find_column(PHOTO_COLUMNS, self.plain.values())
        self.captions = caption_columns(self.plain.values())
        self.photos: dict[str, ImageSource] = {}

    def rows(self) -> Iterator[Row]:
        photo = self.photo or "image"
        maker = RowMaker(photo, self.captions)
        texts = [name for name, plain in self.plain.items() if plain in (photo, *self.captions, "split")]
        columns = [*texts, *([f"{self.of_bytes}.path"] if self.has_path else [])]
        number = 0
        for group in range(self.file.num_row_groups):
            lacking = self._lacking(group)
            start = number
            for batch in self.file.iter_batches(10_000, row_groups=[group], columns=columns):
                for row in batch.to_pylist():
                    plain = {self.plain.get(name, name): value for name, value in row.items()}
                    if self.of_bytes:
                        path = (plain.pop(self.of_bytes) or {}).get("path") if self.has_path else None
                        name = str(path or plain.get(photo) or f"{self.path.stem}-{number:08d}")
                        plain[photo] = name
                        if number - start not in lacking:
                            self.photos.setdefault(name, ParquetSource(os.fspath(self.path), self.of_bytes, number))
                    number += 1
                    yield maker.make(f"row {number}", plain)

    def _lacking(self, group: int) -> frozenset[int]:
        """The rows of a group without a photo's bytes, which are read only if the group's statistics count any."""
        metadata = self.file.metadata.row_group(group)
        leaf = f"{self.of_bytes}.bytes" if self.is_struct else self.of_bytes
        chunks = (metadata.column(index) for index in range(metadata.num_columns))
        counts = [chunk.statistics for chunk in chunks if chunk.path_in_schema == leaf]
        if not self.of_bytes or all(count is None or not count.null_count for count in counts):
            return frozenset()
        cells = self.file.read_row_group(group, columns=[leaf]).column(0)
        values = cells.combine_chunks().field("bytes") if self.is_struct else cells
        return frozenset(index for index, there in enumerate(values.is_valid().to_pylist()) if not there)
