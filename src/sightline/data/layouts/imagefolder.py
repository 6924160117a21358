"""Hugging Face's ``imagefolder``: ``metadata.csv``, ``.jsonl`` or ``.parquet`` beside the photos, or one a split."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.data.layout import Progress, Source, register_layout
from sightline.data.layouts.table import read_tables, source_of

_NAME = re.compile(r"metadata\.(csv|tsv|jsonl|parquet)", re.IGNORECASE)


@register_layout("imagefolder", looks_for="metadata.csv, .jsonl or .parquet, at the root or in train/, test/", rank=2)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the files of that name, in ``root``, else one or two folders down; they name photos beside themselves.

    The splits are a column, or the folders, of these files or of the photos.
    """
    tables = read_tables(root, ("", "*/", "*/*/"), lambda name: bool(_NAME.fullmatch(name)))
    return source_of(root, tables, folders=True) if tables else None
