"""Kaggle's layout of Flickr8k: ``Images/``, a CSV ``captions.txt``, and beside it, if you are lucky, split lists."""

from __future__ import annotations

from pathlib import Path

from sightline.data.files import group_captions, list_photos, read_rows, read_split_lists
from sightline.data.layout import Source, register_layout
from sightline.errors import SightlineError


@register_layout("kaggle", looks_for="Images/ and captions.txt", rank=1)
def read(root: Path) -> Source | None:
    """Read ``captions.txt`` (header ``image,caption``) and the split lists, ``*trainImages.txt`` and so on."""
    table = root / "captions.txt"
    folder = next((root / name for name in ("Images", "images") if (root / name).is_dir()), None)
    if folder is None or not table.is_file():
        return None
    rows = read_rows(table)
    _, header = next(rows, (0, []))
    if [cell.lower() for cell in header] != ["image", "caption"]:
        raise SightlineError(f"{table}: the first line must be 'image,caption'; it is {','.join(header)!r}")
    pairs, unread = [], []
    for line, (image, *cells) in rows:
        if image and cells:
            # Some copies of the file leave captions with commas unquoted.
            pairs.append((image, ",".join(cells)))
        else:
            unread.append(f"{table.name} line {line}")
    captions = group_captions(pairs)
    return Source(captions, list_photos(folder, captions), read_split_lists(root), tuple(unread))
