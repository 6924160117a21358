"""Splits that a dataset lists beside its captions: text files of photos' names, or Karpathy's JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from sightline.annotations.json_files import read_karpathy
from sightline.annotations.match import as_named
from sightline.annotations.split_names import SPLITS, split_named
from sightline.annotations.text import files_in, read_lines
from sightline.errors import SightlineError

# Flickr8k's lists, which cannot be anything else; and other usual names: train.txt, flickr30k_val.txt, test_ids.txt.
_OWN = re.compile(r".*(train|dev|test)Images\.txt")
_OTHERS = re.compile(
    r"(?:.*[^a-z])?(?:flickr\d+k)?(train|training|val|valid|validation|dev|test)"
    r"[^a-z]*(?:images?|imgs?|list|ids?|split|set|names|files)?\.(?:txt|lst|list)",
    re.IGNORECASE,
)
_LOOKED_AT = 100  # lines, to tell whether a file lists photos


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
        if lists := find_lists(folder, named):
            return read_lists(lists, named), tuple(path.name for path in lists.values())
    best: tuple[int, dict[str, tuple[str, ...]], str] = (0, {}, "")
    for path in (path for folder in folders for path in sorted(folder.glob("dataset*.json"))):
        records = read_karpathy(path)
        splits = as_named(records.splits, named, only=True) if records and records.splits else {}
        best = max(best, (sum(map(len, splits.values())), splits, path.name), key=lambda candidate: candidate[0])
    return (best[1], (best[2],)) if best[0] else (None, ())


def find_lists(folder: Path, named: Collection[str]) -> dict[str, Path]:
    """Split -> the file in ``folder`` that lists it.

    ``*trainImages.txt`` and so on are Flickr8k's. Other files named for a split count if half of their first lines are
    names of photos.

    Raises:
        SightlineError: two files claim the same split.
    """
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


def read_lists(lists: Mapping[str, Path], named: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Split -> the photos in its list, with their names in ``named`` where the list omits suffixes or folders."""
    return as_named({split: [line for _, line in read_lines(path)] for split, path in lists.items()}, named)


def _names_photos(path: Path, named: Collection[str]) -> bool:
    lines = [line for _, line in islice(read_lines(path), _LOOKED_AT)]
    known = as_named({"": lines}, named)[""]
    return 2 * sum(name in named for name in known) >= len(lines) > 0
