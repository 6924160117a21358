"""One file for all photos: the table that ExifTool imports, and COCO's results."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import ClassVar, TypeAlias

from sightline.errors import SightlineError
from sightline.images.source import FileSource, ImageSource
from sightline.writers.writer import NothingCanBeWritten, Writer, lock, register_writer, replace_file

Entry: TypeAlias = tuple[str | int, str]  # a photo, and its caption

COLUMNS = {"description": "XMP-dc:Description", "alt": "XMP-iptcCore:AltTextAccessibility"}


@dataclass
class ListFile(Writer):
    """A file of entries that is whole after each of them: its end is written anew with every entry, at once.

    Attributes:
        out: the file.
    """

    out: Path | None = None
    takes: ClassVar = ("skip", "overwrite")
    suffix: ClassVar[str]
    separator: ClassVar[bytes]
    tail: ClassVar[bytes]  # what is behind the last entry

    def __post_init__(self) -> None:
        if self.out is None or self.out.suffix.lower() != self.suffix:
            raise SightlineError(f"--write {self.suffix[1:]} needs --out FILE{self.suffix}")
        self._path = self.out
        self._file: FileIO | None = None
        self._photos: dict[str | int, str] = {}  # of this run, by how the file names them
        self._entries = self._load()

    @abstractmethod
    def name(self, photo: ImageSource) -> str | int:
        """How the file names a photo."""

    @abstractmethod
    def entry(self, photo: str | int, text: str) -> bytes:
        """A photo's entry in the file."""

    @abstractmethod
    def head(self) -> bytes:
        """What is in front of the entries."""

    @abstractmethod
    def entries(self, content: str) -> Iterable[Entry]:
        """The entries of a whole file; `ValueError` where it holds something else."""

    def is_done(self, photo: ImageSource) -> bool:
        name = self.name(photo)
        if (other := self._photos.setdefault(name, photo.name)) != photo.name:
            raise SightlineError(f"{photo.name}: {name} in {self._path} is {other} already; rename one of the two")
        return name in self._entries

    def write(self, photo: ImageSource, text: str) -> bool:
        if self._file is None:
            self._file = self._open()
        if (name := self.name(photo)) in self._entries:
            return False
        separator = self.separator if self._entries else b""
        try:
            self._put(self._file, separator + self.entry(name, text) + self.tail)
        except OSError as error:
            reason = f"cannot be written ({error.strerror}); make room, and start again"
            raise NothingCanBeWritten(f"{self._path}: {reason}") from None
        self._entries[name] = text
        return True

    def close(self) -> None:
        if self._file is not None:
            with self._file as file, suppress(OSError):
                os.fsync(file)

    def _put(self, file: FileIO, content: bytes) -> None:
        """Write over the end in one go; where that fails, the end is as it was."""
        try:
            file.seek(self._end)
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            with suppress(OSError):
                file.seek(self._end)
                file.write(self.tail)
                file.truncate()
            raise
        self._end += len(content) - len(self.tail)

    def _open(self) -> FileIO:
        """The file, of this writer's form, with the entries that are to stay, and locked."""
        file = self._locked()
        self._entries = self._load()  # another process may have added some until it was locked
        entries = self.separator.join(self.entry(*entry) for entry in self._entries.items())
        whole = self.head() + entries + self.tail
        self._end = len(whole) - len(self.tail)
        if self._path.read_bytes() == whole:
            return file
        if os.name == "nt":  # which replaces no file that is open
            file.close()
        replace_file(self._path, whole)
        file.close()
        return self._locked()

    def _locked(self) -> FileIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = FileIO(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o666), "r+")
        except OSError as error:
            reason = f"cannot be written ({error.strerror}); name another --out"
            raise NothingCanBeWritten(f"{self._path}: {reason}") from None
        try:
            lock(file, self._path, self._path)
        except SightlineError as error:
            file.close()
            raise NothingCanBeWritten(str(error)) from None
        return file

    def _load(self) -> dict[str | int, str]:
        if self.existing == "overwrite" or not self._path.exists():
            return {}
        try:
            content = self._path.read_bytes().decode(errors="surrogateescape")
            return dict(self.entries(content)) if content.strip() else {}
        except (ValueError, KeyError, TypeError, csv.Error):
            raise SightlineError(
                f"{self._path}: not as --write {self.suffix[1:]} makes it; name another --out, or start anew with"
                " --existing overwrite"
            ) from None


@register_writer("csv")
@dataclass
class ExifToolTable(ListFile):
    """``SourceFile,XMP-dc:Description``, for ``exiftool -csv=FILE PHOTOS``."""

    field: str = "description"
    suffix, separator, tail = ".csv", b"", b""

    def name(self, photo: ImageSource) -> str:
        if not isinstance(photo, FileSource):
            raise SightlineError(f"{photo.name}: no file of its own, which ExifTool needs; use --write json")
        return photo.name

    def entry(self, photo: str | int, text: str) -> bytes:
        line = io.StringIO()
        csv.writer(line).writerow((photo, text))
        return line.getvalue().encode(errors="surrogateescape")

    def head(self) -> bytes:
        return self.entry("SourceFile", COLUMNS[self.field])

    def entries(self, content: str) -> Iterator[Entry]:
        """Of a last line that was cut off when the computer stopped, none."""
        rows = csv.reader(io.StringIO(content[: content.rfind("\n") + 1], newline=""))
        if next(rows, None) != ["SourceFile", COLUMNS[self.field]]:
            raise ValueError("other columns")
        yield from ((photo, text) for photo, text in rows)


@register_writer("json")
@dataclass
class CocoResults(ListFile):
    """``[{"image_id": 391895, "caption": "..."}]``: COCO's number for its photos and those named alike, or the name."""

    suffix, separator, tail = ".json", b",\n", b"\n]\n"

    def name(self, photo: ImageSource) -> str | int:
        number = re.fullmatch(r"(?:COCO_\w+_)?(\d{1,18})", PurePosixPath(photo.name).stem, re.ASCII)
        return int(number[1]) if number else photo.name

    def entry(self, photo: str | int, text: str) -> bytes:
        return json.dumps({"image_id": photo, "caption": text}).encode()

    def head(self) -> bytes:
        return b"[\n"

    def entries(self, content: str) -> Iterator[Entry]:
        for entry in json.loads(content):
            photo, text = entry["image_id"], entry["caption"]
            if not isinstance(photo, str | int) or set(entry) != {"image_id", "caption"}:
                raise ValueError("other keys")
            yield photo, text
