"""Photos into a file on one machine, resuming: what is in the file is not captioned again."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path

from sightline.bulk.formats import TEXT_FORMATS
from sightline.bulk.parquet_file import ParquetFile
from sightline.bulk.row import caption_row
from sightline.bulk.row_file import RowFile, Rows, Version
from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY


def open_rows(path: Path, made_by: str, overwrite: bool = False) -> Rows:
    """The file of rows at ``path``, whose suffix says its format; ``made_by`` as `sightline.bulk.row.made_by`.

    Raises:
        SightlineError: there is no such format, and what `RowFile` and `ParquetFile` raise.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return ParquetFile(path, made_by, overwrite)
    if suffix not in TEXT_FORMATS:
        raise SightlineError(f"{path}: what is written is .jsonl, .csv or .parquet; name one of these")
    return RowFile(path, TEXT_FORMATS[suffix], made_by, overwrite)


def caption_into(
    rows: Rows,
    captioner: Captioner,
    photos: Mapping[str, Version],
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
    batch_size: int = 8,
) -> Generator[tuple[str, Caption | SightlineError]]:
    """Caption ``photos``, as `Rows.missing` gave them, into ``rows``; each result is given once its row is written.

    Raises:
        SightlineError: an option is impossible, or the file cannot be written any more; it then holds whole rows.
    """
    with closing(captioner.stream(photos, beam_size, length_penalty, batch_size)) as results:  # type: ignore[type-var]
        for (photo, state), result in zip(photos.items(), results, strict=True):
            rows.add(caption_row(photo, result), state)
            yield photo, result
