"""Fingerprints of the photos a model was trained on, to recognise them in any folder.

Two photos count as the same if their files' name and size are; no photo is read.
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.data.example import Example
from sightline.errors import SightlineError

_KEY = 6  # bytes: two photos of a million share one by chance less than once in a hundred such sets
_SAMPLE = 512


class Overlap(NamedTuple):
    """The number of photos that could be looked up among those of a training, and how many of these it had."""

    looked_up: int
    known: int


def fingerprint(splits: Mapping[str, Sequence[Example]]) -> dict[str, dict[str, Any]]:
    """What a model's configuration keeps of the photos of each split.

    ``photos``: their number. ``files``: twenty hexadecimal digits that change with any file's name or size.
    ``captions``: twenty that change with any caption or the photos' order. ``sample``: the photos' 512 smallest keys,
    in base64.

    Raises:
        SightlineError: a photo no longer exists.
    """
    return {split: _fingerprint(examples) for split, examples in splits.items()}


def difference(training: Mapping[str, Any], splits: Mapping[str, Sequence[Example]]) -> str:
    """How ``splits`` differ from what a training began with (`ModelConfig.training`), in words; "" if they do not."""
    if "fingerprint" not in training:
        return "its config.json keeps no fingerprint of them"
    for split, now in fingerprint(splits).items():
        then = training["fingerprint"][split]
        if then["photos"] != now["photos"]:
            return f"{now['photos']:,} {split} photos, not {then['photos']:,}"
        for key, what in (("files", "names or sizes of photos"), ("captions", "captions, or another order of photos")):
            if then[key] != now[key]:
                return f"other {what} in {split}"
    return ""


def overlap(known: Mapping[str, Any], examples: Iterable[Example]) -> Overlap:
    """Which of ``examples`` are among the photos of ``known``, one split's part of a `fingerprint`.

    Of large splits a sample is kept: only photos whose keys are in its range can be looked up, the same share of any
    photos.
    """
    packed = np.frombuffer(base64.b64decode(known["sample"]), np.uint8).reshape(-1, _KEY)
    kept = np.zeros((len(packed), 8), np.uint8)
    kept[:, -_KEY:] = packed
    sample = kept.view(">u8")[:, 0].astype(np.uint64)
    keys = _keys(examples)
    if known["photos"] > len(sample):
        keys = keys[keys <= sample[-1]]
    return Overlap(len(keys), int(np.isin(keys, sample).sum()))


def same_files(known: Mapping[str, Any], examples: Iterable[Example]) -> bool:
    """Whether ``examples`` are exactly the photos of ``known``, one split's part of a `fingerprint`."""
    return bool(known["files"] == _digest(_sorted_bytes(_keys(examples))))


def _fingerprint(examples: Sequence[Example]) -> dict[str, Any]:
    keys, captions = array("Q"), hashlib.sha256()
    for example in examples:
        key = _key(example)
        texts = ", ".join(map(encode_basestring_ascii, example.captions))  # as json.dumps, but with one encoder for all
        captions.update((b"\n" if keys else b"") + key + f"[{texts}]".encode())
        keys.append(int.from_bytes(key, "big"))
    ordered = np.frombuffer(keys, np.uint64)
    smallest = _sorted_bytes(np.unique(ordered)[:_SAMPLE])
    return {
        "photos": len(keys),
        "files": _digest(_sorted_bytes(ordered)),
        "captions": captions.hexdigest()[:20],
        "sample": base64.b64encode(smallest.tobytes()).decode(),
    }


def _keys(examples: Iterable[Example]) -> NDArray[np.uint64]:
    """uint64 (N,), as there may be millions of photos."""
    return np.fromiter((int.from_bytes(_key(example), "big") for example in examples), np.uint64)


def _key(example: Example) -> bytes:
    try:
        size = example.photo.size()
    except OSError as error:
        raise SightlineError(f"{example.photo.name}: cannot be read ({error.strerror})") from None
    name = example.name.rpartition("/")[2]
    known = "" if size is None else size
    return hashlib.sha256(f"{known} {name}".encode(errors="surrogateescape")).digest()[:_KEY]


def _sorted_bytes(keys: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The sorted keys' bytes (N, 6)."""
    return np.sort(keys).astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_KEY:]


def _digest(keys: NDArray[np.uint8]) -> str:
    """Digest of the keys (N, 6), joined by newlines."""
    lines = np.full((len(keys), _KEY + 1), ord("\n"), np.uint8)
    lines[:, :_KEY] = keys
    return hashlib.sha256(lines.tobytes()[:-1]).hexdigest()[:20]
