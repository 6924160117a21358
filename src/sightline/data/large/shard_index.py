"""The samples of WebDataset shards, and the index of a folder of them, made once and kept beside the shards.

The index is a folder named by a digest of the shards' names, sizes and times, so that changed shards have another. Each
photo takes 16 bytes for its position, 8 for the position of its record, and the record itself: name and captions. The
files are mapped, not read: opening the index of ten million photos takes a moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from glob import glob
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sightline.annotations.split_names import SPLITS, derive_split
from sightline.annotations.text import TEXT_SUFFIXES
from sightline.data.large.packed import CHUNK, PackedSources, Texts, record, to_bytes
from sightline.errors import SightlineError
from sightline.images.columns import captions_in, captions_of
from sightline.images.formats import is_hidden, is_photo
from sightline.images.source import ImageSource, TarSource, next_member
from sightline.model_folder import cache_folder

Progress = Callable[[int, int], None]

FOLDER = ".sightline-index"
BLOCK = 512  # bytes; members of a tar file begin at multiples of it
_VERSION = 2
_UNUSED = 100  # of a shard's unused photos so many are named
_LINES = tuple(suffix[1:] for suffix in TEXT_SUFFIXES)  # of files with a caption a line
_TEXTS = (*_LINES, "json")
_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
_FACTS, _PHOTOS, _RECORDS, _ENDS = "shards.json", "photos.bin", "records.bin", "records.ends"

# A photo's position in 16 bytes: its shard; offset in blocks of 512 bytes; length in bytes, 0 if the photo is missing;
# the number of its captions, 65,535 at most; and the split derived from its name, as an index into SPLITS.
_PHOTO = np.dtype([("shard", "<u4"), ("block", "<u4"), ("length", "<u4"), ("captions", "<u2"), ("split", "<u2")])


@dataclass(frozen=True)
class Shard:
    """A shard of the index.

    Attributes:
        name: its path, relative to the dataset's folder.
        size, time: its file's size in bytes and modification time in nanoseconds.
        torn: why not all of it could be read; empty if it could.
        problems: members that make no sense and are left out.
        unused: its files that share the name of another, and photos that share their sample with another.
    """

    name: str
    size: int
    time: int
    photos: int = 0
    torn: str = ""
    problems: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """All shards of a dataset's folder, and the photos in them.

    Attributes:
        root: the folder.
        shards: in the order of their names.
        photos: (N,) of `_PHOTO`, mapped.
        records: each photo's `sightline.data.large.packed.record`, mapped.
    """

    root: Path
    shards: tuple[Shard, ...]
    photos: NDArray[Any]
    records: Texts


class ShardSources(PackedSources):
    """The photos of an index, as members of its shards."""

    def __init__(self, index: Index) -> None:
        self.photos, self.records = index.photos, index.records
        self.paths = [os.path.join(index.root, shard.name) for shard in index.shards]  # noqa: PTH118
        self.stems = [f"{shard.name.removesuffix('.tar')}/" for shard in index.shards]

    def __getitem__(self, index: int) -> ImageSource:
        return self._source(self.photos[index].item(), self.records[index])

    def at(self, chosen: NDArray[np.int64]) -> Iterator[ImageSource]:
        for start in range(0, len(chosen), CHUNK):
            some = chosen[start : start + CHUNK]
            yield from map(self._source, self.photos[some].tolist(), self.records.at(some))

    def _source(self, photo: tuple[int, int, int, int, int], record: str) -> TarSource:
        shard, block, length, *_ = photo
        name = record.partition("\0")[0]
        return TarSource(self.paths[shard], name.removeprefix(self.stems[shard]), block * BLOCK, length)


def open_index(root: Path, names: Sequence[str], progress: Progress = lambda done, total: None) -> Index:
    """The index of the shards in ``root``; new and changed shards are read, with calls of ``progress(done, total)``.

    Raises:
        SightlineError: no index can be written, neither beside the shards nor in the cache.
    """
    states = {name: (root / name).stat() for name in sorted(names)}
    shards = [Shard(name, state.st_size, state.st_mtime_ns) for name, state in states.items()]
    identity = json.dumps([_VERSION, [(shard.name, shard.size, shard.time) for shard in shards]])
    wanted = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:20]
    # An index is beside the shards, or in the user's cache under a digest of the folder's path.
    of_root = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:20]
    homes = [root / FOLDER, cache_folder("index") / of_root]
    for home in homes:
        if index := _opened(root, home / wanted):
            return index
    others = (home / name for home in homes for name in glob("*", root_dir=home) if name != wanted)  # noqa: PTH207
    old = [index for folder in others if (index := _opened(root, folder))]
    reasons = []
    for home in homes:
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=home, ignore_cleanup_errors=True) as scratch:
                _build(root, shards, old, Path(scratch), progress)
                _take_place(Path(scratch), home / wanted)
        except OSError as error:
            reasons.append(f"{home} ({error.strerror})")
            continue
        if index := _opened(root, home / wanted):
            return index
    raise SightlineError(f"{root}: its index cannot be written: {'; '.join(reasons)}; make room, or set XDG_CACHE_HOME")


def _opened(root: Path, folder: Path) -> Index | None:
    """The index in ``folder``; None if there is none or it is incomplete."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        lists = ("problems", "unused")
        shards = tuple(Shard(**{**each, **{name: tuple(each[name]) for name in lists}}) for each in facts)
        photos = _mapped(folder / _PHOTOS, _PHOTO)
        records = Texts(_mapped(folder / _RECORDS, np.dtype(np.uint8)), _mapped(folder / _ENDS, np.dtype("<u8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    whole = len(photos) == len(records) == sum(shard.photos for shard in shards)
    return Index(root, shards, photos, records) if whole and records.ends[-1] == len(records.block) else None


def _mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.zeros(0, dtype)


def _take_place(new: Path, target: Path) -> None:
    """Rename ``new`` to ``target`` and delete the indexes beside it; another process may have been first."""
    try:
        new.rename(target)
    except OSError:
        if not (target / _FACTS).is_file():
            shutil.rmtree(target, ignore_errors=True)  # half an index: its files were deleted one by one
            new.rename(target)
    for path in target.parent.iterdir():
        if path != target and not path.name.startswith(".new-"):
            shutil.rmtree(path, ignore_errors=True)


def _build(root: Path, shards: Sequence[Shard], old: Sequence[Index], folder: Path, progress: Progress) -> None:
    """Write the index of ``shards`` into ``folder``, shard by shard, so that memory does not grow with them."""
    known = {(s.name, s.size, s.time): (index, number) for index in old for number, s in enumerate(index.shards)}
    facts: list[Shard] = []
    with (
        (folder / _PHOTOS).open("wb") as photos,
        (folder / _RECORDS).open("wb") as records,
        (folder / _ENDS).open("wb") as ends,
    ):
        ends.write(bytes(8))
        written = 0
        for number, shard in enumerate(shards):
            if before := known.get((shard.name, shard.size, shard.time)):
                shard, rows, block, lengths = _copied(*before)
            else:
                shard, rows, block, lengths = _read(root, shard)
            rows["shard"] = number
            photos.write(rows.tobytes())
            records.write(block)
            ends.write((written + np.cumsum(lengths, dtype=np.uint64)).astype("<u8").tobytes())
            written += len(block)
            facts.append(shard)
            progress(number + 1, len(shards))
    (folder / _FACTS).write_text(json.dumps([asdict(shard) for shard in facts]), encoding="utf-8")


def _copied(index: Index, number: int) -> tuple[Shard, NDArray[Any], bytes, NDArray[np.uint64]]:
    """A shard's part of an older index."""
    first = sum(shard.photos for shard in index.shards[:number])
    last = first + index.shards[number].photos
    ends = index.records.ends[first : last + 1]
    block = index.records.block[int(ends[0]) : int(ends[-1])].tobytes()
    return index.shards[number], index.photos[first:last].copy(), block, np.diff(ends)


def _read(root: Path, shard: Shard) -> tuple[Shard, NDArray[Any], bytes, NDArray[np.uint64]]:
    samples: dict[str, Sample] = {}
    rows, texts, problems, unused, torn = [], [], list[str](), list[str](), ""
    try:
        for sample in read_samples(root / shard.name):
            problems += [f"{shard.name}: {problem}" for problem in sample.problems]
            unused += [f"{shard.name}: {file}" for file in sample.unused]
            sample.regions = None  # read anew where they are wanted
            first = samples.setdefault(sample.key, sample)
            if first is not sample and not first.joined(sample):
                unused.append(f"{shard.name}: {sample.file} (beside {first.file}, far from it)")
    except TruncatedShard as error:
        torn = f"{shard.name}: {error}"
    except OSError as error:
        torn = f"{shard.name}: cannot be read ({error.strerror})"
    for sample in samples.values():
        name = sample.name or f"{shard.name.removesuffix('.tar')}/{sample.file or sample.key}"
        count, split = min(len(sample.captions), 0xFFFF), SPLITS.index(derive_split(name))
        rows.append((0, sample.offset // BLOCK, sample.length, count, split))
        texts.append(to_bytes(record(name, sample.captions)))
    if len(unused) > _UNUSED:
        unused[_UNUSED:] = [f"{shard.name}: and {len(unused) - _UNUSED:,} more"]
    known = Shard(shard.name, shard.size, shard.time, len(rows), torn, tuple(problems), tuple(unused))
    return known, np.array(rows, _PHOTO), b"".join(texts), np.array(list(map(len, texts)), np.uint64)


@dataclass
class Sample:
    """A photo of a shard, with its captions: consecutive files of a tar that share their name up to the first dot.

    Where several of such files are photos with a text of the same name up to the last dot, each is a sample.

    Attributes:
        key: its files' common name.
        name: the photo's name, "file_name" in its ``.json``, or "".
        file: the photo's file.
        offset, length: the position and number of the photo's bytes; the length is 0 if the photo is missing.
        captions: the captions of its ``.json`` if that has a list, or the lines of its ``.txt`` and ``.caption``, or
            the caption of its ``.json``; stripped.
        regions: "regions" of its ``.json``, unchecked, see `sightline.data.regions.shards`; None without.
        problems: files of it that make no sense.
        unused: its further photos, and further files of the same name.
    """

    key: str
    name: str = ""
    file: str = ""
    offset: int = 0
    length: int = 0
    captions: tuple[str, ...] = ()
    regions: Any = None
    problems: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def joined(self, other: Sample) -> bool:
        """Take up the photo or the texts of another of the same key; False, and nothing, if both have a photo."""
        if self.length and other.length:
            return False
        photo = self if self.length else other
        self.file, self.offset, self.length = photo.file, photo.offset, photo.length
        self.captions, self.name = tuple(dict.fromkeys(self.captions + other.captions)), self.name or other.name
        return True

    @property
    def is_one(self) -> bool:
        """Whether it has a photo, captions or a photo's name; other files of a tar have not."""
        return bool(self.length or self.captions or self.name)


class TruncatedShard(Exception):
    """A shard ends too early or is no tar file; the message says which, and where."""


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a shard, in its order; no photo is read.

    Raises:
        TruncatedShard: after its last whole sample.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    key, files = "", list[tarfile.TarInfo]()
    with path.open("rb") as file:
        try:
            tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise TruncatedShard(f"no tar file, or a compressed one ({error})") from None
        while (member := _next(tar)) and member.offset_data + member.size <= size:
            name = _KEY.fullmatch(member.name)
            if not name or not member.isfile() or is_hidden(name[1]):
                continue
            if name[1] != key:
                yield from _samples(file, key, files)
                key, files = name[1], []
            files.append(member)
        file.seek(tar.offset)
        whole = member is None and file.read(BLOCK) == bytes(BLOCK)
        # The last sample before the cut may have lost its captions.
        samples = list(_samples(file, key, files))
        yield from samples if whole or not samples or (samples[-1].length and samples[-1].captions) else samples[:-1]
    if not whole:
        raise TruncatedShard(f"cut off or damaged at byte {member.offset if member else tar.offset:,}")


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return next_member(tar)
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        return None


def _samples(file: IO[bytes], key: str, files: Sequence[tarfile.TarInfo]) -> Iterator[Sample]:
    """The samples of consecutive files whose names are the same up to the first dot."""
    by_stem: dict[str, list[tarfile.TarInfo]] = {}
    for member in files:
        by_stem.setdefault(member.name[: member.name.rindex(".")], []).append(member)
    own = by_stem.pop(key, [])
    # "1.left.jpg", "1.right.jpg" and "1.txt" are one sample, as WebDataset has it; "1.0.jpg" and "1.0.txt" are another.
    for stem, of_stem in list(by_stem.items()):
        suffixes = {member.name[len(stem) + 1 :].lower() for member in of_stem}
        has_text = not suffixes.isdisjoint(_TEXTS) and any(is_photo(member.name) for member in of_stem)
        if own and (not has_text or not any(is_photo(member.name) for member in own)):
            own += by_stem.pop(stem)
    for stem, of_stem in ((key, own), *by_stem.items()):
        if (sample := _sample(file, stem, of_stem)).is_one:
            yield sample


def _sample(file: IO[bytes], key: str, members: Iterable[tarfile.TarInfo]) -> Sample:
    sample = Sample(key)
    texts: dict[str, tarfile.TarInfo] = {}
    for member in members:
        suffix = member.name[len(key) + 1 :].lower()
        if is_photo(member.name) and not sample.length:
            sample.file, sample.offset, sample.length = member.name, member.offset_data, member.size
        elif is_photo(member.name) or texts.setdefault(suffix, member) is not member:
            first = (sample.file or key) if member.name != sample.file else "another of that name"
            sample.unused.append(f"{member.name} (beside {first})")
    lines = [line for suffix in _LINES if suffix in texts for line in _lines(file, texts[suffix], sample)]
    facts = _facts(file, texts["json"], sample) if "json" in texts else {}
    if isinstance(name := facts.get("file_name"), str) and name:
        sample.name = name
    sample.regions = facts.get("regions")
    value = facts["captions"] if isinstance(facts.get("captions"), list) else captions_of(facts)
    captions = captions_in(value) or []
    sample.captions = tuple(filter(None, captions if isinstance(value, list) and captions else lines or captions))
    return sample


def _lines(file: IO[bytes], member: tarfile.TarInfo, sample: Sample) -> list[str]:
    try:
        text = unicodedata.normalize("NFC", _content(file, member).decode("utf-8-sig"))
    except UnicodeDecodeError:
        sample.problems.append(f"{member.name} (not UTF-8 text)")
        return []
    return list(map(str.strip, text.splitlines()))


def _facts(file: IO[bytes], member: tarfile.TarInfo, sample: Sample) -> dict[str, Any]:
    try:
        facts = json.loads(_content(file, member))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        sample.problems.append(f"{member.name} (not a JSON object)")
        return {}
    return facts


def _content(file: IO[bytes], member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(member.size)
