"""Records of a Parquet file; photos that are in its cells are left there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.annotations.records import Records
from sightline.errors import SightlineError
from sightline.images.columns import CAPTION_COLUMNS, PHOTO_COLUMNS, find_column, plain_column
from sightline.images.source import ImageSource, ParquetSource

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile


def read_parquet(path: Path) -> Records | None:
    """What the file says; None if it names no column for the photo or none for the caption.

    The photo's column holds paths; or an image file's bytes, bare or, as Hugging Face has them, beside its path. A
    photo of bytes is named by that path, by another column of photos' names, or by the file and the row.

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
        told = next(iter(str(error).splitlines()), type(error).__name__)
        raise SightlineError(f"{path}: not a Parquet file that can be read ({told}); fetch the file again") from None
    columns = {plain_column(name): name for name in file.schema_arrow.names}
    held = next((name for plain, name in columns.items() if _holds_bytes(file.schema_arrow.field(name).type)), None)
    texts = {plain: name for plain, name in columns.items() if name != held}
    photo, caption = find_column(PHOTO_COLUMNS, texts), find_column(CAPTION_COLUMNS, texts)
    if not caption or not (held or photo):
        return None
    return _Cells(path, file, held, texts, photo, caption).records()


def _holds_bytes(kind: pyarrow.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(part.name == "bytes" and _holds_bytes(part.type) for part in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_struct(file: ParquetFile, column: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(file.schema_arrow.field(column).type))


class _Cells:
    """The cells of one file, gone through in order without a look at the photos' bytes."""

    def __init__(
        self, path: Path, file: ParquetFile, held: str | None, texts: Mapping[str, str], photo: str | None, caption: str
    ) -> None:
        self.path, self.file, self.held, self.caption = path, file, held, caption
        self.photo = photo or "image"
        parts = [part.name for part in file.schema_arrow.field(held).type] if held and _is_struct(file, held) else []
        self.is_struct, self.has_path = bool(parts), "path" in parts
        self.split = "split" if "split" in texts else None
        self.texts = [texts[name] for name in (photo, caption, self.split) if name]
        self.plain = {name: plain for plain, name in texts.items()}
        self.photos: dict[str, ImageSource] = {}

    def records(self) -> Records:
        return Records(self.photo, self.caption, self._rows(), self.photos)

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows are counted from 1."""
        columns = [*self.texts, *([f"{self.held}.path"] if self.has_path else [])]
        number = 0
        for group in range(self.file.num_row_groups):
            lacking = self._lacking(group)
            start = number
            for batch in self.file.iter_batches(10_000, row_groups=[group], columns=columns):
                for row in batch.to_pylist():
                    plain = {self.plain.get(name, name): value for name, value in row.items()}
                    if self.held:
                        self._place(plain, number, number - start not in lacking)
                    number += 1
                    yield number, plain

    def _lacking(self, group: int) -> frozenset[int]:
        """The rows of a group without a photo's bytes, which are read only where the file says that there are such."""
        metadata = self.file.metadata.row_group(group)
        leaf = f"{self.held}.bytes" if self.is_struct else self.held
        chunks = (metadata.column(index) for index in range(metadata.num_columns))
        counts = [chunk.statistics for chunk in chunks if chunk.path_in_schema == leaf]
        if not self.held or all(count is None or not count.null_count for count in counts):
            return frozenset()
        cells = self.file.read_row_group(group, columns=[leaf]).column(0)
        values = cells.combine_chunks().field("bytes") if self.is_struct else cells
        return frozenset(index for index, there in enumerate(values.is_valid().to_pylist()) if not there)

    def _place(self, row: dict[str, Any], number: int, is_there: bool) -> None:
        assert self.held is not None  # or there would be nothing to place
        path = (row.pop(self.held) or {}).get("path") if self.has_path else None
        name = str(path or row.get(self.photo) or f"{self.path.stem}-{number:08d}")
        row[self.photo] = name
        if is_there:
            self.photos.setdefault(name, ParquetSource(os.fspath(self.path), self.held, number))
