"""Check a dataset before training: read all captions, decode all photos, and report problems."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from sightline.annotations.split_names import SPLITS
from sightline.annotations.text import ENTITY, TAG
from sightline.data.dataset import SplitSource, name_splits
from sightline.data.example import Example
from sightline.data.layout import Progress, Source, read_source
from sightline.data.regions.base import Located, read_regions
from sightline.data.regions.entities import hint_beside
from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.model_folder import as_path
from sightline.preprocess import open_photo
from sightline.scripts import characters, words_are_separate
from sightline.vocabulary import split_words

Splits = Mapping[str, tuple[str, ...]]

Level = Literal["error", "warning"]

# A recipe's defaults; a test compares them.
MIN_COUNT, BATCH_SIZE, MAX_WORDS = 5, 32, 20
CUT_OFF_SHARE = 0.005  # of captions; fewer of them that are cut off are not worth a word


@dataclass(frozen=True)
class Finding:
    """One kind of problem.

    Attributes:
        kind: a name for programs, such as "unreadable-photos"; it stays the same from version to version.
        level: "error" if training or scores would suffer, otherwise "warning".
        message: the problem in words.
        names: all photos, captions or lines that have it; empty if it concerns the dataset as a whole.
    """

    kind: str
    level: Level
    message: str
    names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many photos, captions or lines it concerns; 1 for the dataset as a whole."""
        return len(self.names) or 1


@dataclass(frozen=True)
class DatasetReport:
    """The result of `check_dataset`.

    Attributes:
        read: the files that were read for captions and splits, relative to the folder.
        photos: the number of photos, captioned or not.
        captions: the number of captions, usable or not.
        splits: "train", "val", "test" -> the number of its photos, usable or not.
        split_source: "files", or "derived" if the photos' names decided; see `sightline.data.dataset.Dataset`.
        regions: how many phrases and photos of the splits have boxes, and from where.
        findings: errors first.
    """

    root: Path
    layout: str
    read: tuple[str, ...]
    photos: int
    captions: int
    splits: Mapping[str, int]
    split_source: SplitSource
    regions: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        """The report as plain lists, strings and numbers, ready for JSON."""
        findings = [vars(finding) | {"count": finding.count, "names": list(finding.names)} for finding in self.findings]
        plain = {"root": str(self.root), "ok": self.ok, "read": list(self.read), "splits": dict(self.splits)}
        return vars(self) | plain | {"findings": findings}


def check_dataset(
    root: str | os.PathLike[str],
    progress: Progress | None = None,
    indexing: Progress | None = None,
    regions: Path | None = None,
) -> DatasetReport:
    """Read every caption and decode every photo of the dataset in the folder ``root``.

    Args:
        progress: called with (photos decoded, photos) after each photo.
        indexing: called with (shards read, shards) after each new shard.
        regions: the folder or file of its regions; None: they are looked for in ``root``.

    Raises:
        SightlineError: there is no such folder, no layout fits it, or a file in it cannot be read or understood.
    """
    root = as_path(root)
    layout, source = read_source(root, indexing or (lambda done, total: None))
    splits, split_source = name_splits(source)
    examples = [
        Example(name, source.photos[name], tuple(filter(None, source.captions.get(name, ()))))
        for name in dict.fromkeys(chain(*splits.values()))
        if name in source.photos
    ]
    located = read_regions(root, examples, regions)
    odd_boxes = located.problems if located else ()
    contents = _inspect(source.photos, progress)
    findings = (
        *_split_findings(source, splits, split_source),
        *_pairing_findings(source, splits),
        *_content_findings(contents, splits),
        *_caption_findings(source),
        *_learning_findings(source, splits),
        *_finding("odd-regions", "warning", "boxes outside their photo, or that make no sense", odd_boxes),
    )
    return DatasetReport(
        root=root,
        layout=layout,
        read=source.read,
        photos=len(source.photos),
        captions=sum(len(captions) for captions in source.captions.values()),
        splits={split: len(names) for split, names in splits.items()},
        split_source=split_source,
        regions=_coverage(located, len(examples)) if located else hint_beside(root),
        findings=tuple(sorted(findings, key=lambda finding: finding.level)),
    )


def _coverage(located: Located, photos: int) -> str:
    phrases = [len(found) for regions in located.regions.values() for found in regions]
    return f"{sum(phrases)} phrases with boxes, of {located.photos} of {photos} photos, by {located.source}"


