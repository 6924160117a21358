"""Flickr30k Entities (Plummer et al. 2015): for each phrase of Flickr30k's and Flickr8k's captions, its boxes.

As it is distributed: ``Annotations/*.xml``, one a photo, has the boxes of numbered entities in the photo's own pixels,
``Sentences/*.txt`` the captions, tokenized, their phrases marked: ``[/EN#18/people A child] in [/EN#19/clothing a pink
dress]``.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from sightline.data.example import Box, Example, Region, Regions
from sightline.data.regions.base import Located, register_regions, relative_box
from sightline.errors import SightlineError
from sightline.vocabulary import split_words

_PHRASE = re.compile(r"\[/EN#(\d+)\S* ([^\]]*)\]")

Boxes = Mapping[str, tuple[Box, ...]]  # entity -> its boxes
Place = tuple[str, int, int]  # entity, and where its phrase begins and ends, in letters of the sentence


@register_regions("flickr30k_entities")
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """Read what lies in the dataset's folder ``root`` or beside it, of the photos of ``examples``.

    It may lie there as the two folders or as one zip file that holds them, or so in a folder of a name with "entities"
    in it. A photo is known by its number: ``1000268201.xml`` tells of ``1000268201_693b08cb0e.jpg``.
    """
    archive = _find(root)
    if archive is None:
        return None
    regions: dict[str, Regions] = {}
    problems: list[str] = []
    with archive:
        for example in examples:
            number = PurePosixPath(example.name).stem.partition("_")[0]
            annotation, sentences = archive.annotations.get(number), archive.sentences.get(number)
            if annotation is None or sentences is None:
                continue
            try:
                boxes, outside = _boxes(archive.read(annotation))
                text = archive.read(sentences).decode("utf-8", errors="replace")
            except (OSError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError, ValueError) as error:
                problems.append(f"{annotation} (cannot be read: {error})")
                continue
            problems += [f"{annotation} (a box of entity {entity} lies outside the photo)" for entity in outside]
            regions[example.name] = _of_captions(example.captions, text, boxes)
    return Located(f"Flickr30k Entities in {archive.path}", regions, tuple(problems))


def _boxes(document: bytes) -> tuple[Boxes, list[str]]:
    """The boxes of a photo's entities, and those entities with a box that lies outside the photo, in part or whole."""
    root = ElementTree.fromstring(document)
    width, height = (float(root.findtext(f"size/{side}") or "") for side in ("width", "height"))
    boxes: dict[str, tuple[Box, ...]] = {}
    outside = []
    for item in root.iter("object"):
        entities = [name.text or "" for name in item.findall("name")]
        for corners in item.findall("bndbox"):
            left, top, right, bottom = (
                float(corners.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax")
            )
            # Pixels are counted from 1, and the last one belongs to the box.
            box = relative_box(left - 1, top - 1, right, bottom, width, height)
            if box:
                boxes |= {entity: (*boxes.get(entity, ()), box) for entity in entities}
            if not box or min(left, top) < 1 or right > width or bottom > height:
                outside += entities
    return boxes, list(dict.fromkeys(outside))


def _of_captions(captions: Sequence[str], text: str, boxes: Boxes) -> Regions:
    """The regions of captions, found in the sentence of the same letters; none for a caption without such a sentence.

    Letters and digits alone are compared and counted, so that it does not matter how either side is tokenized.
    """
    phrases = dict(map(_phrases, text.splitlines()))
    regions = []
    for caption in captions:
        ends, letters = [], ""
        for word in split_words(caption):
            letters += _letters(word)
            ends.append(len(letters))
        regions.append(tuple(_regions(phrases.get(letters, []), ends, boxes)))
    return tuple(regions)


def _phrases(sentence: str) -> tuple[str, list[Place]]:
    """A marked sentence's letters, and where among them its phrases are."""
    letters, done = "", 0
    places = []
    for phrase in _PHRASE.finditer(sentence):
        letters += _letters(sentence[done : phrase.start()])
        start, done = len(letters), phrase.end()
        letters += _letters(phrase[2])
        places.append((phrase[1], start, len(letters)))
    return letters + _letters(sentence[done:]), places


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _regions(places: Sequence[Place], ends: Sequence[int], boxes: Boxes) -> Iterator[Region]:
    """``ends``: how many letters have passed at the end of each of the caption's words."""
    words = list(enumerate(zip([0, *ends[:-1]], ends, strict=True)))
    for entity, first, last in places:
        inside = [word for word, (start, end) in words if start < last and end > first]
        if inside and entity in boxes:
            yield Region(inside[0], inside[-1] + 1, boxes[entity])


class _Archive:
    """The files of ``Annotations/`` and ``Sentences/``, by the number of their photo, in a folder or a zip file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        self.annotations = self._list("Annotations", ".xml")
        self.sentences = self._list("Sentences", ".txt")

    def _list(self, folder: str, suffix: str) -> dict[str, str]:
        if self._zip is None:
            names = [path.as_posix() for path in (self.path / folder).glob(f"*{suffix}")]
        else:
            # A folder around the two does not matter; archives packed on a Mac hold a hidden twin of every file.
            inside = re.compile(rf"(?:(?!__MACOSX).*/)?{folder}/[^/.][^/]*{re.escape(suffix)}")
            names = [name for name in self._zip.namelist() if inside.fullmatch(name)]
        return {Path(name).stem: name for name in names}

    def read(self, name: str) -> bytes:
        return Path(name).read_bytes() if self._zip is None else self._zip.read(name)

    def __enter__(self) -> _Archive:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()


def _find(root: Path) -> _Archive | None:
    """The first place with both kinds of files."""
    home = root.resolve()
    folders = [home, *_named(home), home.parent, *_named(home.parent)]
    for folder in folders:
        if (folder / "Annotations").is_dir() and (folder / "Sentences").is_dir():
            return _Archive(folder)
        # Beside the dataset there may lie zip files of anything: there, the name must tell.
        pattern = "*ntities*.zip" if folder == home.parent else "*.zip"
        for path in sorted(folder.glob(pattern)):
            try:
                archive = _Archive(path)
            except (OSError, zipfile.BadZipFile) as error:
                if "entities" in path.as_posix().lower():
                    raise SightlineError(f"{path}: no readable zip file ({error}); fetch it again") from None
                continue
            if archive.annotations and archive.sentences:
                return archive
            archive.__exit__()
    return None


def _named(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if "entities" in path.name.lower() and path.is_dir())
    except OSError:  # a folder that lets its children be read, but not listed
        return []
