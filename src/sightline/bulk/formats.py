"""The two text formats that rows are kept in, a record at a time; a record ends with its line."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Protocol

from sightline.bulk.row import COLUMNS, Row

# What tells whether a row still speaks of the photo that is there, and of the model that is asked.
KEPT = (*COLUMNS, "size", "modified_ns", "made_by")


class TextFormat(Protocol):
    """How rows become bytes and come back."""

    header: bytes
    start: bytes  # what every record begins with

    def encode(self, row: Row) -> bytes:
        """One record, its line's end with it."""

    def decode(self, record: bytes) -> Row:
        """The row of a record; ValueError, KeyError or TypeError where it is none."""

    def is_whole(self, record: bytes) -> bool:
        """Whether lines that were read so far are a record, rather than the beginning of one."""


class JsonLines:
    """One JSON object a line, ASCII alone, so that any file name survives."""

    header, start = b"", b'{"photo": '

    def encode(self, row: Row) -> bytes:
        """See `TextFormat`."""
        return json.dumps(row).encode() + b"\n"

    def decode(self, record: bytes) -> Row:
        """See `TextFormat`."""
        row = json.loads(record)
        return {name: row[name] for name in KEPT}

    def is_whole(self, record: bytes) -> bool:
        """See `TextFormat`."""
        return record.endswith(b"\n")


class Csv:
    """Comma-separated, words and log-probabilities with spaces between; what is missing is empty."""

    header, start = ",".join(KEPT).encode() + b"\r\n", b""

    def encode(self, row: Row) -> bytes:
        """See `TextFormat`."""
        cells = [" ".join(map(str, value)) if isinstance(value, list) else value for value in row.values()]
        csv.writer(text := io.StringIO()).writerow(cells)
        return text.getvalue().encode("utf-8", "surrogateescape")

    def decode(self, record: bytes) -> Row:
        """See `TextFormat`."""
        text = io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")
        row: dict[str, Any] = dict(zip(KEPT, next(csv.reader(text)), strict=True))
        for name in ("size", "modified_ns"):
            row[name] = int(row[name]) if row[name] else None
        row["error"] = row["error"] or None
        return row

    def is_whole(self, record: bytes) -> bool:
        """See `TextFormat`."""
        return record.endswith(b"\n") and record.count(b'"') % 2 == 0  # a name may hold the end of a line


TEXT_FORMATS: dict[str, TextFormat] = {".jsonl": JsonLines(), ".csv": Csv()}
