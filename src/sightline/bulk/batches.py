"""The callable that every engine maps over batches of photos: Ray Data, Dask, Spark, or a loop over pandas frames."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sightline.bulk.rows import COLUMNS, Row, arrow_schema, as_text, caption_row
from sightline.captioner import Captioner, load
from sightline.errors import SightlineError
from sightline.images.containers import Content, named_bytes, read_content
from sightline.images.source import BrokenSource, FileSource, UrlSource, is_remote
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

if TYPE_CHECKING:
    import pandas
    import pyarrow

Batch = TypeVar("Batch", "dict[str, Any]", "pandas.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch")

_READ_AT_ONCE = 16  # of photos far away: each is waited for, and takes little of the processor
_captioner = functools.cache(load)


class CaptionBatches:
    """Batches of photos -> batches of rows with the columns `COLUMNS`; one row a photo, in order.

    A batch is a dict of arrays, as Ray Data gives it, a pandas frame, as Dask and Spark do, or a table or record batch
    of pyarrow; what comes out is of the same kind. It has a column of photos' names, which are paths on the worker or
    URIs, and may have one of their bytes (None: read by name) and one of errors (not None: there is no photo, and that
    is why). All other columns and a frame's index are kept; one with the name of a row's, such as people's "caption",
    becomes "given_caption". A photo that cannot be read is a row with its error.

    It may be pickled, and the model travels by its name: every process loads it once, however many of these it gets.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        *,
        max_pixels: int | None = None,
        allow_repeats: bool = False,
        device: str = "cpu",
        threads: int = 1,
        photo: str = "photo",
        content: str = "bytes",
    ) -> None:
        """Load the model.

        Args:
            model: its folder, which every worker must find under this name; by default the model in the package.
            beam_size, length_penalty, max_pixels, allow_repeats: see `Captioner`.
            device: see `sightline.load`.
            threads: cores that each worker has.
            photo: the column of the photos' names.
            content: the column of their bytes, which need not be there.

        Raises:
            SightlineError: there is no such model, or an option is impossible.
        """
        self._load = (None if model is None else os.fspath(model), threads, device)
        self._options: dict[str, Any] = {
            "beam_size": beam_size,
            "length_penalty": length_penalty,
            "max_pixels": max_pixels,
            "allow_repeats": allow_repeats,
        }
        self._photo, self._content = photo, content
        self.captioner.stream([], **self._options)  # tells of options that are impossible

    @property
    def captioner(self) -> Captioner:
        """This process's captioner."""
        return _captioner(*self._load)

    def __call__(self, batch: Batch) -> Batch:
        """The rows of a batch's photos; `SightlineError` if it has no column of them."""
        columns: list[Any] = list(getattr(batch, "column_names", batch))
        if self._photo not in columns:
            there = ", ".join(map(str, columns))
            raise SightlineError(f"no column {self._photo!r} in a batch of {there}; name one: photo=")
        used = [name for name in (self._photo, self._content, "error") if name in columns]
        cells = {name: getattr(batch[name], "to_pylist", batch[name].__iter__)() for name in used}
        names = [str(name) for name in cells[self._photo]]
        contents, errors = (_column(cells, name, len(names)) for name in (self._content, "error"))
        photos = [_photo(*cells) for cells in zip(names, contents, errors, strict=True)]
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            fetched = [
                pool.submit(read_content, photo.name, photo.read) if isinstance(photo, UrlSource) else photo
                for photo in photos
            ]
            photos = [photo.result() if isinstance(photo, Future) else photo for photo in fetched]
        results = map(caption_row, self.captioner.stream(photos, **self._options))
        rows = [{**row, "photo": as_text(row["photo"])} for row in results]
        kept = {name: f"given_{name}" if name in COLUMNS else name for name in columns if name not in used}
        return _beside(batch, kept, rows)


def _beside(batch: Any, kept: Mapping[Any, Any], rows: Sequence[Row]) -> Any:
    """The rows in a batch of the same kind, with the columns ``kept`` of ``batch`` under their new names."""
    if hasattr(batch, "column_names"):
        import pyarrow as pa

        fields = [batch.schema.field(name).with_name(new) for name, new in kept.items()]
        schema = pa.schema([*arrow_schema(), *fields], batch.schema.metadata)
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in arrow_schema()]
        return type(batch).from_arrays([*arrays, *(batch[name] for name in kept)], schema=schema)
    cells = {name: np.fromiter((row[name] for row in rows), object, len(rows)) for name in COLUMNS}
    cells |= {name: cells[name].astype(float) for name in ("score", "confidence")}
    if isinstance(batch, dict):
        return {**cells, **{new: batch[name] for name, new in kept.items()}}
    import pandas

    others = batch.loc[:, [name in kept for name in batch]]
    return pandas.concat([type(batch)(cells, index=batch.index), others.rename(columns=kept)], axis=1)


def _photo(name: str, content: Any, error: Any) -> Content:
    if error is not None:
        return BrokenSource(name, str(error).removeprefix(f"{name}: "))
    if content is not None:
        return named_bytes(name, content)
    return UrlSource(name) if is_remote(name) else FileSource(name)


def _column(batch: Mapping[str, Any], name: str, length: int) -> list[Any]:
    """A column's cells; None for each that is missing, whatever stands for that (None, NaN)."""
    if name not in batch:
        return [None] * length
    return [cell if isinstance(cell, (str, bytes, bytearray, memoryview)) else None for cell in batch[name]]