def _split_findings(source: Source, splits: Splits, split_source: SplitSource) -> Iterator[Finding]:
    if split_source == "derived":
        yield Finding("derived-splits", "warning", "no split lists: photos are split 80/10/10 by file name")
    for split in SPLITS:
        if not splits.get(split):
            yield Finding("missing-split", "warning" if split == "test" else "error", f"no photos in the {split} split")
    splits_of = _splits_by_name(splits)
    shared = [f"{name} ({', '.join(several)})" for name, several in splits_of.items() if len(several) > 1]
    yield from _finding("overlapping-splits", "error", "photos in more than one split", shared)
    captioned = [name for name, texts in source.captions.items() if any(texts) and name in source.photos]
    unlisted = [name for name in captioned if name not in splits_of]
    yield from _finding("photos-in-no-split", "warning", "captioned photos that no split lists", unlisted)


def _pairing_findings(source: Source, splits: Splits) -> Iterator[Finding]:
    photos, listed = source.photos, _splits_by_name(splits)
    missing = [name for name in listed if name not in photos and name not in source.unclear]
    unclear = [f"{name} ({candidates})" for name, candidates in source.unclear.items()]
    yield from _finding("unclear-photos", "error", "photos whose name fits several files", unclear)
    yield from _finding("missing-photos", "error", "photos of a split that are not there", missing)
    known = {*listed, *source.unclear}
    orphans = [name for name in source.captions if name not in photos and name not in known]
    message = "captioned photos that are not there, in no split"
    yield from _finding("captions-without-photo", "warning", message, orphans)
    bare = [name for name in photos if not any(source.captions.get(name, ()))]
    yield from _finding("photos-without-captions", "warning", "photos without a caption", bare)
    lost = len(source.unread_lines)
    too_many = 100 * lost > lost + sum(map(len, source.captions.values()))
    message = "lines that make no sense and are left out" + (", more than one in a hundred" if too_many else "")
    yield from _finding("unread-lines", "error" if too_many else "warning", message, source.unread_lines)
    message = "photos or texts of shards that are not used, as another of their sample is"
    yield from _finding("unused-files", "warning", message, source.unused)
    yield from _finding("torn-shards", "error", "shards of which photos are lost; fetch them again", source.torn)


def _learning_findings(source: Source, splits: Splits) -> Iterator[Finding]:
    training = [source.captions.get(name, ()) for name in splits.get("train", ()) if name in source.photos]
    captioned = [captions for captions in training if any(captions)]
    # A training split without photos is reported by the other findings.
    if training and (finding := find_nothing_to_learn(chain(*captioned), len(captioned))):
        yield finding
    captions = list(chain(*captioned))
    long = [caption for caption in captions if len(caption) > 2 * MAX_WORDS and len(split_words(caption)) > MAX_WORDS]
    if long and len(long) >= CUT_OFF_SHARE * len(captions):
        message = f"training captions are cut off at {MAX_WORDS} words unless vocabulary.max_words is set higher"
        yield from _finding("long-captions", "warning", message, (f"{caption[:60]}..." for caption in long))


def find_nothing_to_learn(
    captions: Iterable[str], photos: int, min_count: int = MIN_COUNT, batch_size: int = BATCH_SIZE
) -> Finding | None:
    """Whether these captions are too few to train on, with the way out; None if they are enough.

    The error "nothing-to-learn" means that no training is possible, the warning "few-photos" that the photos do not
    fill a batch.

    Args:
        photos: the number of training photos with a caption.
        min_count, batch_size: `vocabulary.min_count` and `training.batch_size` of a recipe.
    """
    captions = [caption for caption in captions if caption.strip()]
    words = chain.from_iterable(map(split_words, captions))
    # Scripts without spaces are learned in subword units, of which only single characters are certain.
    counts = Counter(words if words_are_separate(captions) else chain.from_iterable(map(characters, words)))
    most = max(counts.values(), default=0)
    if not captions:
        reason = "the training photos have no caption; add captions"
    elif not counts:
        reason = "the training captions hold punctuation only; write words"
    elif most < min_count:
        times = f"{most} time{'s' * (most != 1)}"
        reason = (
            f"no word of the training captions is known: a word must stand there {min_count} times, and the most "
            f"frequent does {times}; add captions, or set vocabulary.min_count to {most} or less"
        )
    elif photos < 2:
        reason = "there is one training photo; add photos"
    elif photos < batch_size:
        reason = f"{photos} training photos do not fill a batch of {batch_size}"
        return Finding("few-photos", "warning", f"{reason}; add photos, or lower training.batch_size")
    else:
        return None
    return Finding("nothing-to-learn", "error", reason)


