"""`Row`, what every form of caption file is read as, and the rows of a dataset's files collected by photo.

Readers never raise for an entry that makes no sense: its row has a ``problem``. Whether that is collected (`Collector`)
or raised at once (`sightline.annotations.caption_files`) is up to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sightline.annotations.match import folder_of
from sightline.annotations.split_names import SPLITS, split_in, split_named
from sightline.images.columns import (
    COLUMNS_TOLD,
    caption_columns,
    captions_in,
    filled,
    find_column,
    plain_column,
    plain_photo,
)
from sightline.images.source import ImageSource

FORMS = "COCO results or annotations, {photo: [captions]}, JSON lines with image and caption, or CSV with image,caption"


class Row(NamedTuple):
    """One entry of a caption file.

    Attributes:
        place: where it is, such as ``"line 7"`` or ``"images[3]"``.
        photo: what the file calls the photo.
        captions: stripped; none if the entry has an empty list, or an ``error``.
        split: the file's word for the photo's split, or "".
        problem: why the entry makes no sense, with the way out; then the fields above but ``place`` may be empty.
        error: why the photo could not be captioned, as `sightline caption --out` writes it.
        alias: another name of the photo, or "".
    """

    place: str
    photo: str = ""
    captions: Sequence[str] = ()
    split: str = ""
    problem: str = ""
    error: str = ""
    alias: str = ""


@dataclass(frozen=True)
class CaptionRows:
    """A file's rows, which can be iterated once.

    Attributes:
        rows: in the order of the file.
        photos: name -> a photo whose bytes the file itself holds; complete once the rows have been read.
    """

    rows: Iterable[Row]
    photos: Mapping[str, ImageSource] = field(default_factory=dict)


class RowMaker:
    """Makes `Row`s of values by column; ``photo`` and ``captions`` are the columns that count."""

    def __init__(self, photo: str, captions: Sequence[str]) -> None:
        self.photo, self.captions = photo, captions
        self._value: Any = None
        self._name = ""

    def make(self, place: str, values: Mapping[str, Any]) -> Row:
        """``values`` by `plain_column`."""
        value, captions, split = values.get(self.photo), filled(values, self.captions), values.get("split") or ""
        if not isinstance(value, str) or value != self._value:  # a photo's rows mostly follow one another
            is_name = isinstance(value, int | str) and not isinstance(value, bool)
            self._value, self._name = value, plain_photo(str(value)) if is_name else ""
        name = self._name
        if not name:
            return Row(place, problem=f"{self.photo} is neither text nor a whole number; name the photo by one of them")
        if not isinstance(split, str):
            return Row(place, problem=f"{name!r} has a split that is no text; write train, val or test")
        if not captions and (error := values.get("error")):
            return Row(place, name, (), split, error=str(error))
        if isinstance(captions, str) and not captions.startswith("["):  # of a million rows, most are one caption
            return Row(place, name, (captions.strip(),), split)
        return with_captions(place, name, captions, split)


def with_captions(place: str, photo: str, captions: object, split: str = "") -> Row:
    """A row whose captions may be one or a list, see `captions_in`."""
    if (texts := captions_in(captions)) is not None:
        return Row(place, photo, texts, split)
    problem = f"{photo!r} is neither a caption nor a list of captions; write captions as {FORMS}"
    return Row(place, split=split, problem=problem)


def rows_of_objects(entries: Iterable[tuple[str, object]], photo_names: Sequence[str]) -> Iterator[Row]:
    """The rows of (place, JSON value): objects with a field for the photo and one for the caption.

    A `ValueError` in the place of a value is its problem. Of ``photo_names`` the first that is there counts.
    """
    makers: dict[tuple[str, ...], tuple[list[str], RowMaker | str]] = {}
    for place, entry in entries:
        if isinstance(entry, ValueError):
            yield Row(place, problem=f"{entry}; write captions as {FORMS}")
        elif not isinstance(entry, dict):
            yield Row(place, problem=f"not an object with image and caption; write captions as {FORMS}")
        else:
            keys = tuple(entry)
            if keys not in makers:
                columns = list(map(plain_column, keys))
                makers[keys] = columns, _maker_of(keys, columns, photo_names)
            columns, maker = makers[keys]
            if isinstance(maker, str):
                yield Row(place, problem=maker)
            else:
                yield maker.make(place, dict(zip(columns, entry.values(), strict=True)))


def names_photo_and_caption(entry: object, photo_names: Sequence[str]) -> bool:
    """Whether a JSON value is an object with a field for the photo and one for the caption."""
    columns = list(map(plain_column, entry)) if isinstance(entry, dict) else []
    return bool(find_column(photo_names, columns) and caption_columns(columns))


def _maker_of(keys: Sequence[str], columns: Sequence[str], photo_names: Sequence[str]) -> RowMaker | str:
    photo, captions = find_column(photo_names, columns), caption_columns(columns)
    if photo and captions:
        return RowMaker(photo, captions)
    lacking = "caption" if photo else "photo, e.g. image_id"
    return f"no field for the {lacking}; it has {', '.join(keys) or 'none'}; {COLUMNS_TOLD}"


@dataclass(frozen=True)
class Records:
    """What a dataset's caption files say.

    Attributes:
        captions: photo -> its captions, stripped; empty ones are still there.
        splits: "train", "val", "test" -> the photos that the files put there; None if they name no split.
        unread: the places of entries that make no sense, such as ``"captions.txt line 7"``.
        photos: name -> a photo whose bytes a file holds.
        problem: the first of the entries that make no sense, with its place and problem; or "".
    """

    captions: dict[str, tuple[str, ...]]
    splits: dict[str, tuple[str, ...]] | None
    unread: tuple[str, ...] = ()
    photos: Mapping[str, ImageSource] = field(default_factory=dict)
    problem: str = ""


class Collector:
    """Collects the rows of a dataset's files by photo, and the places of those that make no sense."""

    def __init__(self) -> None:
        self._captions: dict[str, Any] = {}
        self._splits: dict[str, dict[str, None]] = {}
        self._unread: list[str] = []
        self._photos: dict[str, ImageSource] = {}
        self._problem = ""

    def add(self, file: str, content: CaptionRows, split: str = "", prefix: str = "") -> Collector:
        """Read a file's rows; ``split`` is of rows that name none, ``prefix`` is put before the photos' names.

        Raises:
            SightlineError: a row is in a split that there is not.
        """
        for place, photo, captions, named_split, problem, _, _ in content.rows:
            if problem:
                self._problem = self._problem or f"{file} {place}: {problem}"
                self._unread.append(f"{file} {place}")
                continue
            name = prefix + photo
            if named_split or split:
                self._splits.setdefault(split_named(named_split or split, f"{file} {place}"), {})[name] = None
            self._captions.setdefault(name, []).extend(captions)
        self._photos |= {prefix + name: photo for name, photo in content.photos.items()}
        return self

    def records(self) -> Records:
        """All that was added."""
        for name, texts in self._captions.items():  # in place: of a million captions there is no second copy
            self._captions[name] = tuple(texts)
        splits = _ordered(self._splits) if self._splits else None
        return Records(self._captions, splits, tuple(self._unread), self._photos, self._problem)


def splits_of_folders(photos: Iterable[str]) -> dict[str, tuple[str, ...]] | None:
    """Split -> photos, by the words of their folders; None unless every photo has a split, and there are several."""
    splits: dict[str, dict[str, None]] = {}
    split_of: dict[str, str] = {}
    for photo in photos:
        folder = folder_of(photo.replace("\\", "/"))
        if folder not in split_of:
            split_of[folder] = split_in(folder)
        splits.setdefault(split_of[folder], {})[photo] = None
    return _ordered(splits) if len(splits) > 1 and "" not in splits else None


def _ordered(splits: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {split: tuple(splits[split]) for split in SPLITS if split in splits}
