"""Which photos a person's arguments mean: one finder for `caption`, `explain`, `export` and every bulk engine."""

# Half a million names are many, and Path.is_dir raises where a folder above may not be entered:
# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH114, PTH116, PTH117, PTH118, PTH123, PTH207
from __future__ import annotations

import codecs
import glob
import logging
import math
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TextIO, TypeAlias

from sightline.errors import SightlineError
from sightline.images.containers import (
    SHARD_SUFFIXES,
    TABLE_SUFFIXES,
    Content,
    NoPhotoColumn,
    RowGroup,
    Shard,
    table_photos,
)
from sightline.images.formats import UnsupportedFormat, is_hidden, is_photo, unsupported_format
from sightline.images.source import BrokenSource, FileSource, ImageSource, UrlSource, file_system, is_remote

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
File: TypeAlias = ImageSource | Shard | RowGroup

# What `explain` writes into its PNGs, before the pixels: PNG's text chunk is keyword, NUL, value.
SHEET_KEYWORD, SHEET_VALUE = "Software", "sightline explain"
_SHEET_MARK = f"tEXt{SHEET_KEYWORD}\0{SHEET_VALUE}".encode()
_SHEET_HEAD = 256

_log = logging.getLogger(__name__)


class PhotoFinder:
    """The photos that arguments mean, found as they are asked for.

    - A folder means the photos in it and in its sub-folders, by name, and the shards and tables of photos there. A
      linked sub-folder is entered once, unless it was already; hidden files and folders, and those that systems keep
      for themselves (``@eaDir``, ``#recycle``, ``__MACOSX``), are left out of all that is not named.
    - A pattern (``holiday/*.jpg``, ``**/*.png``) that the shell left as it is means the files that it matches, and
      the photos in folders that it matches.
    - A tar file (``.tar``, ``.tar.gz``) means the photos in it, a Parquet file those whose bytes or paths it holds.
    - ``-`` means the files that standard input lists; a URL, the file, the folder or the pattern there.
    - Any other name means itself, whether there is such a file or not: reading it then fails.

    Sheets that `explain` drew are left out. Of what folders and patterns give, kinds of photos that cannot be read
    here are left out and counted.

    Attributes:
        left_out: the number of photos and arguments left out so far that the caller was told of as problems.
    """

    def __init__(
        self,
        names: Source,
        tell: Callable[[str], object] | None = None,
        *,
        column: str | None = None,
        absolute: bool = False,
        stdin: TextIO | None = None,
    ) -> None:
        """Prepare to look; nothing is listed yet.

        Args:
            tell: is called with a line about whatever is left out; by default it is logged as a warning.
            column: of Parquet files, the photos' column, see `table_photos`.
            absolute: whether paths become absolute, as other processes need them.
            stdin: read for ``-``; by default `sys.stdin`.
        """
        given = [names] if isinstance(names, str | os.PathLike) else names
        self._names = [os.fspath(name) for name in given]
        self._tell = tell or (lambda line: _log.warning("sightline: %s", line))
        self._column, self._absolute, self._stdin = column, absolute, stdin
        self.left_out = 0
        self._unsupported: Counter[UnsupportedFormat] = Counter()
        self._sheets = 0

    def __iter__(self) -> Iterator[ImageSource]:
        """Every photo once, without its bytes."""
        for file in self.files(once=True):
            yield from file.listed() if isinstance(file, Shard | RowGroup) else (file,)

    def contents(self) -> Iterator[Content]:
        """Every photo as often as it was named; those in shards and tables with their bytes, to be opened at once."""
        for file in self.files():
            yield from file if isinstance(file, Shard | RowGroup) else (file,)

    def files(self, once: bool = False) -> Iterator[File]:
        """Photos, and shards and row groups, into which nobody has looked; ``once``: none twice."""
        seen: set[object] = set()
        for name in self._names:
            for file in self._meant_by(name):
                if once:
                    if (key := _identity(file, self._absolute)) in seen:
                        continue
                    seen.add(key)
                yield file
        for kind, count in self._unsupported.items():
            self._tell(f"left out {count:,} {kind.name}{'s' * (count != 1)}; {kind.advice}")
        if self._sheets:
            self._tell(f"left out {self._sheets:,} sheet{'s' * (self._sheets != 1)} that an earlier explain drew")
        self._unsupported.clear()
        self._sheets = 0

    def nothing_found(self) -> SightlineError:
        """The error where there is no photo at all."""
        return SightlineError(f"no photos found in {', '.join(self._names) or 'an empty list'}")

    def _meant_by(self, name: str) -> Iterator[File]:
        if name == "-":
            for line in read_list(sys.stdin if self._stdin is None else self._stdin):
                yield from self._file(self._path(line), is_named=True)
        elif not name:
            self._leave_out("'': an empty name is no photo; the current folder is .")
        elif is_remote(name):
            yield from self._remote(name)
        elif os.path.isdir(path := self._path(name)):
            yield from self._or_tell(self._below(path), f"{path}: no photos in this folder")
        elif glob.has_magic(path) and not os.path.lexists(path):
            yield from self._or_tell(self._matching(path), f"{path}: no such file")
        else:
            yield from self._file(path, is_named=True)

    def _path(self, name: str) -> str:
        if not self._absolute or is_remote(name):
            return name
        return os.path.normpath(name) if os.path.isabs(name) else os.path.abspath(name)  # the first is quicker

    def _or_tell(self, files: Iterable[File], nothing: str) -> Iterator[File]:
        before, none = self.left_out, True
        for file in files:
            none = False
            yield file
        if none and self.left_out == before:
            self._leave_out(nothing)

    def _leave_out(self, line: str) -> None:
        self.left_out += 1
        self._tell(line)

    def _file(self, path: str, is_named: bool) -> Iterator[File]:
        """A file that was named; or one of a folder, where photos alone count."""
        if is_photo(path):
            if is_remote(path):
                yield UrlSource(path)
            elif is_sheet(path):
                self._sheets += is_named
            else:
                yield FileSource(path)
        elif path.lower().endswith(SHARD_SUFFIXES):
            yield Shard(path)
        elif path.lower().endswith(TABLE_SUFFIXES):
            yield from self._table(path, is_named)
        elif is_named:
            yield UrlSource(path) if is_remote(path) else FileSource(path)
        elif kind := unsupported_format(path):
            self.left_out += 1
            self._unsupported[kind] += 1

    def _table(self, path: str, is_named: bool) -> Iterator[File]:
        """A table beside photos may be anything; only one of photos' bytes counts."""
        try:
            yield from table_photos(path, self._column, with_paths=is_named)
        except SightlineError as error:
            if is_named:
                yield BrokenSource(path, str(error).removeprefix(f"{path}: "))
            elif not isinstance(error, NoPhotoColumn):
                self._leave_out(str(error))

    def _below(self, folder: str) -> Iterator[File]:
        """The files of a folder and of those below it, by name."""
        for path in sorted(self._paths([folder])):
            yield from self._file(path, is_named=False)

    def _paths(self, folders: Iterable[str]) -> list[str]:
        walked = walk(folders, self._leave_out_folder)
        return [path for folder, files in walked for path in (os.path.join(folder, file) for file in files)]

    def _leave_out_folder(self, error: OSError) -> None:
        self._leave_out(f"{error.filename}: this folder cannot be read ({error.strerror})")

    def _matching(self, pattern: str) -> Iterator[File]:
        """The files that a pattern matches, and those in folders that it matches."""
        recursive = "**" in Path(pattern).parts
        folders, files = list[str](), set[str]()
        for path in self._matches(pattern):
            if os.path.isdir(path):
                if not (recursive and os.path.islink(path)):  # which ** has entered
                    folders.append(path)
            elif os.path.isfile(path) or not os.path.exists(path):  # no pipe; of a broken link, only reading can tell
                files.add(path)
        for path in sorted(files.union(self._paths(folders))):
            is_known = is_photo(path) or unsupported_format(path) or path not in files
            yield from self._file(path, is_named=not is_known)

    def _matches(self, pattern: str) -> list[str]:
        """What `glob.glob` finds, in order, but that ``**`` follows links as folders do."""
        parts = Path(pattern).parts
        if "**" not in parts:
            return sorted(path for path in glob.glob(pattern) if not _is_hidden_to(parts, Path(path).parts))
        at = parts.index("**")
        tops = glob.glob(os.path.join(*parts[:at])) if at else [os.curdir]
        if parts[at:] == ("**",):
            return sorted(tops)
        paths: set[str] = set()
        for folder, _ in walk(filter(os.path.isdir, tops), self._leave_out_folder):
            paths.update(self._matches(os.path.join(glob.escape(folder), *parts[at + 1 :])))
        return sorted(path if at else path.removeprefix(os.path.join(os.curdir, "")) for path in paths)

    def _remote(self, url: str) -> Iterator[File]:
        scheme = url.partition("://")[0]
        is_file = is_photo(url) or url.lower().endswith((*SHARD_SUFFIXES, *TABLE_SUFFIXES))
        if scheme in ("http", "https") or (is_file and not glob.has_magic(url)):
            yield from self._file(url, is_named=True)
            return
        try:
            system, path = file_system(url)
            if glob.has_magic(path):
                paths = system.glob(path)
            elif system.isdir(path):
                paths = system.find(path)
            else:
                yield from self._file(url, is_named=True)
                return
        except Exception as error:  # every file system raises classes of its own
            yield BrokenSource(url, f"cannot be reached ({' '.join(str(error).split())})")
            return
        named = len(re.split(r"[*?[]", path)[0])
        paths = sorted(each for each in paths if not is_hidden(each[named:]))
        urls = [path if is_remote(path) else f"{scheme}://{path}" for path in paths]
        yield from self._or_tell(
            (file for each in urls for file in self._file(each, is_named=False)), f"{url}: no photos there"
        )


