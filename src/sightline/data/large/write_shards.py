"""Write a dataset as WebDataset shards, a few large files that are easily moved to a cluster."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from sightline.data.dataset import Dataset, read_dataset
from sightline.data.example import Example
from sightline.data.large.shard_index import BLOCK, Progress, read_samples
from sightline.data.provenance import fingerprint
from sightline.data.regions.shards import regions_to_json
from sightline.errors import SightlineError
from sightline.model_folder import as_path, replacing

PLAN = "shards.json"
_SAMPLES = 10_000  # at most in a shard


@dataclass(frozen=True)
class WrittenShards:
    """The result of `write_shards`.

    Attributes:
        before: how many of the ``shards`` an earlier call wrote.
        left_out: the photos that could not be read by this call, each with the reason.
    """

    photos: int
    shards: int
    before: int
    left_out: tuple[str, ...]


def write_shards(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    shard_bytes: int = 256_000_000,
    progress: Progress = lambda done, total: None,
    regions: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> WrittenShards:
    """Write the photos of every split of the dataset in ``root``, with their captions, into shards in ``out``.

    They are ``train-000000.tar`` and so on, or ``000000.tar`` if the photos' names decide on the splits. A photo's
    bytes are copied unchanged. Its ``.json`` has "file_name", its name in the dataset, "captions", and "regions" if any
    are known (`sightline.data.regions.shards`); its ``.txt`` has the captions, one a line.

    A shard appears once it is complete. Called again, this continues after the shards that exist.

    Args:
        out: a new or empty folder, or one where this was interrupted.
        shard_bytes: bytes of photos in a shard, 1 or more; a shard has ten thousand photos at most.
        progress: called with (photos done, photos) after each.
        regions: see `Dataset`.
        say: told where regions come from.

    Raises:
        SightlineError: the dataset cannot be read, ``out`` holds something else or cannot be written, or the dataset
            has changed since the shards were begun.
    """
    root, out = as_path(root), as_path(out)
    if shard_bytes < 1:
        raise SightlineError(f"shards of {shard_bytes} bytes: a shard holds at least a photo; name a size above 0")
    dataset = read_dataset(root, regions=regions)
    total = sum(map(len, dataset.splits.values()))
    if not total:
        raise SightlineError(f"{root}: no photo with a caption to write")
    _begin(dataset, out, shard_bytes)
    photos = shards = before = done = 0
    left_out: list[str] = []
    for path, first, part in _plan(dataset, out, shard_bytes, cache(say)):
        if path.exists():
            before, photos = before + 1, photos + sum(1 for _ in read_samples(path))
        else:
            unreadable = _write(path, first, part, progress, done, total)
            left_out += unreadable
            photos += len(part) - len(unreadable)
        shards, done = shards + 1, done + len(part)
        progress(done, total)
    return WrittenShards(photos, shards, before, tuple(left_out))


def _begin(dataset: Dataset, out: Path, shard_bytes: int) -> None:
    """Create ``out``, or check that these very shards were begun there."""
    plan = {"shard_bytes": shard_bytes, "photos": fingerprint(dataset.splits)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
        for path in out.glob(".sightline-*.tar"):  # of a process that was killed
            path.unlink()
        begun = json.loads((out / PLAN).read_text(encoding="utf-8")) if PLAN in names else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"its {PLAN} is damaged"
        raise SightlineError(f"{out}: no shards can be written there ({reason}); name another folder") from None
    if begun is not None and begun != plan:
        raise SightlineError(
            f"{out}: holds shards of another dataset, or of another size, or the dataset has changed; name a new folder"
        )
    if begun is None:
        if names:
            raise SightlineError(f"{out}: holds something else ({min(names)}); name a new or empty folder")
        with replacing(out / PLAN) as path:
            path.write_text(json.dumps(plan), encoding="utf-8")


def _plan(
    dataset: Dataset, out: Path, shard_bytes: int, say: Callable[[str], None]
) -> Iterator[tuple[Path, int, Sequence[Example]]]:
    """(path, number of its first photo, photos) of each shard; the same in every call."""
    number = first = 0
    for split in filter(dataset.splits.get, dataset.splits):
        examples, prefix = dataset.located_split(split, say), ""
        if dataset.split_source == "files":
            prefix, number, first = f"{split}-", 0, 0
        for part in _parts(examples, shard_bytes):
            yield out / f"{prefix}{number:06d}.tar", first, part
            number, first = number + 1, first + len(part)


def _parts(examples: Sequence[Example], shard_bytes: int) -> Iterator[list[Example]]:
    part: list[Example] = []
    size = 0
    for example in examples:
        part.append(example)
        size += 3 * BLOCK + (example.photo.size() or 0)
        if size >= shard_bytes or len(part) == _SAMPLES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _write(path: Path, first: int, part: Sequence[Example], progress: Progress, done: int, total: int) -> list[str]:
    """Write a shard; returns the photos that are left out, with the reasons."""
    left_out = []
    located = any(example.regions for example in part)
    with replacing(path) as temporary, tarfile.open(temporary, "w") as tar:
        for count, example in enumerate(part):
            try:
                photo = example.photo.read()
            except OSError as error:
                left_out.append(f"{example.photo.name}: cannot be read ({error.strerror})")
                continue
            key = f"{first + count:09d}"
            facts: dict[str, Any] = {"file_name": example.name, "captions": example.captions}
            if located:
                facts["regions"] = regions_to_json(example.regions)
            lines = "\n".join(" ".join(caption.split()) for caption in example.captions)
            _add(tar, key + PurePosixPath(example.name).suffix.lower(), photo)
            _add(tar, f"{key}.txt", lines.encode(errors="replace"))
            _add(tar, f"{key}.json", json.dumps(facts).encode())
            progress(done + count + 1, total)
    return left_out


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