def _content_findings(contents: Mapping[str, tuple[str, str]], splits: Splits) -> Iterator[Finding]:
    """``contents``: photo -> the digest of its bytes, and why it cannot be decoded or ""."""
    splits_of = _splits_by_name(splits)
    broken = {name: problem for name, (_, problem) in contents.items() if problem}
    level: Level = "error" if any(name in splits_of for name in broken) else "warning"
    texts = [f"{name} ({problem})" for name, problem in broken.items()]
    yield from _finding("unreadable-photos", level, "photos that cannot be read", texts)
    twins: dict[str, list[str]] = {}
    for name, (digest, problem) in contents.items():
        if not problem:
            twins.setdefault(digest, []).append(name)
    same, leaked = [], []
    for names in twins.values():
        several = {split for name in names for split in splits_of.get(name, ())}
        if len(names) > 1 and len(several) > 1:
            leaked.append(" = ".join(f"{name} ({', '.join(splits_of.get(name, ['no split']))})" for name in names))
        elif len(names) > 1:
            same.append(" = ".join(names))
    yield from _finding("overlapping-content", "error", "the same photo under two names in different splits", leaked)
    yield from _finding("duplicate-photos", "warning", "the same photo under two names", same)


def _caption_findings(source: Source) -> Iterator[Finding]:
    odd, empty, repeated = [], [], []
    for name, captions in source.captions.items():
        for number, caption in enumerate(captions, start=1):
            if oddity := find_oddity(caption):
                odd.append(f"{name} caption {number} ({oddity})")
            if not caption:
                empty.append(f"{name} caption {number}")
        if len(set(captions)) < len(captions):
            repeated.append(name)
    yield from _finding("empty-captions", "warning", "empty captions, left out", empty)
    message = "captions with odd characters, of which HTML's are read as plain text"
    yield from _finding("odd-captions", "warning", message, odd)
    yield from _finding("repeated-captions", "warning", "photos with the same caption twice", repeated)


def _finding(kind: str, level: Level, message: str, names: Iterable[str]) -> Iterator[Finding]:
    if names := tuple(names):
        yield Finding(kind, level, message, names)


def _splits_by_name(splits: Splits) -> dict[str, list[str]]:
    """Photo's name -> the splits that list it."""
    splits_of: dict[str, list[str]] = {}
    for split, names in splits.items():
        for name in names:
            splits_of.setdefault(name, []).append(split)
    return splits_of


_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def find_oddity(caption: str) -> str:
    """Characters of a caption that nobody types, in words; "" if there are none."""
    if caption.isascii() and caption.isprintable() and "&" not in caption and "<" not in caption:
        return ""
    for character in caption:
        if character == "\N{REPLACEMENT CHARACTER}":
            return "replacement character U+FFFD"
        if not character.isprintable():
            kind = "control" if unicodedata.category(character) == "Cc" else "invisible"
            return f"{kind} character U+{ord(character):04X}"
    if entity := ENTITY.search(caption):
        return f"HTML entity {entity[0]}"
    if tag := TAG.search(caption):
        return f"HTML tag {tag[0]}"
    for run in _NOT_ASCII.findall(caption):
        with suppress(UnicodeError):
            run.encode("cp1252").decode("utf-8")  # hardly any text survives it but UTF-8 that was decoded as cp1252
            return f"garbled {run}"
    return ""


def _inspect(photos: Mapping[str, ImageSource], progress: Progress | None) -> dict[str, tuple[str, str]]:
    contents: dict[str, tuple[str, str]] = {}
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # Pillow's warnings are about faults that it repairs.
        warnings.simplefilter("ignore")
        try:
            for name, content in zip(photos, pool.map(_inspect_photo, photos.values()), strict=True):
                contents[name] = content
                if progress:
                    progress(len(contents), len(photos))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return contents


def _inspect_photo(photo: ImageSource) -> tuple[str, str]:
    try:
        data = photo.read()
    except OSError as error:
        return "", error.strerror or "cannot be opened"
    try:
        open_photo(data)
        problem = ""
    except SightlineError as error:
        problem = str(error).removeprefix("photo: ")
    except Exception as error:  # decoders raise almost anything for a broken file
        problem = str(error) or type(error).__name__
    return hashlib.sha256(data).hexdigest(), problem
