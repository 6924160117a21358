"""The registry of dataset layouts: a layout is one file whose reader registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.images.source import ImageSource


@dataclass(frozen=True)
class Packed:
    """What is left of a `Source` once what cannot be used is left out; see `sightline.data.dataset.Dataset`."""

    splits: Mapping[str, Sequence[Example]]
    without_photo: int
    without_captions: int


@dataclass(frozen=True)
class Source:
    """What a dataset's files say, before anything is left out.

    Attributes:
        captions: image name -> its captions, stripped; empty ones are still there.
        photos: image name -> where it is, for every photo that is there, captioned or not.
        splits: "train", "val", "test" -> the image names listed for it; None if the files say nothing about splits.
        unread_lines: the places of lines that make no sense, such as ``"captions.txt line 7"``.
        torn: which files of many photos end too early, each with the place where; the photos before that count.
        read: the files that say it, relative to the folder.
        unclear: image names for which there is more than one file, or one that others mean, too -> what there is.
        packed: what can be used, of a layout that knows it without the mappings above, which for millions of photos
            would fill the memory.
    """

    captions: Mapping[str, tuple[str, ...]]
    photos: Mapping[str, ImageSource]
    splits: Mapping[str, tuple[str, ...]] | None
    unread_lines: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    unclear: Mapping[str, str] = field(default_factory=dict)
    packed: Packed | None = None


Progress = Callable[[int, int], None]
Reader = Callable[[Path, Progress], Source | None]


@dataclass(frozen=True)
class Layout:
    """A registered reader: it gives a `Source`, or None where the folder is not of this layout.

    Where it takes long, it tells its ``progress(done, total)``.
    """

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
        rank: layouts are tried in this order: 0 for captions that can be nothing else, 1 for Karpathy's JSON, which
            tells the others their splits, 2 for files and folders of certain names, 3 for any file that happens to
            fit, 4 for many files that must be gone through to be known.
    """

    def register(read: Reader) -> Reader:
        LAYOUTS[name] = Layout(name, looks_for, rank, read)
        return read

    return register


def read_source(root: Path, progress: Progress = lambda done, total: None) -> tuple[str, Source]:
    """The name of the layout that fits the folder ``root``, and what its files say.

    Raises:
        SightlineError: ``root`` is no folder, no layout fits it, or a file in it cannot be read or understood.
    """
    try:
        return _read_first_that_fits(root, progress)
    except OSError as error:
        place = error.filename or root
        raise SightlineError(f"{place}: cannot be read ({error.strerror}); look at its permissions") from None


def _read_first_that_fits(root: Path, progress: Progress) -> tuple[str, Source]:
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
        if source is not None and _has_photos(source):
            return layout.name, source
        if source is not None and empty is None:
            empty = layout.name, source
    if empty is not None:
        return empty
    looked_for = "; ".join(f"{layout.looks_for} ({layout.name})" for layout in ordered)
    raise SightlineError(f"{root}: this folder is of no known dataset layout; looked for {looked_for}")


def _has_photos(source: Source) -> bool:
    """Whether any captioned photo is there; captions of photos that are elsewhere may lie beside those meant."""
    return source.packed is not None or any(name in source.photos for name in source.captions)
