"""Rows in a file on one machine, which is gone on with after whatever ended the last run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

from sightline.bulk.rows import KEPT, CsvTable, ParquetTable, Row, Version, as_text, caption_row, other_maker, versions
from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.images.containers import loaded
from sightline.images.source import ImageSource, is_remote
from sightline.model_folder import naming_write_errors, replacing

_WINDOWS = sys.platform == "win32"
_START = b'{"photo": '
_ENTRY_FIELDS = ("photo", "error", *Version._fields, "made_by")


class Entry(NamedTuple):
    """What a photo's row says of its file, whether it holds an error, and whether that is one of too many pixels."""

    version: Version
    failed: bool
    is_over_limit: bool


class RowFile:
    """A ``.jsonl``, ``.csv`` or ``.parquet`` file with a row a photo.

    Rows gather as JSON lines, each whole when `add` returns. CSV and Parquet are made of them by `finish`; until then
    they are beside the file, under its name and ``.jsonl``. Of several rows of one photo the last one counts.

    Attributes:
        path: where new rows are.
        entries: photo, by the name it has in the file -> what its row says.
    """

    def __init__(self, path: Path, made_by: str, overwrite: bool = False) -> None:
        """Open the file, whose suffix names the format, or make it; ``overwrite`` empties it.

        Raises:
            SightlineError: there is no such format; the file holds something else, or rows made by another model or
                with other options; another process writes it; it cannot be written. It is then as it was.
        """
        self._table, self._made_by, self._repeated = _table(path), made_by, False
        self._target = path
        self.path = path if self._table is None else path.with_name(path.name + ".jsonl")
        if overwrite and self._table is not None:
            path.unlink(missing_ok=True)
        self.entries = dict(self._entries_of_table())
        self._gathered: set[str] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise SightlineError(f"{path}: cannot be written ({error.strerror}); name another file") from None
        try:
            _lock(self._file, path)
            self._end = 0 if overwrite else self._load()
            self._file.truncate(self._end)  # a row that was cut off when the process was killed
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def name(self, photo: str) -> str:
        """The name that a photo has in the file."""
        return as_text(photo) if isinstance(self._table, ParquetTable) else photo

    def missing(self, photos: Iterable[ImageSource]) -> dict[ImageSource, Version]:
        """The photos that have no row, or only one of an earlier state of their file; with their state."""
        return {photo: version for photo, version in versions(photos) if self._is_missing(photo, version)}

    def failed(self, photos: Iterable[str]) -> int:
        """How many of these photos' rows are errors."""
        return sum(self.entries[self.name(photo)].failed for photo in photos)

    def add(self, row: Row, version: Version) -> None:
        """Append a photo's row; raises `SightlineError` where the disk is full, and leaves whole rows."""
        row = {**row, "photo": self.name(row["photo"])}
        row |= {**version._asdict(), "made_by": self._made_by}
        self._append(json.dumps(row).encode() + b"\n")
        self._remember(row)

    def finish(self) -> None:
        """Bring everything onto the disk, in the file's format and with one row a photo; nothing is added after."""
        if _WINDOWS and (self._table is not None or self._repeated):
            self._file.close()  # there, what is open can be neither replaced nor deleted
        if self._table is not None:
            if self._gathered:
                with replacing(self._target) as temporary, naming_write_errors(self._target):
                    self._table.write(temporary, chain(self._rows_of_table(), self._rows()))
                self.path.unlink()
                self._gathered.clear()
        elif self._repeated:
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                file.writelines(json.dumps(row).encode() + b"\n" for row in self._rows())
            self._repeated = False
        else:
            with naming_write_errors(self.path):
                os.fsync(self._file)

    def close(self) -> None:
        """Leave the file as it is."""
        self._file.close()
        if self._table is not None and not self._gathered:
            self.path.unlink(missing_ok=True)

    def _is_missing(self, photo: ImageSource, version: Version) -> bool:
        entry = self.entries.get(self.name(photo.name))
        # Tried again though nothing tells that it changed: a network may fail, and the limit of pixels be raised.
        if entry is None or entry.is_over_limit or (entry.failed and is_remote(photo.name)):
            return True
        return entry.version != version

    def _remember(self, row: Row) -> None:
        self._repeated |= row["photo"] in self._gathered
        self._gathered.add(row["photo"])
        self.entries[row["photo"]] = self._entry(row, self.path)

    def _entry(self, row: Row, path: Path) -> Entry:
        if row["made_by"] != self._made_by:
            raise other_maker(path, row["made_by"], self._made_by)
        error = row["error"]
        return Entry(Version(row["size"], row["modified_ns"]), error is not None, "--max-megapixels" in (error or ""))

    def _entries_of_table(self) -> Iterator[tuple[str, Entry]]:
        if self._table is None or not self._target.exists():
            return
        try:
            for row in self._table.read(self._target, _ENTRY_FIELDS):
                yield row["photo"], self._entry(row, self._target)
        except SightlineError:
            raise
        except Exception as error:  # csv, pyarrow and decoders raise classes of their own
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise self._foreign(self._target, reason) from None

    def _rows_of_table(self) -> Iterator[Row]:
        """The rows of the CSV or Parquet file of which none was gathered since."""
        if self._table is not None and self._target.exists():
            yield from (row for row in self._table.read(self._target) if row["photo"] not in self._gathered)

    def _rows(self) -> Iterator[Row]:
        """Every gathered photo's last row, in the order of the file."""
        last = {row["photo"]: number for number, (_, row) in enumerate(self._records())}
        return (row for number, (_, row) in enumerate(self._records()) if last[row["photo"]] == number)

    def _load(self) -> int:
        """Fill `entries`; returns where the last whole row ends."""
        end = 0
        for record, row in self._records():
            self._remember(row)
            end += len(record)
        return end

    def _records(self) -> Iterator[tuple[bytes, Row]]:
        """Every whole line with its row; a SightlineError if one is no row. A last one that was cut off is skipped."""
        with self.path.open("rb") as file:
            start = file.read(len(_START))
            if not _START.startswith(start):  # a line that was cut off may be truncated; anything else would be lost
                raise self._foreign(self.path, "line 1")
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    row = json.loads(line)
                    yield line, {name: row[name] for name in KEPT}
                except (ValueError, KeyError, TypeError):
                    raise self._foreign(self.path, f"line {number}") from None

    def _foreign(self, path: Path, reason: str) -> SightlineError:
        return SightlineError(
            f"{path}: not made by `caption --out` ({reason}); name another --out, or start anew with --overwrite"
        )

    def _append(self, line: bytes) -> None:
        try:
            with naming_write_errors(self.path):
                rest = memoryview(line)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += len(line)


def caption_into(
    rows: RowFile, captioner: Captioner, photos: Mapping[ImageSource, Version], **options: Any
) -> Generator[Caption | SightlineError]:
    """Caption ``photos``, as `RowFile.missing` gave them, into ``rows``; each result comes once its row is written.

    ``options`` as with `Captioner.stream`.

    Raises:
        SightlineError: an option is impossible, or the file cannot be written any more; it then holds whole rows.
    """
    version_of = {photo.name: version for photo, version in photos.items()}
    with closing(captioner.stream(loaded(photos), **options)) as results:  # type: ignore[type-var]
        for result in results:
            row = caption_row(result)
            rows.add(row, version_of[row["photo"]])
            yield result


def _table(path: Path) -> CsvTable | ParquetTable | None:
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".csv", ".parquet"):
        raise SightlineError(f"{path}: what is written is .jsonl, .csv or .parquet; name one of these")
    if suffix == ".jsonl":
        return None
    return CsvTable() if suffix == ".csv" else ParquetTable(path)


def _lock(file: FileIO, path: Path) -> None:
    """Let no second process append to the file, until this one ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # not POSIX
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SightlineError(f"{path}: another process is writing it; wait for that, or name another --out") from None
    except OSError:  # a file system without locks
        return
