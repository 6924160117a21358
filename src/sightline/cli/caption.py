"""`sightline caption`: photos in, sentences out."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.photos import expand_photos
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.caption import Caption


def caption(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO...", help="Photos, folders, patterns, or - for a list on stdin.", show_default=False
        ),
    ],
    model: Annotated[
        Path | None, typer.Option(help="The model's folder; without it, the model in the package.", show_default=False)
    ] = None,
    beam_size: Annotated[int, typer.Option(min=1, help="Sentences kept at every word; 1 is greedy.")] = 3,
    length_penalty: Annotated[float, typer.Option(help="Rank by sum(log p) / length ** this.")] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a photo: words, log-probabilities, attention, alternatives.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos captioned at once.")] = 8,
) -> None:
    """Write a sentence about each photo.

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
        raise typer.Exit(1)


def _report(results: Iterator[tuple[str, Caption | SightlineError]], as_json: bool) -> tuple[int, int]:
    """Print each result as it comes; returns how many photos were captioned, and how many could not be."""
    from sightline.cli.progress import progress

    captioned = failed = 0
    with progress("captioning", shown=not sys.stdout.isatty()) as done:
        for path, result in results:
            if isinstance(result, SightlineError):
                failed += 1
                print(f"sightline: {result}", file=sys.stderr)
            else:
                captioned += 1
                line = json.dumps({"photo": path, **result.as_dict()}) if as_json else f"{path}: {result}"
                # Flushed, so that an interruption loses nothing and a reader downstream waits for nothing.
                print(line, flush=True)
            done(captioned + failed, None)
    return captioned, failed
