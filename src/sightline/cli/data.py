"""`sightline data`: look into a dataset, or draw one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.group import VerbGroup
from sightline.cli.options import PATH
from sightline.cli.progress import progress
from sightline.cli.streams import put

if TYPE_CHECKING:
    from sightline.data.check import DatasetReport

_NAMES_SHOWN = 3


@click.group("data", cls=VerbGroup)
def app() -> None:
    """Check a dataset, or draw a small one of coloured shapes."""


@app.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, with every name.")
def check(folder: Path, as_json: bool) -> None:
    """Find out a dataset's layout and splits, and what is wrong with its photos and captions.

    DIR: The dataset's folder.

    Reads Kaggle's Images/ + captions.txt, Flickr8k's and Flickr30k's original files, COCO's captions beside its
    folders, Karpathy's JSON, any CSV or JSONL with image and caption columns, and WebDataset's shards. Exits with 1 if
    something would hurt training or scores; warnings alone exit with 0.
    """
    import json

    from sightline.data.check import check_dataset

    with progress("indexing shards, or decoding photos") as line:
        report = check_dataset(folder, line, line)
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

    It comes in Kaggle's layout with train, val and test lists. Drawn once, it is left alone the next time.
    """
    from sightline.data.shapes import draw_shapes

    with progress("drawing photos") as line:
        is_new = draw_shapes(folder, photos, seed, line)
    put(f"{folder}: {photos} photos {'drawn' if is_new else 'are there already'}")


def _as_lines(report: DatasetReport) -> list[str]:
    splits = ", ".join(f"{split} {count}" for split, count in report.splits.items())
    source = "from the dataset's own files" if report.split_source == "files" else "by file name"
    lines = [
        f"layout    {report.layout}",
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
