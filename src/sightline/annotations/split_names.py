"""The names of splits, and the split of a photo that no list names."""

from __future__ import annotations

import functools
import hashlib
import os
import re

from sightline.errors import SightlineError

SPLITS = ("train", "val", "test")

# COCO's "restval" is the part of its validation photos that everyone trains on.
_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_named(word: str, where: str) -> str:
    """The split that a dataset calls ``word``; `SightlineError` naming ``where`` if there is no such split."""
    try:
        return _SPLIT_NAMES[word.strip().lower()]
    except KeyError:
        known = ", ".join(_SPLIT_NAMES)
        raise SightlineError(f"{where}: unknown split {word!r}; use one of {known}") from None


@functools.lru_cache(maxsize=4096)
def split_in(path: str) -> str:
    """The split named by a word of a path, or "": "val" for ``coco-val2017/000.tar``. The last such word counts."""
    words = re.findall("[a-z]+", path.lower())
    return next((_SPLIT_NAMES[word] for word in reversed(words) if word in _SPLIT_NAMES), "")


def derive_split(name: str) -> str:
    """The split of a photo that no list names: 80% train, 10% val, 10% test, by the hash of its file name.

    It depends on the photo's own name alone, so photos added later never move another one from train to test.
    """
    digest = hashlib.sha256(os.fsencode(name.replace("\\", "/").rpartition("/")[2])).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if share < 0.8 else "val" if share < 0.9 else "test"
