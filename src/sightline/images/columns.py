"""What people call the column, or the field, of a photo and of its caption: one list for all that read tables."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from sightline.images.formats import is_photo

# In lower case; the first that is there counts, so a file's name comes before an id. "*" is Hugging Face's.
PHOTO_NAMES = (
    *("file_name", "filename", "image", "image_name", "photo", "image_path", "filepath", "path", "img", "*_file_name"),
)
PHOTO_COLUMNS = (*PHOTO_NAMES, "image_id", "img_id", "id")
CAPTION_COLUMNS = (
    *("caption", "captions", "text", "sentence", "sentences", "comment", "raw", "title", "hypothesis", "references"),
)
COLUMNS_TOLD = (
    f"a photo's column is called {', '.join(PHOTO_COLUMNS[:-1])} or {PHOTO_COLUMNS[-1]}, "
    f"a caption's {', '.join(CAPTION_COLUMNS[:-1])} or {CAPTION_COLUMNS[-1]}"
)


def find_column(wanted: Sequence[str], columns: Collection[str]) -> str | None:
    """The first of ``wanted`` that is among ``columns``, a ``*`` standing for any letters; None if none is."""
    for name in wanted:
        if name in columns:
            return name
        if "*" in name and (found := next((column for column in columns if fnmatchcase(column, name)), None)):
            return found
    return None


def plain_column(name: str) -> str:
    """A column's name as the lists have it: ``"Image Path "`` is ``"image_path"``."""
    return re.sub(r"[\s-]+", "_", name.strip()).lower()


def plain_photo(name: str) -> str:
    """A photo's name without what tables write around it: ``"./a.jpg#0"``, the first caption's, is ``"a.jpg"``."""
    name = name.strip().removeprefix("./")
    if "#" in name:
        photo, _, number = name.rpartition("#")
        if number.isdecimal() and (is_photo(photo) or photo.isdecimal()):
            return photo
    return name


def split_cell(text: str) -> list[str]:
    """The captions of a cell: one, or all of a list that JSON or Python wrote, as in ``["a dog", "a cat"]``."""
    if text.startswith(("['", '["')) and text.endswith(("']", '"]')):
        for parse in (json.loads, ast.literal_eval):
            try:
                texts = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(texts, list) and all(isinstance(one, str) for one in texts):
                return texts
    return [text]
