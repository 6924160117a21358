"""Rows in a Parquet file. One cannot grow, so rows gather in a journal beside it, and become part of it at the end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.bulk.formats import JsonLines
from sightline.bulk.row import Row, arrow_schema, as_text
from sightline.bulk.row_file import Entry, RowFile, Rows, Version, other_maker
from sightline.errors import SightlineError
from sightline.model_folder import replacing

if TYPE_CHECKING:
    import pyarrow

_AT_ONCE = 10_000


class ParquetFile(Rows):
    """As `RowFile`, but that rows are in the Parquet file only after `finish`.

    Until then they are at ``path``: the file's name and ``.jsonl``.
    """

    def __init__(self, path: Path, made_by: str, overwrite: bool = False) -> None:
        """As `RowFile`; raises `SightlineError` also where pyarrow is missing."""
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise SightlineError(
                f'{path}: Parquet needs pyarrow: pip install "sightline[parquet]"; or name a .jsonl or .csv file'
            ) from None
        if path.is_dir():
            raise SightlineError(f"{path}: a folder, as --engine ray writes; name a file")
        self._parquet, self._made_by = path, made_by
        if overwrite:
            path.unlink(missing_ok=True)
        in_parquet = dict(self._entries()) if path.exists() else {}
        self._journal = RowFile(path.with_name(path.name + ".jsonl"), JsonLines(), made_by, overwrite)
        self.path = self._journal.path
        self.entries = in_parquet | self._journal.entries

    def name(self, photo: str) -> str:
        """As Arrow can hold it."""
        return as_text(photo)

    def close(self) -> None:
        """See `Rows`; an empty journal goes."""
        self._journal.close()
        if not self._journal.entries:
            self.path.unlink(missing_ok=True)

    def add(self, row: Row, state: Version) -> None:
        """See `Rows`; the row is in the journal then."""
        named = {**row, "photo": self.name(row["photo"])}
        self._journal.add(named, state)
        self.entries[named["photo"]] = self._journal.entries[named["photo"]]

    def finish(self) -> None:
        """Make one Parquet file of what it held and of the journal, which then goes."""
        if not self._journal.entries:
            return
        from pyarrow.parquet import ParquetWriter

        with replacing(self._parquet) as temporary, ParquetWriter(temporary, _schema(), compression="zstd") as writer:
            for table in (*self._kept(), *self._gathered()):
                writer.write_table(table)
        self.path.unlink()
        self._journal.entries.clear()

    def _kept(self) -> Iterator[pyarrow.Table]:
        """What the Parquet file holds, but for photos of which the journal has a newer row."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._parquet.exists():
            newer = pa.array(list(self._journal.entries), pa.string())
            for batch in self._batches():
                yield pa.Table.from_batches([batch.filter(pc.invert(pc.is_in(batch["photo"], newer)))])

    def _gathered(self) -> Iterator[pyarrow.Table]:
        import pyarrow as pa

        rows = self._journal.rows()
        while part := list(islice(rows, _AT_ONCE)):
            yield pa.Table.from_pylist(part, _schema())

    def _entries(self) -> Iterator[tuple[str, Entry]]:
        for batch in self._batches(["photo", "size", "modified_ns", "error", "made_by"]):
            for photo, size, modified, error, made_by in zip(*(column.to_pylist() for column in batch), strict=True):
                if made_by != self._made_by:
                    raise other_maker(self._parquet, made_by, self._made_by)
                yield photo, Entry(Version(size, modified), error is not None)

    def _batches(self, columns: list[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._parquet) as file:
                if not file.schema_arrow.equals(_schema()):
                    raise pa.ArrowInvalid("other columns")
                yield from file.iter_batches(_AT_ONCE, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise SightlineError(
                f"{self._parquet}: no rows of `caption --out` ({str(error).splitlines()[0]}); name another --out, or"
                " start anew with --overwrite"
            ) from None


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    kept = [("size", pa.int64()), ("modified_ns", pa.int64()), ("made_by", pa.string())]
    return pa.schema([*arrow_schema(), *kept])
