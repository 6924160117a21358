"""Your own data: a table that names photos and their captions, or one a split, anywhere beside the photos."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from sightline.annotations.match import FoundPhotos, base_of, find_photos
from sightline.annotations.records import DELIMITED, OBJECTS, Records, collect, read_records
from sightline.annotations.split_names import split_in
from sightline.annotations.text import files_in
from sightline.data.layout import Progress, Source, register_layout
from sightline.errors import SightlineError
from sightline.images.columns import COLUMNS_TOLD


@register_layout("table", looks_for=f"a .csv, .tsv, .jsonl or .json file in which {COLUMNS_TOLD}", rank=3)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one table, or one a split; columns are a photo, a caption or a list of them, perhaps a split.

    They lie in ``root``, else in a folder right below it, the photos anywhere below.
    """
    tables = read_tables(root, ("", "*/"), _may_be_table)
    return source_of(root, tables) if tables else None


def _may_be_table(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    return suffix in (*DELIMITED, *OBJECTS) or (suffix == ".txt" and "caption" in name.lower())


def read_tables(root: Path, folders: Iterable[str], is_wanted: Callable[[str], bool]) -> dict[str, Records]:
    """Path relative to ``root`` -> what it says, of the first of ``folders``, patterns, in which there are tables.

    Raises:
        SightlineError: there are several that are neither one a split nor numbered parts of one.
    """
    for pattern in folders:
        paths = [path for path in files_in(root, pattern) if is_wanted(base_of(path))]
        tables = {path: table for path in paths if (root / path).is_file() and (table := read_records(root / path))}
        kinds = {re.sub(r"\d+", "", path) for path in tables}
        if len(kinds) > 1 and not all(map(split_in, tables)):
            told = f"{', '.join(tables)} all name images and captions"
            raise SightlineError(f"{root}: {told}; join them, with a split column, or name each for its split")
        if tables:
            return tables
    return {}


def source_of(root: Path, tables: dict[str, Records], folders: bool = False) -> Source:
    """What the tables say, and the photos, which lie in them or below ``root``; see `records.collect`."""
    said = collect(tables, folders)
    elsewhere = [name for name in said.captions if name not in said.photos]
    found = find_photos(root, elsewhere) if elsewhere else FoundPhotos({}, {})
    photos = {**said.photos, **found.photos}
    return Source(said.captions, photos, said.splits, said.unread, read=tuple(tables), unclear=found.unclear)
