"""`sightline evaluate`: caption and score a split of a dataset, and write a report."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.options import (
    PATH,
    beam_size_option,
    length_penalty_option,
    meteor_option,
    model_option,
    regions_option,
    tokenizer_option,
)
from sightline.cli.streams import put, remark


@click.command()
@click.option("--data", type=PATH, required=True, help="The dataset's folder.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), required=True, help="The part of it to caption.")
@click.option("--out", type=PATH, metavar="REPORT", required=True, help="The folder to write.")
@regions_option
@model_option
@beam_size_option
@length_penalty_option
@tokenizer_option
@meteor_option
def evaluate(
    data: Path,
    split: str,
    out: Path,
    regions: Path | None,
    model: Path | None,
    beam_size: int,
    length_penalty: float,
    tokenizer: str,
    meteor: bool,
) -> None:
    """Caption a split of a dataset and score the captions.

    REPORT will contain scores.json (with intervals, the protocol and reasons to doubt the scores), hypotheses.json,
    references.json, and report.html, a page to read.
    """
    from sightline.captioner import load
    from sightline.cli.streams import progress
    from sightline.data.dataset import read_dataset
    from sightline.evaluation.protocol import evaluate_split
    from sightline.evaluation.report import PAGE, replacing_report, write_report

    with replacing_report(out) as folder:
        dataset, captioner = read_dataset(data, regions=regions), load(model)
        with progress(f"captioning {split}") as done:
            evaluation = evaluate_split(
                captioner, dataset, split, beam_size, length_penalty, meteor, tokenizer, done, remark
            )
        try:
            write_report(folder, evaluation)
        finally:  # a full disk loses the report, but not the scores
            put(*evaluation.scores.table(), "")
    put(str(out / PAGE))
    for warning in evaluation.protocol.warnings:
        remark(f"warning: {warning}")
