"""`sightline caption`: photos in; sentences out, or rows into a file that resumes, or what `write.py` does."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.options import (
    PROBABILITY,
    max_megapixels_option,
    model_option,
    photos_argument,
    plugin_option,
    search_options,
)
from sightline.cli.streams import complain, progress, put, remark, stdout_may_share_the_terminal
from sightline.cli.write import caption_and_write, taken_from, write_options
from sightline.errors import SightlineError
from sightline.images.find import PhotoFinder
from sightline.images.source import name_of
from sightline.sessions import DEVICES

if TYPE_CHECKING:
    from sightline.caption import Caption


@click.command()
@photos_argument
@model_option
@search_options
@max_megapixels_option
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line a photo: words, log-probabilities, attention, alternatives."
)
@click.option(
    "--min-confidence",
    type=PROBABILITY,
    metavar="P",
    help="Leave out captions that are less sure, from 0 to 1, and name their photos.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=8, help="Photos captioned at once.")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", help="Where to compute; cuda is not measured.")
@click.option(
    "--out", metavar="FILE", help="Write rows to this .jsonl, .csv or .parquet; what it holds is not captioned again."
)
@click.option("--overwrite", is_flag=True, help="Start FILE anew.")
@click.option("--engine", type=click.Choice(["ray"]), help="Let Ray's workers caption, into the folder FILE.")
@click.option("--address", metavar="CLUSTER", help="Ray's cluster, e.g. auto; without it, this machine.")
@plugin_option
@write_options
def caption(
    photos: tuple[str, ...],
    as_json: bool,
    min_confidence: float | None,
    out: str | None,
    overwrite: bool,
    engine: str | None,
    address: str | None,
    write: str | None,
    **options: Any,
) -> None:
    """Write a sentence about each photo.

    PHOTO: Photos, folders, patterns, WebDataset's shards (.tar), Parquet, URLs, or - for a list on stdin.

    A photo that cannot be read is named on stderr, with the reason, and the others are captioned; the exit status is
    then 1. What seems to be no photo, such as a screenshot, is captioned all the same, and noted on stderr.

    With --min-confidence, photos whose caption is less sure are named on stderr instead, and change no exit status.

    With --out FILE, every photo is a row: photo, caption, words, log_probs, score, confidence, kind, keywords, and
    error, empty if there is a caption. Interrupted or killed, whole rows are kept, and the same command goes on. With
    --engine ray, FILE is a folder of Parquet.

    With --write, captions go where other programs read them, and photos that have one there already are skipped: a
    text file (txt) or an XMP sidecar (xmp) beside each photo, ExifTool's table (csv), or COCO's results (json).
    """
    _refuse_conflicts(as_json, out, overwrite, engine, address)
    writing = taken_from(options)
    _refuse_other_outputs(write, writing, {"--json": as_json, "--engine": engine, "--overwrite": overwrite})
    if min_confidence is not None and out is not None and write is None:
        raise click.UsageError("--min-confidence does not go with --out: every photo has a row, with its confidence")
    minimum = min_confidence or 0.0
    model, device = options.pop("model"), options.pop("device")
    if write is not None:
        writing |= {} if out is None else {"out": Path(out)}
        caption_and_write(PhotoFinder(photos, complain), write, writing, minimum, model, device, options)
    elif out is None:
        _caption_to_stdout(PhotoFinder(photos, complain), as_json, minimum, model, device, options)
    elif engine is None:
        _caption_to_file(PhotoFinder(photos, complain), Path(out), overwrite, model, device, options)
    else:
        _caption_with_ray(photos, out, overwrite, address, model=model, device=device, **options)


def _refuse_conflicts(as_json: bool, out: str | None, overwrite: bool, engine: str | None, address: str | None) -> None:
    if as_json and out is not None:
        raise click.UsageError("--json is for stdout; --out FILE.jsonl writes JSON lines")
    if out is None and (overwrite or engine):
        raise click.UsageError(f"{'--engine' if engine else '--overwrite'} needs --out")
    if address is not None and engine is None:
        raise click.UsageError("--address needs --engine ray")


def _refuse_other_outputs(write: str | None, writing: dict[str, Any], others: dict[str, Any]) -> None:
    if write is None and writing:
        raise click.UsageError(f"--{next(iter(writing)).replace('_', '-')} needs --write")
    if write is not None and (named := [name for name, value in others.items() if value]):
        raise click.UsageError(f"{named[0]} does not go with --write; see --existing and --out")


def _caption_to_stdout(
    finder: PhotoFinder, as_json: bool, minimum: float, model: Path | None, device: str, options: dict[str, Any]
) -> None:
    from sightline.captioner import load

    captioner, started = load(model, device=device), time.monotonic()
    with closing(captioner.stream(finder.contents(), **options)) as results:  # type: ignore[type-var]
        counts = _print(results, as_json, minimum)
    counts["failed"] += finder.left_out
    if not counts.total():
        raise finder.nothing_found()
    if sys.stderr.isatty():
        others = (f"; {counts[kind]:,} {kind}" for kind in ("not sure", "failed") if counts[kind])
        remark(_speed(counts["captioned"], "captioned", started) + "".join(others))
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def _print(results: Iterable[Caption | SightlineError], as_json: bool, minimum: float) -> Counter[str]:
    """Print each result as it comes; returns how many photos were "captioned", are "not sure", or "failed"."""
    counts = Counter[str]()
    with progress("captioning", shown=not stdout_may_share_the_terminal()) as line:
        for result in results:
            counts[_print_one(result, as_json, minimum)] += 1
            line(counts.total(), None)
    return counts


def _print_one(result: Caption | SightlineError, as_json: bool, minimum: float) -> str:
    if isinstance(result, SightlineError):
        complain(result)
        return "failed"
    name = name_of(result.photo)
    if (confidence := result.sureness()) < minimum:
        remark(f"not sure: {name}: confidence {confidence:.2f}")
    else:
        put(json.dumps({"photo": name, **result.as_dict()}) if as_json else f"{name}: {result}")
    _remark_on(result)
    return "not sure" if confidence < minimum else "captioned"


def _caption_to_file(
    finder: PhotoFinder, out: Path, overwrite: bool, model: Path | None, device: str, options: dict[str, Any]
) -> None:
    from sightline.bulk.row_file import RowFile, caption_into
    from sightline.bulk.rows import made_by
    from sightline.captioner import load

    photos = {photo.name: photo for photo in finder}
    if not photos and not finder.left_out:
        raise finder.nothing_found()
    captioner = load(model, device=device)
    maker = made_by(captioner, *(options[name] for name in ("beam_size", "length_penalty", "allow_repeats")))
    with RowFile(out, maker, overwrite) as rows:
        missing = rows.missing(photos.values())
        if present := len(photos) - len(missing):
            remark(f"{out}: {present:,} of {_count(len(photos))} are in it already")
        done, started = 0, time.monotonic()
        results = caption_into(rows, captioner, missing, **options)
        try:
            with progress("captioning") as line, closing(results):
                for done, result in enumerate(results, start=1):
                    line(done, len(missing))
                    _remark_on(result)
        except KeyboardInterrupt:
            remark(f"{rows.path}: {present + done:,} of {_count(len(photos))} are in it; the same command goes on")
            raise
        rows.finish()
        failed = rows.failed(photos)
    if done:
        remark(_speed(done, "", started))
    _tell_of_rows(str(out), len(photos), failed, finder.left_out)


def _caption_with_ray(
    names: tuple[str, ...], out: str, overwrite: bool, address: str | None, batch_size: int, **options: Any
) -> None:
    from sightline.bulk.pipeline import caption_photos, connect

    connect(address, quiet=True)
    finder = PhotoFinder(names, complain, absolute=True)
    written = caption_photos(finder, out, overwrite=overwrite, **options)
    _tell_of_rows(out, written.rows, written.errors, finder.left_out)


def _remark_on(result: Caption | SightlineError) -> None:
    if not isinstance(result, SightlineError) and result.note:
        remark(f"note: {name_of(result.photo)}: {result.note}")


def _tell_of_rows(out: str, photos: int, failed: int, left_out: int) -> None:
    put(f"{out}: {_count(photos)}" + f", {failed:,} of them with an error instead of a caption" * bool(failed))
    if failed or left_out:
        raise click.exceptions.Exit(1)


def _speed(photos: int, verb: str, started: float) -> str:
    seconds = time.monotonic() - started
    return f"{' '.join(filter(None, (_count(photos), verb)))} in {seconds:.1f} s, {photos / seconds:,.1f} a second"


def _count(photos: int) -> str:
    return f"{photos:,} photo{'s' * (photos != 1)}"
