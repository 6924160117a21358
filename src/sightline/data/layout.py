"""The registry of dataset layouts, and what their readers share: finding photos and lists of splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sightline.annotations.json_files import read_karpathy
from sightline.annotations.match import as_named, find_photos
from sightline.annotations.records import Records
from sightline.annotations.split_names import SPLITS, split_named
from sightline.annotations.text import files_in, read_lines
from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.registry import Registry

# Flickr8k's lists, which cannot be anything else; and other usual names: train.txt, flickr30k_val.txt, test_ids.txt.
_OWN = re.compile(r".*(train|dev|test)Images\.txt")
_OTHERS = re.compile(
    r"(?:.*[^a-z])?(?:flickr\d+k)?(train|training|val|valid|validation|dev|test)"
    r"[^a-z]*(?:images?|imgs?|list|ids?|split|set|names|files)?\.(?:txt|lst|list)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Packed:
    """The usable examples of a `Source`, and how many were left out; see `sightline.data.dataset.Dataset`."""

    splits: Mapping[str, Sequence[Example]]
    without_photo: int
    without_captions: int


@dataclass(frozen=True)
class Source:
    """The content of a dataset's folder, before anything is left out.

    Attributes:
        captions: photo's name -> its captions, stripped; empty ones are still there.
        photos: photo's name -> its source, for every photo that exists, captioned or not.
        splits: "train", "val", "test" -> the photos listed for it; None if the files say nothing about splits.
        unread_lines: the places of lines that make no sense, such as ``"captions.txt line 7"``.
        torn: shards that end too early, each with the position; the photos before it are used.
        unused: photos and texts of shards that share their sample with another, which is used.
        read: the caption files and split lists that were read, relative to the folder.
        unclear: photos' names that fit several files, or a file that other names fit, too -> these files and names.
        packed: the usable examples, from layouts that know them without the mappings above, which would fill the
            memory for millions of photos.
    """

    captions: Mapping[str, tuple[str, ...]]
    photos: Mapping[str, ImageSource]
    splits: Mapping[str, tuple[str, ...]] | None
    unread_lines: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    unclear: Mapping[str, str] = field(default_factory=dict)
    packed: Packed | None = None


def complete(
    root: Path,
    records: Records,
    read: Sequence[str],
    *,
    lists_in: Sequence[Path] = (),
    whole: bool = False,
    unique: bool = False,
) -> Source:
    """The `Source` of a folder's caption files: find the photos that the files do not hold themselves, and the splits.

    Args:
        root: where to look for photos; ``whole`` and ``unique`` as in `find_photos`.
        read: the caption files.
        lists_in: folders whose split lists, or Karpathy's JSON, come before splits that the caption files name.
    """
    listed, lists = find_splits(lists_in, records.captions) if lists_in else (None, ())
    splits = listed or records.splits
    elsewhere = [name for name in records.captions if name not in records.photos]
    found = find_photos(root, elsewhere, whole=whole, unique=unique) if elsewhere or whole else None
    photos = {**records.photos, **(found.photos if found else {})}
    unclear = found.unclear if found else {}
    return Source(records.captions, photos, splits, records.unread, read=(*read, *lists), unclear=unclear)


def is_split_list(file: str) -> bool:
    """Whether a file has the name of a split's list."""
    return bool(_OWN.fullmatch(file) or _OTHERS.fullmatch(file))


def find_splits(
    folders: Iterable[Path], named: Collection[str]
) -> tuple[dict[str, tuple[str, ...]] | None, tuple[str, ...]]:
    """Split -> photos' names, from lists in one of ``folders``, else from Karpathy's JSON there; and the files' names.

    Of several JSON files, the one with most of the photos ``named`` is used.

    Raises:
        SightlineError: two files claim the same split, or a JSON cannot be read.
    """
    folders = dict.fromkeys(folders)
    for folder in folders:
        if lists := _find_lists(folder, named):
            names = {split: [line for _, line in read_lines(path)] for split, path in lists.items()}
            return as_named(names, named), tuple(path.name for path in lists.values())
    best: tuple[int, dict[str, tuple[str, ...]], str] = (0, {}, "")
    for path in (path for folder in folders for path in sorted(folder.glob("dataset*.json"))):
        records = read_karpathy(path)
        splits = as_named(records.splits, named, only=True) if records and records.splits else {}
        best = max(best, (sum(map(len, splits.values())), splits, path.name), key=lambda candidate: candidate[0])
    return (best[1], (best[2],)) if best[0] else (None, ())


