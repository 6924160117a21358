"""The samples of a WebDataset shard: consecutive files of a tar that share their name up to the first dot."""

from __future__ import annotations

import json
import re
import tarfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sightline.images.formats import is_photo

BLOCK = 512  # bytes; members of a tar file begin at multiples of it

_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")


@dataclass
class Sample:
    """A photo of a shard, with its captions.

    Attributes:
        key: its files' common name, up to the first dot.
        name: the photo's name, "file_name" in its ``.json``, or "".
        file: the photo's file.
        offset, length: the position and number of the photo's bytes; the length is 0 if the photo is missing.
        captions: "captions" of its ``.json``, or the lines of its ``.txt``, or "caption" of its ``.json``; stripped.
        regions: "regions" of its ``.json``, unchecked, see `sightline.data.regions.shards`; None without.
        problems: files of it that make no sense.
    """

    key: str
    name: str = ""
    file: str = ""
    offset: int = 0
    length: int = 0
    captions: tuple[str, ...] = ()
    regions: Any = None
    problems: list[str] = field(default_factory=list)

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
    key, files = "", dict[str, tarfile.TarInfo]()
    with path.open("rb") as file:
        try:
            tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            raise TruncatedShard(f"no tar file, or a compressed one ({error})") from None
        while (member := _next(tar)) and member.offset_data + member.size <= size:
            name = _KEY.fullmatch(member.name)
            if not name or not member.isfile() or name[1].rpartition("/")[2].startswith("._"):  # left by a Mac
                continue
            if name[1] != key:
                if (sample := _sample(file, key, files)).is_one:
                    yield sample
                key, files = name[1], {}
            files[name[2]] = member
        file.seek(tar.offset)
        whole = member is None and file.read(BLOCK) == bytes(BLOCK)
        # The last sample before the cut may have lost its captions.
        if (sample := _sample(file, key, files)).is_one and (whole or (sample.length and sample.captions)):
            yield sample
    if not whole:
        raise TruncatedShard(f"cut off or damaged at byte {member.offset if member else tar.offset:,}")


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    tar.members.clear()  # type: ignore[attr-defined]  # it would keep a million headers
    try:
        return tar.next()
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        return None


def _sample(file: IO[bytes], key: str, files: dict[str, tarfile.TarInfo]) -> Sample:
    sample = Sample(key)
    for member in files.values():
        if is_photo(member.name):
            sample.file, sample.offset, sample.length = member.name, member.offset_data, member.size
            break
    lines, facts = _text(file, files.get("txt"), sample), _facts(file, files.get("json"), sample)
    if isinstance(name := facts.get("file_name"), str) and name:
        sample.name = name
    sample.regions = facts.get("regions")
    captions = facts.get("captions")
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        captions = lines or [facts.get("caption")]
    sample.captions = tuple(caption.strip() for caption in captions if isinstance(caption, str) and caption.strip())
    return sample


def _text(file: IO[bytes], member: tarfile.TarInfo | None, sample: Sample) -> list[str]:
    if member is None:
        return []
    try:
        return unicodedata.normalize("NFC", _content(file, member).decode("utf-8-sig")).splitlines()
    except UnicodeDecodeError:
        sample.problems.append(f"{member.name} (not UTF-8 text)")
        return []


def _facts(file: IO[bytes], member: tarfile.TarInfo | None, sample: Sample) -> dict[str, Any]:
    if member is None:
        return {}
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
