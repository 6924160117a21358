"""A file of rows that grows a whole row at a time, whatever ends the process, and goes on where it was left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Self

from sightline.bulk.formats import TextFormat
from sightline.bulk.row import Row
from sightline.errors import SightlineError
from sightline.model_folder import naming_write_errors, replacing


class Version(NamedTuple):
    """Which state of a photo's file a row speaks of; None and None where there was none."""

    size: int | None
    modified_ns: int | None


class Entry(NamedTuple):
    """What is known of a photo's row without its words."""

    version: Version
    failed: bool


def version(photo: str) -> Version:
    """The state of a photo's file as it is now."""
    try:
        found = os.stat(photo)  # noqa: PTH116  (a hundred thousand of them take a moment)
    except (OSError, ValueError):
        return Version(None, None)
    return Version(found.st_size, found.st_mtime_ns)


def other_maker(path: object, theirs: str, ours: str) -> SightlineError:
    """Why captions that something else made are not added to."""
    return SightlineError(
        f"{path}: its captions were made by {theirs}, these would be by {ours}; name another --out, or start anew with"
        " --overwrite"
    )


class Rows:
    """What a file knows of photos.

    Attributes:
        path: where new rows are.
        entries: photo, by the name it has in the file -> what its row says.
    """

    path: Path
    entries: dict[str, Entry]

    def name(self, photo: str) -> str:
        """The name that a photo has in the file."""
        return photo

    def missing(self, photos: Iterable[str]) -> dict[str, Version]:
        """The photos of which no row speaks, or only of an earlier state of their file; with their state."""
        states = ((photo, version(photo), self.entries.get(self.name(photo))) for photo in photos)
        return {photo: state for photo, state, entry in states if entry is None or entry.version != state}

    def failed(self, photos: Iterable[str]) -> int:
        """Of how many photos the row is an error."""
        return sum(self.entries[self.name(photo)].failed for photo in photos)

    def add(self, row: Row, state: Version) -> None:
        """Append a photo's row; when this returns, it is on file whole."""
        raise NotImplementedError

    def finish(self) -> None:
        """Bring everything onto the disk, with one row a photo."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the file as it is."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RowFile(Rows):
    """Rows in a text format. Of several rows of one photo the last one counts, and `finish` drops the others."""

    def __init__(self, path: Path, text_format: TextFormat, made_by: str, overwrite: bool = False) -> None:
        """Open the file, or make it; ``overwrite`` empties it.

        Raises:
            SightlineError: it holds something else, or rows made by another model or with other options; another
                process writes it; it cannot be written. It is then as it was.
        """
        self.path, self.entries = path, dict[str, Entry]()
        self._format, self._made_by, self._repeated = text_format, made_by, False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise SightlineError(f"{path}: cannot be written ({error.strerror}); name another file") from None
        try:
            _lock(self._file, path)
            self._end = 0 if overwrite else self._load()
            self._file.truncate(self._end)  # a row that was cut off when the process was killed
            if not self._end:
                self._append(text_format.header)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """See `Rows`."""
        self._file.close()

    def add(self, row: Row, state: Version) -> None:
        """See `Rows`; raises `SightlineError` where the disk is full, and leaves whole rows."""
        self._append(self._format.encode({**row, **state._asdict(), "made_by": self._made_by}))
        self._repeated |= row["photo"] in self.entries
        self.entries[row["photo"]] = Entry(state, row["error"] is not None)

    def finish(self) -> None:
        """See `Rows`."""
        if self._repeated:
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                file.write(self._format.header)
                file.writelines(record for record, _ in self._last_ones())
            self._repeated = False
        else:
            with naming_write_errors(self.path):
                os.fsync(self._file)

    def rows(self) -> Iterator[Row]:
        """Every photo's row, in the order of the file."""
        return (row for _, row in self._last_ones())

    def _last_ones(self) -> Iterator[tuple[bytes, Row]]:
        last = {row["photo"]: number for number, (_, row) in enumerate(self._records())}
        return (pair for number, pair in enumerate(self._records()) if last[pair[1]["photo"]] == number)

    def _load(self) -> int:
        """Fill `entries`; returns where the last whole record ends."""
        end = 0
        for record, row in self._records():
            if row["made_by"] != self._made_by:
                raise other_maker(self.path, row["made_by"], self._made_by)
            self._repeated |= row["photo"] in self.entries
            self.entries[row["photo"]] = Entry(Version(row["size"], row["modified_ns"]), row["error"] is not None)
            end += len(record)
        return end + len(self._format.header) if end or self._has_header() else 0

    def _records(self) -> Iterator[tuple[bytes, Row]]:
        """Every whole record; a SightlineError tells of one that is none of ours, but not of a last one cut off."""
        with self.path.open("rb") as file:
            if not self._begins_as_ours(file.read(len(self._format.header) or 1 << 12)):
                raise self._not_ours(1)
            file.seek(len(self._format.header))
            record = b""
            for number, line in enumerate(file, start=1 + bool(self._format.header)):
                record += line
                if self._format.is_whole(record):
                    try:
                        row = self._format.decode(record)
                    except (ValueError, KeyError, TypeError):
                        raise self._not_ours(number) from None
                    yield record, row
                    record = b""

    def _has_header(self) -> bool:
        return self.path.stat().st_size >= len(self._format.header) > 0

    def _begins_as_ours(self, beginning: bytes) -> bool:
        """What was cut off in its first record is still ours; anything else would be cut off, and lost."""
        expected = self._format.header or self._format.start
        return beginning.startswith(expected) or expected.startswith(beginning)

    def _not_ours(self, line: int) -> SightlineError:
        return SightlineError(
            f"{self.path}, line {line}: no row of `caption --out`; name another --out, or start anew with --overwrite"
        )

    def _append(self, record: bytes) -> None:
        try:
            with naming_write_errors(self.path):
                rest = memoryview(record)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end += len(record)


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
