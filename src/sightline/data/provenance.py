"""What a model remembers of the photos it learned from, so that they are known again under any folder's name.

A photo counts as the same where its file's name and size are: nothing is read of it, whatever their number.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sightline.data.dataset import Example
from sightline.errors import SightlineError

_KEY = 6  # bytes: two photos of a million share one by chance less than once in a hundred such sets
_SAMPLE = 512


class Overlap(NamedTuple):
    """How many photos could be looked up among those of a training, and how many of them were there."""

    looked_up: int
    known: int


def fingerprint(splits: Mapping[str, Sequence[Example]]) -> dict[str, dict[str, Any]]:
    """What a model's configuration keeps of the photos of each split.

    ``photos``: how many. ``files``: twenty hexadecimal digits that change with any file's name or size. ``captions``:
    as many that change with any caption or the photos' order. ``sample``: the photos' 512 smallest keys, in base64.

    Raises:
        SightlineError: a photo is no longer there.
    """
    return {split: _fingerprint(examples) for split, examples in splits.items()}


def difference(training: Mapping[str, Any], splits: Mapping[str, Sequence[Example]]) -> str:
    """How ``splits`` differ from what a training began with (`ModelConfig.training`), in words; empty if they do not.

    A training of an older version, which kept no fingerprint, is held to its dataset's numbers of photos.
    """
    now = fingerprint(splits)
    then = training.get("fingerprint") or {split: {"photos": _one(training.get(f"{split}_photos"))} for split in splits}
    for split in splits:
        ours, theirs = now[split], then.get(split, {})
        if theirs.get("photos") not in (ours["photos"], None):
            return f"{ours['photos']:,} {split} photos, not {theirs['photos']:,}"
        for key, what in (("files", "names or sizes of photos"), ("captions", "captions, or another order of photos")):
            if theirs.get(key) not in (ours[key], None):
                return f"other {what} in {split}"
    return ""


def _one(count: object) -> object:
    return None if isinstance(count, list) else count


def overlap(known: Mapping[str, Any], examples: Iterable[Example]) -> Overlap:
    """Which of ``examples`` are among the photos of ``known``, one split's part of a `fingerprint`.

    Of large splits a sample is kept: only photos whose keys would have been part of it can be looked up, which are the
    same share of any photos.
    """
    packed = base64.b64decode(known["sample"])
    kept = [packed[start : start + _KEY] for start in range(0, len(packed), _KEY)]
    keys = _keys(examples)
    if known["photos"] > len(kept):
        keys = [key for key in keys if key <= kept[-1]]
    there = set(kept)
    return Overlap(len(keys), sum(key in there for key in keys))


def same_files(known: Mapping[str, Any], examples: Iterable[Example]) -> bool:
    """Whether ``examples`` are just the photos of ``known``, one split's part of a `fingerprint`."""
    return bool(known["files"] == _digest(sorted(_keys(examples))))


def _fingerprint(examples: Sequence[Example]) -> dict[str, Any]:
    keys = _keys(examples)
    captions = [json.dumps(example.captions).encode() for example in examples]
    return {
        "photos": len(keys),
        "files": _digest(sorted(keys)),
        "captions": _digest([key + text for key, text in zip(keys, captions, strict=True)]),
        "sample": base64.b64encode(b"".join(sorted(set(keys))[:_SAMPLE])).decode(),
    }


def _keys(examples: Iterable[Example]) -> list[bytes]:
    keys = []
    for example in examples:
        try:
            size = example.photo.size()
        except OSError as error:
            raise SightlineError(f"{example.photo.name}: cannot be read ({error.strerror})") from None
        name = example.image.rpartition("/")[2]
        known = "" if size is None else size
        keys.append(hashlib.sha256(f"{known} {name}".encode(errors="surrogateescape")).digest()[:_KEY])
    return keys


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:20]
