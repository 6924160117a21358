"""`sightline caption`: photos in, sentences out."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import beam_size_option, length_penalty_option, model_option
from sightline.cli.photos import expand_photos
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

    # A file name need not be valid text; what the system gave is what it gets back.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    captioner = load(model)
    to_read, to_name = itertools.tee(expand_photos(photos))
    results = zip(to_name, captioner.stream(to_read, beam_size, length_penalty, batch_size), strict=False)
    captioned, failed = _report(results, as_json)
    if not captioned and not failed:
        raise SightlineError(f"no photos found in {', '.join(photos)}")
    if failed:
        raise click.exceptions.Exit(1)


def _report(results: Iterator[tuple[str, Caption | SightlineError]], as_json: bool) -> tuple[int, int]:
    """Print each result as it comes; returns how many photos were captioned, and how many could not be."""
    from sightline.cli.progress import progress

    captioned = failed = 0
    with progress("captioning", shown=not sys.stdout.isatty()) as line:
        for path, result in results:
            if isinstance(result, SightlineError):
                failed += 1
                line.clear()
                print(f"sightline: {result}", file=sys.stderr)
            else:
                captioned += 1
                said = json.dumps({"photo": path, **result.as_dict()}) if as_json else f"{path}: {result}"
                # Flushed, so that an interruption loses nothing and a reader downstream waits for nothing.
                print(said, flush=True)
            line(captioned + failed, None)
    return captioned, failed
