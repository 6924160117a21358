"""Pieces of a source as Ray Data reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from sightline.bulk.row import as_text
from sightline.bulk.sources import Piece

_SCHEMA = pa.schema([("photo", pa.string()), ("bytes", pa.binary()), ("error", pa.string())])
_AT_ONCE = 64


class PhotoSource(Datasource):
    """A read task a piece; rows of photo, bytes and error, as `sightline.bulk.sources.Found` has them."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self._pieces = pieces

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown before it is read."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """See `Datasource`."""
        nothing = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(partial(_tables, piece), nothing, None, per_task_row_limit) for piece in self._pieces]


def _tables(piece: Piece) -> Iterator[pa.Table]:
    found = iter(piece)
    while part := list(islice(found, _AT_ONCE)):
        names, contents, errors = map(list, zip(*part, strict=True))
        yield pa.table([list(map(as_text, names)), contents, errors], schema=_SCHEMA)
