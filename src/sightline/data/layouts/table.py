"""Tables of photos and captions beside the photos: your own, and Hugging Face's imagefolder and Parquet."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from sightline.annotations.caption_files import DELIMITED, OBJECTS, PARQUET, read_table
from sightline.annotations.match import base_of, folder_of
from sightline.annotations.records import CaptionRows, Collector, splits_of_folders
from sightline.annotations.split_names import split_in
from sightline.annotations.text import files_in
from sightline.data.layout import Progress, Source, complete, register_layout
from sightline.errors import SightlineError
from sightline.images.columns import COLUMNS_TOLD

_METADATA = re.compile(r"metadata\.(csv|tsv|jsonl|parquet)", re.IGNORECASE)


@register_layout("imagefolder", looks_for="metadata.csv, .jsonl or .parquet, at the root or in train/, test/", rank=2)
def read_imagefolder(root: Path, progress: Progress) -> Source | None:
    """Read files called metadata, in ``root``, else one or two folders down; they name photos beside themselves.

    The splits are a column, or the folders of these files or of the photos.
    """
    tables = _read_tables(root, ("", "*/", "*/*/"), lambda name: bool(_METADATA.fullmatch(name)))
    return _source_of(root, tables, beside=True) if tables else None


@register_layout("parquet", looks_for=".parquet files with photos or their paths, and captions", rank=3)
def read_parquet(root: Path, progress: Progress) -> Source | None:
    """Read the ``.parquet`` files in ``root``, else one or two folders down; parts are numbered or named for splits."""
    shards = {path.stem for path in root.glob("*.tar")}  # img2dataset writes a list beside each shard

    def is_wanted(name: str) -> bool:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        return suffix.lower() in PARQUET and stem not in shards

    tables = _read_tables(root, ("", "*/", "*/*/"), is_wanted)
    return _source_of(root, tables) if tables else None


@register_layout("table", looks_for=f"a .csv, .tsv, .jsonl or .json file in which {COLUMNS_TOLD}", rank=3)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one table, or one a split: columns of a photo, a caption or a list of them, perhaps a split.

    They are in ``root``, else in a folder right below it, the photos anywhere below.
    """

    def is_wanted(name: str) -> bool:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
        return suffix in (*DELIMITED, *OBJECTS) or (suffix == ".txt" and "caption" in name.lower())

    tables = _read_tables(root, ("", "*/"), is_wanted)
    return _source_of(root, tables) if tables else None


def _read_tables(root: Path, folders: Iterable[str], is_wanted: Callable[[str], bool]) -> dict[str, CaptionRows]:
    """Path relative to ``root`` -> rows, of the tables in the first of ``folders``, patterns, that has any."""
    for pattern in folders:
        paths = [path for path in files_in(root, pattern) if is_wanted(base_of(path))]
        tables = {path: table for path in paths if (root / path).is_file() and (table := read_table(root / path))}
        kinds = {re.sub(r"\d+", "", path) for path in tables}
        if len(kinds) > 1 and not all(map(split_in, tables)):
            advice = "join them, with a split column, or name each for its split"
            raise SightlineError(f"{root}: {', '.join(tables)} all name images and captions; {advice}")
        if tables:
            return tables
    return {}


def _source_of(root: Path, tables: dict[str, CaptionRows], beside: bool = False) -> Source:
    """Collect rows and find their photos; ``beside``: named relative to their table, as in a split's folder always."""
    splits = {path: split_in(path) for path in tables}
    several = len(set(splits.values())) > 1
    collector = Collector()
    for path, rows in tables.items():
        folder = folder_of(path)
        prefix = folder if beside or split_in(folder) else ""
        collector.add(path, rows, split=splits[path] if several else "", prefix=prefix)
    records = collector.records()
    return complete(root, replace(records, splits=records.splits or splits_of_folders(records.captions)), list(tables))