def _find_lists(folder: Path, named: Collection[str]) -> dict[str, Path]:
    """Split -> the file that lists it: Flickr8k's, else those of which half of the first lines are names of photos."""
    files = files_in(folder, "")
    for pattern in (_OWN, _OTHERS):
        lists: dict[str, Path] = {}
        for file in files:
            match, path = pattern.fullmatch(file), folder / file
            if not match or not path.is_file() or (pattern is _OTHERS and not _names_photos(path, named)):
                continue
            split = split_named(match[1], str(path))
            if split in lists:
                raise SightlineError(
                    f"{folder}: {lists[split].name} and {path.name} both list the {split} split; keep one"
                )
            lists[split] = path
        if lists:
            return {split: lists[split] for split in SPLITS if split in lists}
    return {}


def _names_photos(path: Path, named: Collection[str]) -> bool:
    lines = [line for _, line in islice(read_lines(path), 100)]
    known = as_named({"": lines}, named)[""]
    return 2 * sum(name in named for name in known) >= len(lines) > 0


Progress = Callable[[int, int], None]
Reader = Callable[[Path, Progress], Source | None]


@dataclass(frozen=True)
class Layout:
    """A registered reader: it returns a `Source`, or None if the folder is not of this layout.

    Readers that take long call their ``progress(done, total)``.
    """

    name: str
    looks_for: str
    rank: int
    read: Reader


LAYOUTS: Registry[Layout] = Registry("layout", "layouts", "sightline.data.layouts")


def register_layout(name: str, *, looks_for: str, rank: int) -> Callable[[Reader], Reader]:
    """Register a reader.

    Args:
        name: the value of `Dataset.layout`.
        looks_for: the files that make the layout, as an error message names them.
        rank: layouts are tried in this order: 0 for caption files that cannot be anything else, 1 for Karpathy's JSON,
            whose splits the others use, 2 for files and folders of certain names, 3 for any file that happens to fit,
            4 for layouts that take reading many files to recognise.
    """

    def register(read: Reader) -> Reader:
        LAYOUTS.add(name, Layout(name, looks_for, rank, read), by=read)
        return read

    return register


def read_source(root: Path, progress: Progress = lambda done, total: None) -> tuple[str, Source]:
    """The name of the layout that fits the folder ``root``, and what its files say.

    Raises:
        SightlineError: ``root`` is no folder, no layout fits it, or a file in it cannot be read or understood.
    """
    try:
        if not root.is_dir():
            problem = "is not a folder" if root.exists() else "there is no such folder"
            raise SightlineError(f"{root}: {problem}; give the folder that holds a dataset's photos and captions")
        ordered = sorted(LAYOUTS.values(), key=lambda layout: layout.rank)
        empty: tuple[str, Source] | None = None
        for layout in ordered:
            try:
                source = layout.read(root, progress)
            except SightlineError:
                if empty is None:
                    raise
                continue
            # A folder may also hold caption files of photos that are elsewhere.
            if source is not None and (source.packed or any(name in source.photos for name in source.captions)):
                return layout.name, source
            if source is not None and empty is None:
                empty = layout.name, source
        if empty is not None:
            return empty
        looked_for = "; ".join(f"{layout.looks_for} ({layout.name})" for layout in ordered)
        raise SightlineError(f"{root}: this folder is of no known dataset layout; looked for {looked_for}")
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); look at its permissions"
        raise SightlineError(f"{error.filename or root}: {problem}") from None