def walk(
    tops: Iterable[str], failed: Callable[[OSError], object], depth: float = math.inf
) -> Iterator[tuple[str, list[str]]]:
    """Folders with the names of their files, nothing hidden; linked folders come last, and none twice.

    ``failed`` is called with the error where a folder cannot be read; ``depth``: of the folders below ``tops``.
    """
    waiting, linked = deque[tuple[str, int]](), deque[tuple[str, int]]()
    seen = set[tuple[int, int]]()
    for top in tops:
        (linked if os.path.islink(top) else waiting).append((top, 0))
    while waiting or linked:
        folder, level = waiting.popleft() if waiting else linked.popleft()
        files = []
        try:
            status = os.stat(folder)
            if (identity := (status.st_dev, status.st_ino)) in seen:
                continue
            seen.add(identity)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    if entry.is_dir():
                        if level < depth:
                            (linked if entry.is_symlink() else waiting).append((entry.path, level + 1))
                    elif entry.is_file() or entry.is_symlink():  # of a broken link, only reading can tell
                        files.append(entry.name)
        except OSError as error:
            failed(error)
        yield folder, files


def _is_hidden_to(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a pattern matches a hidden name without beginning as that does; of names with a dot, glob sees to it."""
    pairs = zip(pattern, parts, strict=False)
    return any(is_hidden(part) and glob.has_magic(wanted) and wanted[0] != part[0] for wanted, part in pairs)


def is_sheet(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a sheet that `explain` drew; False where it cannot be read."""
    if os.fspath(path)[-4:].lower() != ".png":
        return False
    try:
        with open(path, "rb") as file:
            return _SHEET_MARK in file.read(_SHEET_HEAD)
    except (OSError, ValueError):
        return False


def read_list(stream: TextIO | None) -> Iterator[str]:
    """The names of a list, one a line or each ended by NUL (``find -print0``), as they come, but for empty ones.

    It is in the system's encoding, or in UTF-8 with a byte-order mark. Names need not be valid text: bytes that are
    none come back as they were.

    Raises:
        SightlineError: there is no standard input, or it cannot be read.
    """
    if stream is None:
        raise SightlineError("-: stdin is closed; pipe a list of photos into it, or name the photos")
    try:
        for name in _split(_chunks(stream.buffer)):
            if name:
                yield os.fsdecode(name)
    except OSError as error:
        raise SightlineError(f"-: stdin cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:  # on Windows alone; elsewhere names may be any bytes
        raise SightlineError("-: the list on stdin is not in UTF-8; save it as UTF-8") from None


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The separator that is met first is the list's; NUL before a line's end, as no name can hold one."""
    separator, rest = b"", b""
    for chunk in chunks:
        rest += chunk
        separator = separator or next((mark for mark in (b"\0", b"\n") if mark in rest), b"")
        if separator:
            *whole, rest = rest.split(separator)
            yield from (name.removesuffix(b"\r") if separator == b"\n" else name for name in whole)
    yield rest.removesuffix(b"\r")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """A file's bytes as soon as they are there, without a byte-order mark."""
    read = getattr(file, "read1", file.read)
    head = read(1 << 16)
    while len(head) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(head) and (more := read(1 << 16)):
        head += more
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SightlineError("-: the list on stdin is UTF-16; save it as UTF-8")
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from iter(lambda: read(1 << 16), b"")


def _identity(file: File, is_absolute: bool) -> object:
    """What two names of one file share."""
    if isinstance(file, FileSource):
        return file.path if is_absolute else os.path.abspath(file.path)
    if isinstance(file, Shard) and not is_remote(file.path):
        return Shard(os.path.abspath(file.path))
    if isinstance(file, RowGroup) and not is_remote(file.table):
        return os.path.abspath(file.table), file.number
    return file
