"""`sightline data`: check a dataset, write it as shards, or draw one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, VerbGroup, plugin_option, regions_option
from sightline.cli.streams import complain, progress, put, remark

if TYPE_CHECKING:
    from sightline.data.check import DatasetReport

_NAMES_SHOWN = 3


@click.group("data", cls=VerbGroup)
def app() -> None:
    """Check a dataset, write it as shards, or draw a small one of coloured shapes."""


@app.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, with every name.")
@plugin_option
@regions_option
def check(folder: Path, as_json: bool, regions: Path | None) -> None:
    """Print a dataset's layout and splits, and the problems of its photos and captions.

    DIR: The dataset's folder.

    Reads Kaggle's Images/ + captions.txt, Flickr8k's, Flickr8k-CN's and Flickr30k's original files, COCO's captions
    beside its folders, Karpathy's JSON, Hugging Face's imagefolder and Parquet, any CSV, JSONL or JSON with image and
    caption columns, photos with a .txt or .caption each, and WebDataset's shards. Exits with 1 if something would hurt
    training or scores; warnings alone exit with 0.
    """
    import json

    from sightline.data.check import check_dataset

    with progress("indexing shards, or decoding photos") as line:
        report = check_dataset(folder, line, line, regions)
    put(*(json.dumps(report.as_dict(), indent=2).splitlines() if as_json else _as_lines(report)))
    if not report.ok:
        raise click.exceptions.Exit(1)


@app.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--photos", type=int, default=2000, help="How many photos, 10 or more.")
@click.option("--seed", type=int, default=0, help="The same seed draws the same photos.")
def shapes(folder: Path, photos: int, seed: int) -> None:
    """Draw a small labelled dataset: coloured shapes in places, five true captions a photo, and the objects' boxes.

    DIR: The folder to draw into.

    It is in Kaggle's layout with train, val and test lists. If it exists already, nothing is drawn.
    """
    from sightline.shapes.draw import draw_shapes

    with progress("drawing photos") as line:
        is_new = draw_shapes(folder, photos, seed, line)
    put(f"{folder}: {photos} photos {'drawn' if is_new else 'are there already'}")


@app.command()
@click.argument("folder", metavar="DATA", type=PATH)
@click.argument("out", metavar="OUT", type=PATH)
@click.option("--size", type=int, default=256, show_default=True, help="How many megabytes of photos fill a shard.")
@plugin_option
@regions_option
def shards(folder: Path, out: Path, size: int, regions: Path | None) -> None:
    """Write a dataset as WebDataset shards, a few large files that move to a cluster, with its captions and splits.

    DATA: The dataset's folder, of any layout.

    OUT: A new folder for the shards, which is a dataset itself: train from it as from any other.

    If interrupted, it leaves complete shards; the same command continues after them.
    """
    from sightline.data.dataset import read_dataset
    from sightline.data.large.write_shards import write_shards

    with progress("writing photos") as line:
        written = write_shards(folder, out, size * 1_000_000, line, regions, remark)
    for photo in written.left_out:
        complain(f"left out: {photo}")
    if written.photos:
        with progress("indexing shards") as line:
            read_dataset(out, line)
    before = f", {written.before} of which were there before" if written.before else ""
    put(f"{out}: {written.photos} photos in {written.shards} shards{before}")
    if written.left_out:
        raise click.exceptions.Exit(1)


def _files_read(read: Sequence[str]) -> str:
    more = f" and {len(read) - _NAMES_SHOWN} more" if len(read) > _NAMES_SHOWN else ""
    return f" ({', '.join(read[:_NAMES_SHOWN])}{more})" if read else ""


def _as_lines(report: DatasetReport) -> list[str]:
    splits = ", ".join(f"{split} {count}" for split, count in report.splits.items())
    source = "from the dataset's own files" if report.split_source == "files" else "by file name"
    lines = [
        f"layout    {report.layout}{_files_read(report.read)}",
        f"photos    {report.photos}",
        f"captions  {report.captions}",
        f"splits    {splits} ({source})",
    ]
    if report.regions:
        lines.append(f"regions   {report.regions}")
    for finding in report.findings:
        count = f": {finding.count}" if finding.names else ""
        lines += ["", f"{finding.level:8}  {finding.message}{count}"]
        lines += [f"          {name}" for name in finding.names[:_NAMES_SHOWN]]
        if finding.count > _NAMES_SHOWN:
            lines.append(f"          and {finding.count - _NAMES_SHOWN} more (--json names all)")
    return [*lines, "", "Nothing here would hurt training." if report.ok else "Mend the errors before training."]
