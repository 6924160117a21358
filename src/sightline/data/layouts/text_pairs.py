"""Photos with a text each: ``cat.jpg`` and ``cat.txt``, one caption a line, in folders that may be splits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from sightline.annotations.match import find_photos, folder_of, walk
from sightline.annotations.records import splits_of_folders
from sightline.annotations.text import TEXT_SUFFIXES, read_lines
from sightline.data.layout import Progress, Source, find_splits, is_split_list, register_layout
from sightline.images.source import FileSource

_NO_CAPTIONS = re.compile(r"(readme|licen[cs]e|requirements|classes|labels|notes?)\b.*", re.IGNORECASE)


@register_layout("pairs", looks_for="photos and a .txt or .caption of the same name for each", rank=4)
def read(root: Path, progress: Progress) -> Source | None:
    """Read every ``.txt`` and ``.caption`` below ``root`` that has the name of a photo, beside it or in another folder.

    ``cat.jpg.txt`` belongs to ``cat.jpg``, too. A photo's name is its path; a text without a photo, in a folder with
    texts that have one, is a missing photo's.
    """
    texts: dict[str, list[str]] = {}
    for name, path in _texts(root):
        texts.setdefault(name, []).append(path)
    found = find_photos(root, texts)
    paths = {name: _path(root, photo) for name, photo in found.photos.items() if isinstance(photo, FileSource)}
    homes = {folder_of(name) for name in texts if name in paths}
    if not homes:
        return None
    captions: dict[str, tuple[str, ...]] = {}
    unclear: dict[str, str] = {}
    for number, (name, files) in enumerate(texts.items(), start=1):
        if name in paths or folder_of(name) in homes:
            photo = paths.get(name, name)
            lines = chain.from_iterable(read_lines(Path(path)) for path in files)
            captions[photo] = (*captions.get(photo, ()), *(line for _, line in lines))
            if name in found.unclear:
                unclear[photo] = found.unclear[name]
        progress(number, len(texts))
    photos = {paths[name]: photo for name, photo in found.photos.items()}
    splits, lists = find_splits([root], captions)
    splits = splits or splits_of_folders({**captions, **photos})
    return Source(captions, photos, splits, read=(f"texts of {len(captions)} photos", *lists), unclear=unclear)


def _path(root: Path, photo: FileSource) -> str:
    return os.path.relpath(photo.path, root).replace(os.sep, "/")


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """(name of the text's photo, path of the text); the name has a suffix only if the text's name contains it."""
    for folder, path, files in walk(os.fspath(root)):
        for file in sorted(files):
            stem, suffix = os.path.splitext(file)  # noqa: PTH122
            is_other = file.startswith(".") or _NO_CAPTIONS.match(file) or (is_split_list(file) and not folder)
            if suffix.lower() in TEXT_SUFFIXES and not is_other:
                yield folder + stem, os.path.join(path, file)  # noqa: PTH118
