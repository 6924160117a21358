"""Kaggle's layout of Flickr8k: ``Images/``, a table ``captions.txt``, and beside it, if you are lucky, split lists."""

from __future__ import annotations

from pathlib import Path

from sightline.annotations.match import find_photos
from sightline.annotations.records import collect, read_records
from sightline.annotations.text import first_line, parse_token_line
from sightline.data.layout import Progress, Source, register_layout
from sightline.data.splits import find_splits
from sightline.errors import SightlineError
from sightline.images.columns import COLUMNS_TOLD


@register_layout("kaggle", looks_for="Images/ and captions.txt", rank=0)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``captions.txt`` (header ``image,caption``) and the split lists, ``*trainImages.txt`` and so on."""
    path = root / "captions.txt"
    folder = next((root / name for name in ("Images", "images") if (root / name).is_dir()), None)
    if folder is None or not path.is_file() or parse_token_line(first_line(path)):
        return None
    table = read_records(path)
    if table is None:
        told = f"the first line must be 'image,caption'; it is {first_line(path)[:80]!r}"
        raise SightlineError(f"{path}: {told}; {COLUMNS_TOLD}")
    said = collect({path.name: table})
    splits, lists = find_splits([root], said.captions)
    found = find_photos(folder, said.captions, whole=True)
    return Source(
        said.captions,
        found.photos,
        splits or said.splits,
        said.unread,
        read=(path.name, *lists),
        unclear=found.unclear,
    )
