"""One file for all photos: the table that ExifTool imports, and COCO's results."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from sightline.errors import SightlineError
from sightline.images.source import FileSource, ImageSource
from sightline.writers.writer import NothingCanBeWritten, Writer, lock, register_writer, replace_file

COLUMNS = {"description": "XMP-dc:Description", "alt": "XMP-iptcCore:AltTextAccessibility"}
SUBJECT, SEPARATOR = "XMP-dc:Subject", ", "


class Entry(NamedTuple):
    """A photo, as the file names it, its caption and its keywords."""

    photo: str | int
    text: str
    keywords: tuple[str, ...] = ()


@dataclass
class ListFile(Writer):
    """A file of entries that is whole after each of them: its end is written anew with every entry, at once.

    Attributes:
        out: the file.
        no_keywords: whether keywords are left out.
    """

    out: Path | None = None
    no_keywords: bool = False
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
    def entry(self, entry: Entry) -> bytes:
        """An entry as the file has it."""

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

    def write(self, photo: ImageSource, text: str, keywords: Sequence[str] = ()) -> bool:
        if self._file is None:
            self._file = self._open()
        if (name := self.name(photo)) in self._entries:
            return False
        separator = self.separator if self._entries else b""
        entry = Entry(name, text, () if self.no_keywords else tuple(keywords))
        try:
            self._put(self._file, separator + self.entry(entry) + self.tail)
        except OSError as error:
            reason = f"cannot be written ({error.strerror}); make room, and start again"
            raise NothingCanBeWritten(f"{self._path}: {reason}") from None
        self._entries[name] = entry
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
        entries = self.separator.join(map(self.entry, self._entries.values()))
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

    def _load(self) -> dict[str | int, Entry]:
        if self.existing == "overwrite" or not self._path.exists():
            return {}
        try:
            content = self._path.read_bytes().decode(errors="surrogateescape")
            return {entry.photo: entry for entry in self.entries(content)} if content.strip() else {}
        except (ValueError, KeyError, TypeError, csv.Error):
            raise SightlineError(
                f"{self._path}: not as --write {self.suffix[1:]} makes it; name another --out, or start anew with"
                " --existing overwrite"
            ) from None


@register_writer("csv")
@dataclass
class ExifToolTable(ListFile):
    """``SourceFile,XMP-dc:Description,XMP-dc:Subject``, for ``exiftool -sep ", " -csv=FILE PHOTOS``."""

    field: str = "description"
    suffix, separator, tail = ".csv", b"", b""

    def name(self, photo: ImageSource) -> str:
        if not isinstance(photo, FileSource):
            raise SightlineError(f"{photo.name}: no file of its own, which ExifTool needs; use --write json")
        return photo.name

    def entry(self, entry: Entry) -> bytes:
        line = io.StringIO()
        csv.writer(line).writerow((entry.photo, entry.text, SEPARATOR.join(entry.keywords)))
        return line.getvalue().encode(errors="surrogateescape")

    def head(self) -> bytes:
        return self.entry(Entry("SourceFile", COLUMNS[self.field], (SUBJECT,)))

    def entries(self, content: str) -> Iterator[Entry]:
        """Of a last line that was cut off when the computer stopped, none."""
        rows = csv.reader(io.StringIO(content[: content.rfind("\n") + 1], newline=""))
        if next(rows, None) != ["SourceFile", COLUMNS[self.field], SUBJECT]:
            raise ValueError("other columns")
        yield from (Entry(photo, text, tuple(filter(None, words.split(SEPARATOR)))) for photo, text, words in rows)


@register_writer("json")
@dataclass
class CocoResults(ListFile):
    """``[{"image_id": 391895, "caption": "..."}]``: COCO's number for its photos and those named alike, or the name.

    ``keywords`` is a third key, a list, where there are any.
    """

    suffix, separator, tail = ".json", b",\n", b"\n]\n"

    def name(self, photo: ImageSource) -> str | int:
        number = re.fullmatch(r"(?:COCO_\w+_)?(\d{1,18})", PurePosixPath(photo.name).stem, re.ASCII)
        return int(number[1]) if number else photo.name

    def entry(self, entry: Entry) -> bytes:
        keywords = {"keywords": entry.keywords} if entry.keywords else {}
        return json.dumps({"image_id": entry.photo, "caption": entry.text, **keywords}).encode()

    def head(self) -> bytes:
        return b"[\n"

    def entries(self, content: str) -> Iterator[Entry]:
        for entry in json.loads(content):
            photo, text, keywords = entry["image_id"], entry["caption"], entry.get("keywords", [])
            if not isinstance(photo, str | int) or not set(entry) <= {"image_id", "caption", "keywords"}:
                raise ValueError("other keys")
            yield Entry(photo, text, tuple(map(str, keywords)))
