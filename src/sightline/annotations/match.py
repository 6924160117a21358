"""Which file each name of a dataset means, though folders, case or suffix differ, as long as it can be one only."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

from sightline.annotations.split_names import split_in
from sightline.images.formats import is_photo
from sightline.images.source import FileSource, ImageSource

_DEPTH = 4
# COCO's ids are in its files' names, and no two photos share one.
_COCO_FILE = re.compile(r"(?:COCO_\w+_)?(\d{12})")
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d{1,12})")

Key = Callable[[str], str]


@dataclass(frozen=True)
class Found:
    """The photos of a dataset.

    Attributes:
        photos: name -> where it is; of files that nothing names but that lie beside those that are named, too.
        unclear: names that could mean several files, or one that others could mean, too -> what was found.
    """

    photos: dict[str, ImageSource]
    unclear: dict[str, str]


def find_photos(root: Path, named: Collection[str], *, whole: bool = False, unique: bool = False) -> Found:
    """Find each of ``named`` below ``root``, up to four folders deep, or where it says itself, if that lies elsewhere.

    In this order: the path as it is; the file name in another folder, the one that shares most of its last folders;
    the same without regard to case; without regard to the suffix; by COCO's number. What one name means by a surer
    way, another does not mean by a lesser; a photo under ``train/`` is not meant by a name under ``val/``.

    No file is opened or looked at, and folders are listed once: 200,000 photos take a second.

    Args:
        root: the dataset's folder.
        named: what its files call the photos; ``\\`` is read as ``/``.
        whole: whether all photos right in ``root`` are the dataset's, even if none is named.
        unique: whether file names are, so that the folder's name says nothing.
    """
    search = _Search(named, unique)
    search.list_below(root)
    search.take_named()
    search.match(_same, whole_path=True)
    for key in (_same, str.casefold, stem_of):
        search.match(key)
    search.unique = True
    search.match(partial(_number, _COCO_NAME), partial(_number, _COCO_FILE))
    return search.found(root, whole)


class _Search:
    """Names not yet found and files not yet taken; ``match`` brings them together by one key after the other."""

    def __init__(self, named: Iterable[str], unique: bool) -> None:
        self.paths = {name: _composed(name).replace("\\", "/") for name in named}
        self.unique = unique
        self.left = dict.fromkeys(self.paths)
        self.files: dict[str, str] = {}  # path as it is compared -> path to open
        self.names: dict[str, str] = {}  # the same path -> the name that means it
        self.unclear: dict[str, str] = {}

    def list_below(self, root: Path) -> None:
        """List ``root``, and the folders that names lead to and that are not below it."""
        wanted = {base_of(path) for path in self.paths.values()}
        led_to = {folder_of(path) for path in self.paths.values()}
        listed = {""}
        for folder, path, files in walk(os.fspath(root)):
            listed.add(folder)
            self._take(folder, path, files, wanted)
        for folder in sorted(led_to - listed):
            path = os.path.join(root, folder)  # noqa: PTH118
            if os.path.isdir(path):  # noqa: PTH112
                self._take(folder, path, os.listdir(path), wanted)  # noqa: PTH208

    def _take(self, folder: str, path: str, files: Iterable[str], wanted: Collection[str]) -> None:
        for file in sorted(files):  # names, not a Path for each of a million
            name = _composed(file)
            if not file.startswith(".") and (is_photo(file) or name in wanted):
                self.files[folder + name] = os.path.join(path, file)  # noqa: PTH118

    def take_named(self) -> None:
        """Give each name the file whose path it is."""
        for name in self.left:
            if (path := self.paths[name]) in self.files:
                self.names.setdefault(path, name)
        for name in self.names.values():
            del self.left[name]

    def match(self, key: Key, file_key: Key | None = None, whole_path: bool = False) -> None:
        """Give each name that is left the one file of the same key; ``whole_path``: only if all its folders agree."""
        if not self.left:
            return
        index: dict[str, list[str]] = {}
        for path in self.files:
            if path not in self.names and (found := (file_key or key)(base_of(path))):
                index.setdefault(found, []).append(path)
        claims: dict[str, list[str]] = {}
        for name in list(self.left):
            path = self.paths[name]
            files = index.get(key(base_of(path)), ())
            meant = self._closest(path, files, whole_path)
            if len(meant) == 1:
                claims.setdefault(meant[0], []).append(name)
            elif meant:
                self._leave(name, " or ".join(sorted(meant)[:3]))
        for file, names in claims.items():
            if len(names) == 1:
                self.names[file] = names[0]
                del self.left[names[0]]
            else:
                for name in names:
                    others = ", ".join(sorted(other for other in names if other != name)[:2])
                    self._leave(name, f"{file}, as could {others}")

    def _closest(self, path: str, files: Collection[str], whole_path: bool) -> list[str]:
        """The files that share most of the path's last folders; several only if these are equally close."""
        if whole_path:
            return [file for file in files if file.endswith(f"/{path}")]
        if not self.unique and (home := split_in(folder_of(path))):
            files = [file for file in files if split_in(folder_of(file)) in ("", home)]
        if len(files) < 2:
            return list(files)
        shared = {file: _shared(path, file) for file in files}
        most = max(shared.values())
        return [file for file, count in shared.items() if count == most]

    def _leave(self, name: str, told: str) -> None:
        self.unclear[name] = told
        del self.left[name]

    def found(self, root: Path, whole: bool) -> Found:
        # How names call the folder of a file -> what they call its other files.
        prefixes = {"": ""} if whole else {}
        for file, name in self.names.items():
            path = self.paths[name]
            prefixes.setdefault(folder_of(file), folder_of(path))
        photos: dict[str, ImageSource] = {}
        for file, path in self.files.items():
            if file in self.names:
                photos[self.names[file]] = FileSource(path)
            elif (folder := folder_of(file)) in prefixes and is_photo(file):
                name = prefixes[folder] + base_of(file)
                if name not in self.paths:
                    photos.setdefault(name, FileSource(path))
        return Found(photos, self.unclear)


def walk(
    path: str, folder: str = "", depth: int = _DEPTH, above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str, list[str]]]:
    """``folder``, ``""`` or ending in ``/``, its path and its files, and those below; links lead in no circle."""
    real = os.path.realpath(path)
    if real in above:
        return
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                (folders if entry.is_dir() else files).append(entry.name)
    except PermissionError:
        if not folder:
            raise
        return  # as lost+found; photos that are missing for it are told as missing
    yield folder, path, files
    for name in sorted(folders) if depth else ():
        if not name.startswith("."):
            inner = os.path.join(path, name)  # noqa: PTH118
            yield from walk(inner, f"{folder}{_composed(name)}/", depth - 1, above | {real})


def folder_of(path: str) -> str:
    """What stands before the file's name, ``""`` or ending in ``/``."""
    return path[: path.rfind("/") + 1]


def base_of(path: str) -> str:
    """The file's name."""
    return path[path.rfind("/") + 1 :]


def _shared(one: str, other: str) -> int:
    here, there = (reversed(folder_of(path).casefold().split("/")) for path in (one, other))
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))


def _same(base: str) -> str:
    return base


def stem_of(base: str) -> str:
    """A file's name without the suffix of a photo and regard to case, by which photos are compared."""
    return (base[: base.rfind(".")] if is_photo(base) else base).casefold()


def _number(pattern: re.Pattern[str], base: str) -> str:
    match = pattern.fullmatch(base[: base.rfind(".")] if is_photo(base) else base)
    return match[1].lstrip("0") if match else ""


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
