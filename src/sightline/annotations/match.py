"""Match names of photos with files, or with other names of the same photos, where folders, case or suffix differ.

A name is matched only if a single target fits. Keys are tried from the surest to the weakest, see `Matching`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

from sightline.annotations.split_names import split_in
from sightline.errors import SightlineError
from sightline.images.find import walk as walk_folders
from sightline.images.formats import is_photo
from sightline.images.source import FileSource, ImageSource

_DEPTH = 4
# COCO's files are named by their ids, and no two photos share one.
_COCO_FILE = re.compile(r"(?:COCO_\w+_)?(\d{12})")
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d{1,12})")

Key = Callable[[str], str]
_same: Key = str  # the file's name itself


@dataclass(frozen=True)
class FoundPhotos:
    """The photos of a dataset.

    Attributes:
        photos: name -> source; also of photos that no name means, in the folders of those that one means.
        unclear: name -> the files it could mean, or the file that other names could mean, too.
    """

    photos: dict[str, ImageSource]
    unclear: dict[str, str]


class Matching:
    """Match names with targets, key by key; a target that a name means by a surer key is not matched by a weaker one.

    Among several targets of the same key, those win that share most of the path's last folders.

    Attributes:
        paths: name -> the path it is compared as, see `plain_path`.
        pairs, names: name -> the target it means, and target -> name.
        left: names without a target so far.
        several: name -> the targets it could mean; none is taken.
        contested: name -> the target it could mean, and the other names that could mean it.

    Args:
        paths: the targets' paths, as `plain_path` gives them.
        targets: what the paths stand for, aligned; a target may have several paths. Without, the paths themselves.
        unique: file names are unique, so that a folder called for another split does not rule a target out.
    """

    def __init__(
        self, names: Iterable[str], paths: Collection[str], targets: Collection[str] | None = None, unique: bool = False
    ) -> None:
        self.paths = {name: plain_path(name) for name in names}
        self.target_paths, self.targets = paths, paths if targets is None else targets
        self.unique = unique
        self.pairs: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.left = dict.fromkeys(self.paths)
        self.several: dict[str, list[str]] = {}
        self.contested: dict[str, tuple[str, list[str]]] = {}

    def take_equal(self, targets: Mapping[str, str]) -> None:
        """Match the names whose path is a key of ``targets``, path -> target; the first of several such names."""
        for name in list(self.left):
            target = targets.get(self.paths[name])
            if target is not None and target not in self.names:
                self._take(name, target)

    def match(self, key: Key, target_key: Key | None = None, fits: Callable[[str, str], bool] | None = None) -> None:
        """Match names and targets of the same key, by their file names; an empty key, or paths unfit, match nothing."""
        if not self.left:
            return
        index: dict[str, list[tuple[str, str]]] = {}
        for path, target in zip(self.target_paths, self.targets, strict=True):
            if target not in self.names and (found := (target_key or key)(base_of(path))):
                index.setdefault(found, []).append((path, target))
        claims: dict[str, list[str]] = {}
        for name in list(self.left):
            path = self.paths[name]
            candidates: Sequence[tuple[str, str]] = index.get(key(base_of(path)), ())
            if fits:
                candidates = [candidate for candidate in candidates if fits(path, candidate[0])]
            closest = self._closest(path, candidates)
            if len(closest) == 1:
                claims.setdefault(closest[0], []).append(name)
            elif closest:
                self.several[name] = sorted(closest)
                del self.left[name]
        for target, names in claims.items():
            if len(names) == 1:
                self._take(names[0], target)
                continue
            for name in names:
                self.contested[name] = target, sorted(other for other in names if other != name)
                del self.left[name]

    def _take(self, name: str, target: str) -> None:
        self.pairs[name], self.names[target] = target, name
        del self.left[name]

    def _closest(self, path: str, candidates: Sequence[tuple[str, str]]) -> list[str]:
        """The targets that share most of the path's last folders; several only if these are equally close."""
        if candidates and not self.unique and (split := split_in(folder_of(path))):
            candidates = [each for each in candidates if split_in(folder_of(each[0])) in ("", split)]
        if len(candidates) > 1:
            shared = [_shared(path, other) for other, _ in candidates]
            most = max(shared)
            candidates = [each for each, count in zip(candidates, shared, strict=True) if count == most]
        return list(dict.fromkeys(target for _, target in candidates))


def find_photos(root: Path, named: Collection[str], *, whole: bool = False, unique: bool = False) -> FoundPhotos:
    """Find the file of each name below ``root``, up to four folders deep, or where the name itself leads.

    In this order: the path as it is; the file name in another folder, the one that shares most of its last folders;
    the same without regard to case; without regard to the suffix; by COCO's number. A photo under ``train/`` is not
    matched with a name under ``val/``. No file is opened, and folders are listed once.

    Args:
        named: what its files call the photos; ``\\`` is read as ``/``.
        whole: all photos right in ``root`` are the dataset's, even if none is named.
        unique: file names are unique, so that a folder's name says nothing.
    """
    paths = {plain_path(name) for name in named}
    files = _list_files(root, paths)
    matching = Matching(named, files, unique=unique)
    matching.take_equal(dict(zip(files, files, strict=True)))
    matching.match(_same, fits=lambda path, file: file.endswith(f"/{path}"))
    for key in (_same, str.casefold, stem_of):
        matching.match(key)
    matching.unique = True
    matching.match(partial(_number, _COCO_NAME), partial(_number, _COCO_FILE))
    # How names call the folder of a file -> what they call its other files.
    prefixes = {"": ""} if whole else {}
    for file, name in matching.names.items():
        prefixes.setdefault(folder_of(file), folder_of(matching.paths[name]))
    photos: dict[str, ImageSource] = {}
    for file, path in files.items():
        if file in matching.names:
            photos[matching.names[file]] = FileSource(path)
        elif (folder := folder_of(file)) in prefixes and is_photo(file):
            name = prefixes[folder] + base_of(file)
            if name not in matching.paths:
                photos.setdefault(name, FileSource(path))
    unclear = {name: " or ".join(files[:3]) for name, files in matching.several.items()}
    unclear |= {name: f"{file}, as could {', '.join(rest[:2])}" for name, (file, rest) in matching.contested.items()}
    return FoundPhotos(photos, unclear)


