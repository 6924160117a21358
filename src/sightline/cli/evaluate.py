"""`sightline evaluate`: a split captioned and scored, as a report."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Split(StrEnum):
    """The part of a dataset to caption."""

    train = "train"
    val = "val"
    test = "test"


def evaluate(
    data: Annotated[Path, typer.Option(help="The dataset's folder.", show_default=False)],
    split: Annotated[Split, typer.Option(help="The part of it to caption.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="REPORT", help="The folder to write.", show_default=False)],
    model: Annotated[
        Path | None, typer.Option(help="The model's folder; without it, the model in the package.", show_default=False)
    ] = None,
    beam_size: Annotated[int, typer.Option(min=1, help="Sentences kept at every word; 1 is greedy.")] = 3,
    length_penalty: Annotated[float, typer.Option(help="Rank by sum(log p) / length ** this.")] = 0.0,
    meteor: Annotated[bool, typer.Option(help="METEOR is Java and takes longer than all else together.")] = True,
) -> None:
    """Caption a split of a dataset and score the captions.

    REPORT ends with scores.json (with intervals, how they came about and what casts doubt on them), hypotheses.json,
    references.json, and report.html, a page to read.
    """
    from sightline.captioner import load
    from sightline.cli.progress import progress
    from sightline.cli.score import table
    from sightline.data.dataset import read_dataset
    from sightline.protocol import evaluate_split
    from sightline.report import PAGE, replacing_report, write_report

    # A file name need not be valid text; what the system gave is what it gets back.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    with replacing_report(out) as folder:
        dataset, captioner = read_dataset(data), load(model)
        with progress(f"captioning {split.value}") as done:
            evaluation = evaluate_split(captioner, dataset, split.value, beam_size, length_penalty, meteor, done)
        write_report(folder, evaluation)
    typer.echo(f"{table(evaluation.scores)}\n\n{out / PAGE}")
    for warning in evaluation.protocol.warnings:
        print(f"warning: {warning}", file=sys.stderr)
