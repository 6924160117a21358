"""Regions from Flickr30k Entities (Plummer et al. 2015): boxes of the phrases of Flickr30k's and Flickr8k's captions.

As distributed: ``Annotations/*.xml``, one a photo, has the boxes of numbered entities, in pixels of the original photo;
``Sentences/*.txt`` has the tokenized captions with their phrases marked: ``[/EN#18/people A child] in [/EN#19/clothing
a pink dress]``.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from sightline.data.example import Box, Example, Region, Regions
from sightline.data.regions.base import Located, register_regions, relative_box
from sightline.errors import SightlineError
from sightline.vocabulary import split_words

_PHRASE = re.compile(r"\[/EN#(\d+)\S* ([^\]]*)\]")

Boxes = Mapping[str, tuple[Box, ...]]  # entity -> its boxes
Phrase = tuple[str, int, int]  # entity, and the start and end of its phrase, in letters of the sentence


@register_regions(
    "flickr30k_entities",
    looks_for="Flickr30k Entities' Annotations/ and Sentences/, or a zip file of them, also in a folder *entities*",
    rank=2,
)
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """Read the regions of ``examples`` from the folder ``root``.

    It holds the two folders or one zip file of them, by themselves or in a folder with "entities" in its name; or
    ``root`` is that zip file. Photos match by number: ``1000268201.xml`` belongs to ``1000268201_693b08cb0e.jpg``.
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
    """The boxes of a photo's entities, and the entities with a box that is not wholly inside the photo."""
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
            # Pixels are counted from 1, the last one is included.
            box = relative_box(left - 1, top - 1, right, bottom, width, height)
            if box:
                boxes |= {entity: (*boxes.get(entity, ()), box) for entity in entities}
            if not box or min(left, top) < 1 or right > width or bottom > height:
                outside += entities
    return boxes, list(dict.fromkeys(outside))


def _of_captions(captions: Sequence[str], text: str, boxes: Boxes) -> Regions:
    """The regions of captions, from the sentence with the same letters and digits, however it is tokenized."""
    phrases = dict(map(_phrases, text.splitlines()))
    regions = []
    for caption in captions:
        ends, letters = [], ""
        for word in split_words(caption):
            letters += _letters(word)
            ends.append(len(letters))
        regions.append(tuple(_regions(phrases.get(letters, []), ends, boxes)))
    return tuple(regions)


def _phrases(sentence: str) -> tuple[str, list[Phrase]]:
    """A marked sentence's letters, and its phrases as ranges of them."""
    letters, done = "", 0
    phrases = []
    for phrase in _PHRASE.finditer(sentence):
        letters += _letters(sentence[done : phrase.start()])
        start, done = len(letters), phrase.end()
        letters += _letters(phrase[2])
        phrases.append((phrase[1], start, len(letters)))
    return letters + _letters(sentence[done:]), phrases


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _regions(phrases: Sequence[Phrase], ends: Sequence[int], boxes: Boxes) -> Iterator[Region]:
    """``ends``: the number of letters up to the end of each of the caption's words."""
    words = list(enumerate(zip([0, *ends[:-1]], ends, strict=True)))
    for entity, first, last in phrases:
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
            # The two may lie in a folder; archives made on a Mac hold a hidden twin of every file.
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


def hint_beside(root: Path) -> str:
    """One line about Flickr30k Entities in a folder or zip file beside the dataset's folder ``root``; "" if none is.

    They are used only where ``--regions`` names them: what lies beside a dataset is no part of it.
    """
    home = root.resolve()
    for path in (*_named(home.parent), *sorted(home.parent.glob("*ntities*.zip"))):
        with suppress(SightlineError, OSError):
            if path != home and (archive := _find(path)) is not None:
                archive.__exit__()
                return f"{root}: Flickr30k Entities beside it are not used; to use their boxes: --regions {path}"
    return ""


def _find(path: Path) -> _Archive | None:
    """The files in the folder ``path`` or in its folders "*entities*", loose or zipped; or in the zip file ``path``."""
    if path.is_file():
        return _open(path) if path.suffix.lower() == ".zip" else None
    for folder in (path, *_named(path)):
        if (folder / "Annotations").is_dir() and (folder / "Sentences").is_dir():
            return _Archive(folder)
        for file in sorted(folder.glob("*.zip")):
            with suppress(SightlineError) if "entities" not in file.as_posix().lower() else nullcontext():
                if archive := _open(file):
                    return archive
    return None


def _open(path: Path) -> _Archive | None:
    """The zip file, or None if it holds other files; `SightlineError` if it cannot be read."""
    try:
        archive = _Archive(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise SightlineError(f"{path}: no readable zip file ({error}); fetch it again") from None
    if archive.annotations and archive.sentences:
        return archive
    archive.__exit__()
    return None


def _named(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if "entities" in path.name.lower() and path.is_dir())
    except OSError:  # not a folder, or one that may not be listed
        return []
