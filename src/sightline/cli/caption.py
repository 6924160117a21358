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

from sightline.cli.bulk import CaptionOptions, caption_to_file, caption_with_ray
from sightline.cli.options import beam_size_option, length_penalty_option, model_option
from sightline.cli.photos import PhotoSearch
from sightline.cli.progress import progress
from sightline.cli.streams import complain, put, remark, stdout_may_share_the_terminal
from sightline.errors import SightlineError
from sightline.sessions import DEVICES

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
@click.option("--device", type=click.Choice(DEVICES), default="cpu", help="Where to compute; cuda is not measured.")
@click.option(
    "--out", metavar="FILE", help="Write rows to this .jsonl, .csv or .parquet; what it holds is not captioned again."
)
@click.option("--overwrite", is_flag=True, help="Start FILE anew.")
@click.option("--engine", type=click.Choice(["ray"]), help="Let Ray's workers caption, into the folder FILE.")
@click.option("--address", metavar="CLUSTER", help="Ray's cluster, e.g. auto; without it, this machine.")
def caption(
    photos: tuple[str, ...],
    model: Path | None,
    beam_size: int,
    length_penalty: float,
    as_json: bool,
    batch_size: int,
    device: str,
    out: str | None,
    overwrite: bool,
    engine: str | None,
    address: str | None,
) -> None:
    """Write a sentence about each photo.

    PHOTO: Photos, folders, patterns, or - for a list on stdin.

    A photo that cannot be read is named on stderr, with the reason, and the others are captioned; the exit status is
    then 1.

    With --out FILE, every photo is a row: photo, caption, words, log_probs, score and error, which is empty if there is
    a caption. Interrupted or killed, FILE holds whole rows, and the same command goes on. With --engine ray, PHOTO may
    also be WebDataset's shards (.tar), Parquet, or at s3:// and the like; FILE is then a folder of Parquet.
    """
    _refuse_what_does_not_go_together(as_json, out, overwrite, engine, address)
    asked = CaptionOptions(model, beam_size, length_penalty, batch_size, device)
    if out is None:
        _caption_to_stdout(photos, as_json, asked)
    elif engine is None:
        caption_to_file(photos, Path(out), overwrite, asked)
    else:
        caption_with_ray(photos, out, overwrite, address, asked)


def _refuse_what_does_not_go_together(
    as_json: bool, out: str | None, overwrite: bool, engine: str | None, address: str | None
) -> None:
    if as_json and out is not None:
        raise click.UsageError("--json is for stdout; --out FILE.jsonl writes JSON lines")
    if out is None and (overwrite or engine):
        raise click.UsageError(f"{'--engine' if engine else '--overwrite'} needs --out")
    if address is not None and engine is None:
        raise click.UsageError("--address needs --engine ray")


def _caption_to_stdout(photos: tuple[str, ...], as_json: bool, asked: CaptionOptions) -> None:
    from sightline.captioner import load

    captioner, search, started = load(asked.model, device=asked.device), PhotoSearch(photos), time.monotonic()
    to_read, to_name = itertools.tee(search)
    stream = captioner.stream(to_read, asked.beam_size, asked.length_penalty, asked.batch_size)
    with closing(stream) as results:  # type: ignore[type-var]
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
