"""`sightline caption --out`: many photos into a file that resumes, or through an engine into a folder of Parquet."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import click

from sightline.cli.lists import read_list
from sightline.cli.photos import PhotoSearch
from sightline.cli.progress import progress
from sightline.cli.streams import put, remark
from sightline.errors import SightlineError


class CaptionOptions(NamedTuple):
    """How to caption, as the command line has it."""

    model: Path | None
    beam_size: int
    length_penalty: float
    batch_size: int
    device: str


def caption_to_file(names: Sequence[str], out: Path, overwrite: bool, asked: CaptionOptions) -> None:
    """Caption the photos that ``names`` mean into ``out``, but for those that are in it already."""
    from sightline.bulk.one_machine import caption_into, open_rows
    from sightline.bulk.row import made_by
    from sightline.captioner import load

    search = PhotoSearch(names)
    photos = list(dict.fromkeys(search))
    if not photos and not search.left_out:
        raise SightlineError(f"no photos found in {', '.join(names)}")
    captioner = load(asked.model, device=asked.device)
    with open_rows(out, made_by(captioner, asked.beam_size, asked.length_penalty), overwrite) as rows:
        missing = rows.missing(photos)
        if there := len(photos) - len(missing):
            remark(f"{rows.path}: {there:,} of {_count(len(photos))} are in it already")
        done, started = 0, time.monotonic()
        results = caption_into(rows, captioner, missing, asked.beam_size, asked.length_penalty, asked.batch_size)
        try:
            with progress("captioning") as line, closing(results):
                for done, (photo, result) in enumerate(results, start=1):
                    line(done, len(missing))
                    if not isinstance(result, SightlineError) and result.note:
                        remark(f"note: {photo}: {result.note}")
        except KeyboardInterrupt:
            remark(f"{rows.path}: {there + done:,} of {_count(len(photos))} are in it; the same command goes on")
            raise
        rows.finish()
        failed = rows.failed(photos)
    if done:
        seconds = time.monotonic() - started
        remark(f"{_count(done)} in {seconds:.1f} s, {done / seconds:,.1f} a second")
    _tell(str(out), len(photos), failed, search.left_out)


def caption_with_ray(
    names: Sequence[str], out: str, overwrite: bool, address: str | None, asked: CaptionOptions
) -> None:
    """Caption what ``names`` mean by the workers of Ray, into the folder ``out``."""
    from sightline.bulk.pipeline import caption_photos, connect

    sources = [source for name in names for source in (read_list(sys.stdin) if name == "-" else [name])]
    connect(address, quiet=True)
    written = caption_photos(
        sources,
        out,
        model=asked.model,
        beam_size=asked.beam_size,
        length_penalty=asked.length_penalty,
        device=asked.device,
        overwrite=overwrite,
    )
    _tell(out, written.rows, written.errors, left_out=0)


def _tell(out: str, photos: int, failed: int, left_out: int) -> None:
    put(f"{out}: {_count(photos)}" + f", {failed:,} of them with an error instead of a caption" * bool(failed))
    if failed or left_out:
        raise click.exceptions.Exit(1)


def _count(photos: int) -> str:
    return f"{photos:,} photo{'s' * (photos != 1)}"
