"""`sightline caption`: photos in, sentences out."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import beam_size_option, length_penalty_option, model_option
from sightline.cli.photos import PhotoSearch
from sightline.cli.progress import progress
from sightline.cli.streams import complain, put, remark, stdout_may_share_the_terminal
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.caption import Caption


@click.command()
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)
@model_option
@beam_size_option
@length_penalty_option
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line a photo: words, log-probabilities, attention, alternatives."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, help="Photos captioned at once.")
def caption(
    photos: tuple[str, ...],
    model: Path | None,
    beam_size: int,
    length_penalty: float,
    as_json: bool,
    batch_size: int,
) -> None:
    """Write a sentence about each photo.

    PHOTO: Photos, folders, patterns, or - for a list on stdin.

    A photo that cannot be read is named on stderr, with the reason, and the others are captioned; the exit status is
    then 1.
    """
    from sightline.captioner import load

    captioner, search, started = load(model), PhotoSearch(photos), time.monotonic()
    to_read, to_name = itertools.tee(search)
    with closing(captioner.stream(to_read, beam_size, length_penalty, batch_size)) as results:  # type: ignore[type-var]
        captioned, failed = _report(zip(to_name, results, strict=False), as_json)
    failed += search.left_out
    if not captioned and not failed:
        raise SightlineError(f"no photos found in {', '.join(photos)}")
    if sys.stderr.isatty():
        remark(_summary(captioned, failed, time.monotonic() - started))
    if failed:
        raise click.exceptions.Exit(1)


def _report(results: Iterator[tuple[str, Caption | SightlineError]], as_json: bool) -> tuple[int, int]:
    """Print each result as it comes; returns how many photos were captioned, and how many could not be."""
    captioned = failed = 0
    with progress("captioning", shown=not stdout_may_share_the_terminal()) as line:
        for path, result in results:
            if isinstance(result, SightlineError):
                failed += 1
                complain(result)
            else:
                captioned += 1
                put(json.dumps({"photo": path, **result.as_dict()}) if as_json else f"{path}: {result}")
                if result.note:
                    remark(f"note: {path}: {result.note}")
            line(captioned + failed, None)
    return captioned, failed


def _summary(captioned: int, failed: int, seconds: float) -> str:
    done = (
        f"{captioned:,} photo{'s' * (captioned != 1)} captioned in {seconds:.1f} s, {captioned / seconds:,.1f} a second"
    )
    return done + f"; {failed:,} failed" * bool(failed)
