"""Numbered captions in a text: Flickr30k's ``results_20130124.token``, Flickr8k-CN's ``flickr8kzhc.caption.txt``."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.annotations.match import base_of, find_photos
from sightline.annotations.text import files_in, first_line, parse_token_line, read_token_file
from sightline.data.layout import Progress, Source, register_layout
from sightline.data.splits import find_splits
from sightline.errors import SightlineError

_MAY_BE = re.compile(r".*(caption|token|flickr|results).*\.txt", re.IGNORECASE)


@register_layout(
    "token_file",
    looks_for="a .token file, as Flickr30k's results_20130124.token, or Flickr8k-CN's flickr8kzhc.caption.txt",
    rank=0,
)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one file whose lines are ``name.jpg#0<tab>caption``, or ``name#zhc#0 caption``.

    It lies in ``root``, else in a folder right below it; split lists or Karpathy's JSON beside it or in ``root``.
    """
    found = next(filter(None, (_numbered(root, pattern) for pattern in ("", "*/"))), [])
    if not found:
        return None
    if len(found) > 1:
        told = f"{' and '.join(found)} {'both' if len(found) == 2 else 'all'}"
        raise SightlineError(f"{root}: {told} hold captions; keep one")
    path = root / found[0]
    captions, unread = read_token_file(path)
    splits, lists = find_splits([path.parent, root], captions)
    photos = find_photos(root, captions)
    return Source(captions, photos.photos, splits, unread, read=(found[0], *lists), unclear=photos.unclear)


def _numbered(root: Path, pattern: str) -> list[str]:
    return [file for file in files_in(root, pattern) if _is_numbered(root / file, base_of(file))]


def _is_numbered(path: Path, name: str) -> bool:
    if name.endswith(".token"):
        return path.is_file()
    return bool(_MAY_BE.fullmatch(name)) and path.is_file() and parse_token_line(first_line(path)) is not None
