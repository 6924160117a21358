"""Parquet files with captions, and with the photos themselves or their paths, as Hugging Face's datasets come."""

from __future__ import annotations

from pathlib import Path

from sightline.data.layout import Progress, Source, register_layout
from sightline.data.layouts.table import read_tables, source_of


@register_layout("parquet", looks_for=".parquet files with photos or their paths, and captions", rank=3)
def read(root: Path, progress: Progress) -> Source | None:
    """Read the ``.parquet`` files in ``root``, else one or two folders down; parts are numbered or named for splits."""
    beside = {path.stem for path in root.glob("*.tar")}  # img2dataset's lists lie beside its shards

    def is_wanted(name: str) -> bool:
        stem, _, suffix = name.rpartition(".")
        return suffix.lower() in ("parquet", "pq") and stem not in beside

    tables = read_tables(root, ("", "*/", "*/*/"), is_wanted)
    return source_of(root, tables) if tables else None
