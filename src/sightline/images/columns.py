"""What people call the column, or the field, of a photo and of its caption: one list for all that read tables."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

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
    f"a caption's {', '.join(CAPTION_COLUMNS[:-1])} or {CAPTION_COLUMNS[-1]}, or caption_0, caption_1 and so on"
)


def find_column(wanted: Sequence[str], columns: Collection[str]) -> str | None:
    """The first of ``wanted`` that is among ``columns``, a ``*`` standing for any letters; None if none is."""
    for name in wanted:
        if name in columns:
            return name
        if "*" in name and (found := next((column for column in columns if fnmatchcase(column, name)), None)):
            return found
    return None


def caption_columns(columns: Collection[str]) -> tuple[str, ...]:
    """The columns of a photo's captions, in order: one of `CAPTION_COLUMNS`, or those with a number after it, or both.

    >>> caption_columns(["image", "caption", "text", "caption_2", "caption3"])
    ('caption', 'caption_2', 'caption3')
    """
    found = (
        tuple(column for column in columns if re.fullmatch(rf"{name}[_.]?\d*", column)) for name in CAPTION_COLUMNS
    )
    return next(filter(None, found), ())


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


def filled(values: Mapping[str, Any], columns: Sequence[str]) -> Any:
    """What the columns of a photo's captions hold: the value of one, or a list of those of several that hold any."""
    if len(columns) > 1:
        return [value for column in columns if (value := values.get(column))] or ""
    return values.get(columns[0]) if columns else None


def captions_of(fields: Mapping[Any, Any]) -> Any:
    """What the fields of captions of a JSON object hold, see `filled`."""
    return filled(fields, _caption_keys(tuple(fields)))


@functools.lru_cache(maxsize=1024)
def _caption_keys(keys: tuple[Any, ...]) -> tuple[str, ...]:
    plain = {plain_column(key): key for key in keys if isinstance(key, str)}
    return tuple(plain[column] for column in caption_columns(plain))


def captions_in(value: object) -> list[str] | None:
    """The captions of a cell or a JSON value, stripped; None if it makes no sense.

    They are a text, an object with a field for captions, as Karpathy's sentences and pycocoevalcap's records are, or a
    list of these.
    """
    if isinstance(value, str):
        several = split_cell(value)
        return [value.strip()] if several == [value] else captions_in(several)
    if isinstance(value, dict):
        return captions_in(captions_of(value))
    if not isinstance(value, list):
        return None
    each = list(map(captions_in, value))
    return None if None in each else [text for texts in each for text in texts or ()]


def split_cell(text: str) -> list[Any]:
    """The captions of a cell: one, or all of a list that JSON or Python wrote, as in ``["a dog", "a cat"]``."""
    if text.startswith(("['", '["', "[{")) and text.endswith(("']", '"]', "}]")):
        for parse in (json.loads, ast.literal_eval):
            try:
                texts = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(texts, list) and all(isinstance(one, str | dict) for one in texts):
                return texts
    return [text]
