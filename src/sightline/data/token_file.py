"""Flickr30k as its authors published it: ``results_20130124.token`` and a folder of photos."""

from __future__ import annotations

from pathlib import Path

from sightline.data.files import find_photos, read_split_lists, read_token_file
from sightline.data.layout import Progress, Source, register_layout
from sightline.errors import SightlineError


@register_layout("token_file", looks_for="a .token file, as Flickr30k's results_20130124.token", rank=1)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one ``*.token`` (``name.jpg#0<tab>caption`` a line) and split lists, if there are any.

    The photos lie under ``root`` or in a folder right below it.
    """
    found = sorted(path for path in root.glob("*.token") if path.is_file() and not path.name.startswith("."))
    if not found:
        return None
    if len(found) > 1:
        raise SightlineError(f"{root}: {' and '.join(path.name for path in found)} both hold captions; keep one")
    captions, unread = read_token_file(found[0])
    return Source(captions, find_photos(root, captions), read_split_lists(root), unread)
