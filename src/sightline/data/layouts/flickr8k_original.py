"""Flickr8k as its authors published it: two folders, or two archives unpacked side by side."""

from __future__ import annotations

from pathlib import Path

from sightline.annotations.match import find_photos
from sightline.annotations.text import read_token_file
from sightline.data.layout import Progress, Source, register_layout
from sightline.data.splits import find_splits

# The authors' archive spells its folder "Flicker8k"; copies mend that, or unpack one folder into another.
_PHOTO_FOLDERS = (
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset/Flickr8k_Dataset",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
)
_TEXT_FOLDERS = ("", "Flickr8k_text")


@register_layout("flickr8k_original", looks_for="Flicker8k_Dataset/ and Flickr8k.token.txt", rank=0)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``Flickr8k.token.txt`` (``name.jpg#0<tab>caption`` a line) and the split lists beside it."""
    folder = next((root / name for name in _PHOTO_FOLDERS if (root / name).is_dir()), None)
    text = next((root / name for name in _TEXT_FOLDERS if (root / name / "Flickr8k.token.txt").is_file()), None)
    if folder is None or text is None:
        return None
    path = text / "Flickr8k.token.txt"
    captions, unread = read_token_file(path)
    splits, lists = find_splits([text, root], captions)
    found = find_photos(folder, captions, whole=True)
    return Source(captions, found.photos, splits, unread, read=(path.name, *lists), unclear=found.unclear)
