"""Photos as Ray Data reads them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from sightline.bulk.rows import as_text
from sightline.images.containers import Content
from sightline.images.source import BrokenSource

_SCHEMA = pa.schema([("photo", pa.string()), ("bytes", pa.binary()), ("error", pa.string())])
_AT_ONCE = 64


class PhotoSource(Datasource):  # type: ignore[misc]  # Ray has no types
    """A read task for each piece of work.

    Rows are photo (its name), bytes (missing of files and URLs, which are read where they are captioned) and error.
    """

    def __init__(self, pieces: Sequence[Iterable[Content]]) -> None:
        super().__init__()
        self._pieces = pieces

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        nothing = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(partial(_tables, piece), nothing, None, per_task_row_limit) for piece in self._pieces]


def _tables(piece: Iterable[Content]) -> Iterator[pa.Table]:
    photos = iter(piece)
    while part := list(islice(photos, _AT_ONCE)):
        names, contents, errors = map(list, zip(*map(_cells, part), strict=True))
        yield pa.table([names, contents, errors], schema=_SCHEMA)


def _cells(photo: Content) -> tuple[str, bytes | None, str | None]:
    name = as_text(photo.name)
    if isinstance(photo, BrokenSource):
        return name, None, photo.message
    return name, photo.getvalue() if isinstance(photo, io.BytesIO) else None, None
