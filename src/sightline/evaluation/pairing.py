"""Hypotheses and references of the same photos, from two files that may name these in two ways."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from sightline.annotations.caption_files import hypotheses_of, read_captions
from sightline.errors import SightlineError
from sightline.evaluation.protocol_warnings import count_photos
from sightline.metrics import check_photos

# COCO's ids are in its files' names: 000000000139.jpg, COCO_val2014_000000000139.jpg.
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d+)")


@dataclass(frozen=True)
class Pair:
    """What can be scored.

    Attributes:
        hypotheses: photo -> caption, by the references' names.
        references: the same photos -> their captions.
        remarks: what a reader of the scores must know of how they came together, a sentence each.
    """

    hypotheses: Mapping[str, str]
    references: Mapping[str, list[str]]
    remarks: tuple[str, ...]


def read_pair(
    hypotheses: str | os.PathLike[str], references: str | os.PathLike[str], split: str = "test", subset: bool = False
) -> Pair:
    """Read both files and bring their photos together.

    Args:
        hypotheses: a file that `read_hypotheses` reads.
        references: a file that `read_references` reads.
        split: of references in Karpathy's JSON.
        subset: whether hypotheses for a part of the references will do; that part is scored.

    Raises:
        SightlineError: a file cannot be read, or the two are not about the same photos.
    """
    written, content = read_captions(hypotheses), read_captions(references, split)
    ours, theirs = hypotheses_of(hypotheses, written), content.by_photo()
    pairs = pair_photos([*ours, *written.failed], theirs, content.aliases)
    there = f"{references} ({content.split})" if content.split else str(references)
    remarks = [f"references: the {content.split} split of {references}"] if content.split else []
    if content.left_out:
        count = len(content.left_out)
        more = f" and {count - 1:,} more" if count > 1 else ""
        remarks.append(f"left out of {references}: {content.left_out[0]}{more}")
    if renamed := next((name for name, photo in pairs.items() if name != photo), None):
        count = sum(name != photo for name, photo in pairs.items())
        photos = "photo goes" if count == 1 else "photos go"
        remarks.append(f"{count:,} {photos} by two names, e.g. {renamed!r} and {pairs[renamed]!r}")
    if written.failed:
        name, error = next(iter(written.failed.items()))
        absent = {pairs[name] for name in written.failed}
        theirs = {photo: captions for photo, captions in theirs.items() if photo not in absent}
        remarks.append(f"not scored: {count_photos(len(written.failed))} without a caption, e.g. {name!r} ({error})")
    ours = {pairs[name]: caption for name, caption in ours.items()}
    covered = {photo: theirs[photo] for photo in ours if photo in theirs}
    if not covered:
        told = f"{next(iter(ours))!r} here, {next(iter(theirs))!r} there"
        raise SightlineError(f"{hypotheses}: no photo in common with {there} ({told}); name the photos alike")
    if len(covered) < len(theirs) and len(covered) == len(ours):
        part = f"{len(covered):,} of the {len(theirs):,} photos of {there}"
        if not subset:
            raise SightlineError(f"{hypotheses}: captions {part}; caption all, or score these with --subset")
        remarks.append(f"scored: {part}; CIDEr's document frequencies come from these alone")
        theirs = covered
    check_photos(ours, theirs, hypotheses, there)
    return Pair(ours, theirs, tuple(remarks))


def pair_photos(
    names: Iterable[str], references: Iterable[str], aliases: Mapping[str, set[str]] | None = None
) -> dict[str, str]:
    """Each of ``names`` -> the reference's name for the same photo, where only one can be meant, or itself.

    In this order: the same name; another name that the references' file gives the photo; the same file in another
    folder; a name with and one without its suffix; a number and the file that COCO names by it.

    Args:
        names: the photos of the hypotheses, each once.
        references: the photos of the references.
        aliases: other names of theirs -> which photos bear them.

    Raises:
        SightlineError: a name could mean several references, or several names mean one.
    """
    known = dict.fromkeys(references)
    index = _Index(known, aliases or {})
    pairs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in names:
        found = [name] if name in known else index.find(name)
        if len(found) > 1:
            told = " or ".join(map(repr, found[:2]))
            raise SightlineError(f"{name!r} could be {told} of the references; name photos as the references do")
        target = found[0] if found else name
        if target in taken:
            told = f"{taken[target]!r} and {name!r} could both be {target!r} of the references"
            raise SightlineError(f"{told}; keep one caption a photo")
        pairs[name] = target
        taken[target] = name
    return pairs


class _Index:
    """References by the parts of their names."""

    def __init__(self, names: Iterable[str], aliases: Mapping[str, set[str]]) -> None:
        self.aliases = aliases
        self.files: dict[str, dict[str, None]] = {}
        self.stems: dict[str, dict[str, None]] = {}
        self.numbers: dict[int, dict[str, None]] = {}
        own = [(name, name) for name in names]
        for name, photo in own + [(alias, photo) for alias, photos in aliases.items() for photo in sorted(photos)]:
            path = _path(name)
            self.files.setdefault(path.name, {})[photo] = None
            self.stems.setdefault(path.stem, {})[photo] = None
            if match := _COCO_NAME.fullmatch(path.stem):
                self.numbers.setdefault(int(match[1]), {})[photo] = None

    def find(self, name: str) -> list[str]:
        """The references that ``name`` could mean, by the surest way that leads to any."""
        path = _path(name)
        if found := sorted(self.aliases.get(name, ())):
            return found
        if found := list(self.files.get(path.name, ())):
            # The same name in several folders: the one whose folders are the same, as far as both tell.
            closer = [other for other in found if _ends_alike(path, _path(other))]
            return closer if len(closer) == 1 else found
        stems = self.stems.get(path.stem, ())
        if found := [other for other in stems if not (path.suffix and _path(other).suffix)]:
            return found
        match = _COCO_NAME.fullmatch(path.stem)
        numbers = self.numbers.get(int(match[1]), ()) if match else ()
        return [other for other in numbers if name.isdigit() or other.isdigit()]


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _ends_alike(one: PurePosixPath, other: PurePosixPath) -> bool:
    shared = min(len(one.parts), len(other.parts))
    return one.parts[-shared:] == other.parts[-shared:]
