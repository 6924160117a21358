"""The registry of dataset layouts: a layout is one file whose reader registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SightlineError
from sightline.photos.place import Place

SPLITS = ("train", "val", "test")

# What datasets call their splits; COCO's "restval" is the part of its validation photos that everyone trains on.
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Source:
    """What a dataset's files say, before anything is left out.

    Attributes:
        captions: image name -> its captions, stripped; empty ones are still there.
        photos: image name -> where it is, for every photo that is there, captioned or not.
        splits: "train", "val", "test" -> the image names listed for it; None if the files say nothing about splits.
        unread_lines: the places of lines that make no sense, such as ``"captions.txt line 7"``.
    """

    captions: Mapping[str, tuple[str, ...]]
    photos: Mapping[str, Place]
    splits: Mapping[str, tuple[str, ...]] | None
    unread_lines: tuple[str, ...] = ()


Reader = Callable[[Path], Source | None]


@dataclass(frozen=True)
class Layout:
    """A registered reader: ``read(root)`` gives a `Source`, or None where the folder is not of this layout."""

    name: str
    looks_for: str
    rank: int
    read: Reader


LAYOUTS: dict[str, Layout] = {}


def register_layout(name: str, *, looks_for: str, rank: int) -> Callable[[Reader], Reader]:
    """Make a reader known under ``name``.

    Args:
        name: what `Dataset.layout` will say.
        looks_for: the files that make the layout, as an error message names them.
        rank: layouts are tried in this order: 0 for a file that can be nothing else, 1 for files and folders of
            certain names, 2 for any file that happens to fit.
    """

    def register(read: Reader) -> Reader:
        LAYOUTS[name] = Layout(name, looks_for, rank, read)
        return read

    return register


def read_source(root: Path) -> tuple[str, Source]:
    """The name of the layout that fits the folder ``root``, and what its files say.

    Raises:
        SightlineError: ``root`` is no folder, no layout fits it, or a file in it cannot be read or understood.
    """
    try:
        return _read_first_that_fits(root)
    except OSError as error:
        place = error.filename or root
        raise SightlineError(f"{place}: cannot be read ({error.strerror}); look at its permissions") from None


def _read_first_that_fits(root: Path) -> tuple[str, Source]:
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "there is no such folder"
        raise SightlineError(f"{root}: {problem}; give the folder that holds a dataset's photos and captions")
    ordered = sorted(LAYOUTS.values(), key=lambda layout: layout.rank)
    for layout in ordered:
        source = layout.read(root)
        if source is not None:
            return layout.name, source
    looked_for = "; ".join(f"{layout.looks_for} ({layout.name})" for layout in ordered)
    raise SightlineError(f"{root}: this folder is of no known dataset layout; looked for {looked_for}")


def split_named(word: str, place: str) -> str:
    """The split that a dataset calls ``word``; `SightlineError` naming ``place`` if there is no such split."""
    try:
        return _SPLIT_NAMES[word.strip().lower()]
    except KeyError:
        known = ", ".join(_SPLIT_NAMES)
        raise SightlineError(f"{place}: unknown split {word!r}; use one of {known}") from None