def pair_photos(
    names: Iterable[str], references: Iterable[str], aliases: Mapping[str, set[str]] | None = None
) -> dict[str, str]:
    """Each of ``names`` -> the reference's name for the same photo, where only one fits, or the name itself.

    In this order: the same name; another name that the references' file gives the photo; the same file name in another
    folder; the same without regard to case; a name with a suffix and one without; a number and the file that COCO names
    by it.

    ``aliases``: another name of a reference -> the references that have it.

    Raises:
        SightlineError: a name fits several references, or several names fit one.
    """
    known = {plain_path(name): name for name in references}
    others = [(plain_path(alias), name) for alias, photos in (aliases or {}).items() for name in sorted(photos)]
    paths, targets = [*known, *(path for path, _ in others)], [*known.values(), *(name for _, name in others)]
    matching = Matching(names, paths, targets, unique=True)
    matching.take_equal(known)
    matching.match(_same, fits=str.__eq__)
    matching.match(_same)
    matching.match(str.casefold)
    matching.match(stem_of, fits=lambda path, other: not (is_photo(path) and is_photo(other)))
    matching.match(partial(_number, _COCO_NAME), fits=lambda path, other: path.isdigit() or other.isdigit())
    for name, fitting in matching.several.items():
        could_be = " or ".join(map(repr, fitting[:2]))
        raise SightlineError(f"{name!r} could be {could_be} of the references; name photos as the references do")
    for name, (target, rivals) in matching.contested.items():
        raise SightlineError(
            f"{name!r} and {rivals[0]!r} could both be {target!r} of the references; keep one caption a photo"
        )
    return {name: matching.pairs.get(name, name) for name in matching.paths}


def as_named(
    listed: Mapping[str, Collection[str]], named: Collection[str], only: bool = False
) -> dict[str, tuple[str, ...]]:
    """The same lists with the names as in ``named``, where only one there has the same file name but for its suffix.

    Unlike in `Matching`, several entries may mean one name. ``only``: leave out names that match nothing.
    """
    if all(name in named for names in listed.values() for name in names):
        return {split: tuple(dict.fromkeys(names)) for split, names in listed.items()}
    alike: dict[str, str] = {}
    for name in named:
        key = stem_of(base_of(name))
        alike[key] = "" if key in alike else name

    def rename(name: str) -> str:
        return name if name in named else alike.get(stem_of(base_of(name))) or ("" if only else name)

    return {split: tuple(dict.fromkeys(filter(None, map(rename, names)))) for split, names in listed.items()}


def _list_files(root: Path, paths: Collection[str]) -> dict[str, str]:
    """Path as it is compared -> path to open, of photos and named files in ``root`` and the folders of ``paths``."""
    files: dict[str, str] = {}
    wanted = {base_of(path) for path in paths}
    listed = {folder: (path, names) for folder, path, names in walk(os.fspath(root))}
    for folder in sorted({folder_of(path) for path in paths} - {"", *listed}):
        path = os.path.join(root, folder)  # noqa: PTH118
        if os.path.isdir(path):  # noqa: PTH112
            listed[folder] = path, os.listdir(path)  # noqa: PTH208
    for folder, (path, names) in listed.items():
        for file in sorted(names):  # names, not a Path for each of a million
            name = _composed(file)
            if not file.startswith(".") and (is_photo(file) or name in wanted):
                files[folder + name] = os.path.join(path, file)  # noqa: PTH118
    return files


def walk(root: str) -> Iterator[tuple[str, str, list[str]]]:
    """(``folder``, its path, its files) of a folder and those up to four below; ``folder`` is ``""`` or ends in ``/``.

    Linked folders are entered as `sightline.images.find.walk` does. One below that may not be read, such as lost+found,
    is skipped: photos in it are reported as missing.
    """

    def check(error: OSError) -> None:
        if error.filename == root or not isinstance(error, PermissionError):
            raise error

    for path, files in sorted(walk_folders([root], check, _DEPTH), key=lambda each: Path(each[0]).parts):
        folder = _composed(path[len(root) :].strip(os.sep)).replace(os.sep, "/")
        yield f"{folder}/" if folder else "", path, files


def folder_of(path: str) -> str:
    """The path up to the file's name: ``""``, or ending in ``/``."""
    return path[: path.rfind("/") + 1]


def base_of(path: str) -> str:
    """The file's name."""
    return path[path.rfind("/") + 1 :]


def _shared(one: str, other: str) -> int:
    here, there = (reversed(folder_of(path).casefold().split("/")) for path in (one, other))
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))


def stem_of(base: str) -> str:
    """A file's name without a photo's suffix, case-folded."""
    return (base[: base.rfind(".")] if is_photo(base) else base).casefold()


def _number(pattern: re.Pattern[str], base: str) -> str:
    match = pattern.fullmatch(base[: base.rfind(".")] if is_photo(base) else base)
    return match[1].lstrip("0") if match else ""


def plain_path(name: str) -> str:
    """A name as it is compared: composed Unicode, ``/`` between folders."""
    return _composed(name).replace("\\", "/")


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
