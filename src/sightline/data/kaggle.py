"""Kaggle's layout of Flickr8k: ``Images/``, a table ``captions.txt``, and beside it, if you are lucky, split lists."""

from __future__ import annotations

from pathlib import Path

from sightline.data.files import list_photos, read_lines, read_split_lists
from sightline.data.layout import Progress, Source, register_layout
from sightline.data.table import collect, read_table
from sightline.errors import SightlineError


@register_layout("kaggle", looks_for="Images/ and captions.txt", rank=1)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``captions.txt`` (header ``image,caption``) and the split lists, ``*trainImages.txt`` and so on."""
    path = root / "captions.txt"
    folder = next((root / name for name in ("Images", "images") if (root / name).is_dir()), None)
    if folder is None or not path.is_file():
        return None
    table = read_table(path)
    if table is None:
        _, first = next(read_lines(path), (0, ""))
        raise SightlineError(f"{path}: the first line must be 'image,caption'; it is {first[:80]!r}")
    captions, splits, unread = collect(path, table)
    return Source(captions, list_photos(folder, captions), read_split_lists(root) or splits, unread)
