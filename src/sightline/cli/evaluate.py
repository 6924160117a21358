"""`sightline evaluate`, `score` and `compare`: how good captions are, and whether others are better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sightline.cli.options import PATH, model_option, plugin_option, regions_option, scoring_options, search_options
from sightline.cli.streams import progress, put, remark

SPLIT = click.Choice(["train", "val", "test"])

table_or_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@click.command()
@click.option("--data", type=PATH, required=True, help="The dataset's folder.")
@click.option("--split", type=SPLIT, required=True, help="The part of it to caption.")
@click.option("--out", type=PATH, metavar="REPORT", required=True, help="The folder to write.")
@plugin_option
@regions_option
@model_option
@search_options
@scoring_options
def evaluate(data: Path, split: str, out: Path, regions: Path | None, model: Path | None, **options: Any) -> None:
    """Caption a split of a dataset and score the captions.

    REPORT will contain scores.json (with intervals, the protocol and reasons to doubt the scores), hypotheses.json,
    references.json, and report.html, a page to read.
    """
    from sightline.captioner import load
    from sightline.data.dataset import read_dataset
    from sightline.evaluation.protocol import evaluate_split
    from sightline.evaluation.report import PAGE, replacing_report, write_report

    with replacing_report(out) as folder:
        dataset, captioner = read_dataset(data, regions=regions), load(model)
        with progress(f"captioning {split}") as done:
            evaluation = evaluate_split(captioner, dataset, split, **options, progress=done, say=remark)
        try:
            write_report(folder, evaluation)
        finally:  # a full disk loses the report, but not the scores
            put(*evaluation.scores.table(), "")
    put(str(out / PAGE))
    for warning in evaluation.protocol.warnings:
        remark(f"warning: {warning}")


@click.command()
@click.option("--hypotheses", type=PATH, required=True, help="Captions to score; `caption --json` prints some.")
@click.option("--references", type=PATH, required=True, help="What people wrote about the same photos.")
@click.option("--split", type=SPLIT, default="test", help="Which part of references in Karpathy's JSON to take.")
@click.option("--subset", is_flag=True, help="Score a part of the references' photos, if that is all there is.")
@click.option(
    "--training-captions", type=PATH, help="What the captioner learnt from, to tell how many captions are novel."
)
@plugin_option
@table_or_json_option
@scoring_options
def score(
    hypotheses: Path,
    references: Path,
    split: str,
    subset: bool,
    training_captions: Path | None,
    as_json: bool,
    tokenizer: str,
    meteor: bool,
    language: str | None,
) -> None:
    """Score captions against references: BLEU, METEOR, ROUGE-L, CIDEr and how varied they are.

    Reads COCO's results and annotations, pycocoevalcap's dictionaries, Karpathy's JSON, {photo: [captions]}, JSON
    lines, CSV and .token files. Photos are matched by name, file name or COCO's number, where only one can be meant.
    """
    from sightline.annotations.caption_files import read_references
    from sightline.evaluation.pairing import read_pair
    from sightline.evaluation.scores import score_captions
    from sightline.metrics import METRICS, quick_metrics

    pair = read_pair(hypotheses, references, split, subset)
    learnt = None if training_captions is None else read_references(training_captions, "train")
    scores = score_captions(
        pair.hypotheses,
        pair.references,
        training_captions=None if learnt is None else [caption for captions in learnt.values() for caption in captions],
        metrics=METRICS if meteor else quick_metrics(),
        tokenizer=tokenizer,
        language=language,
    )
    if as_json:
        report = {**scores.as_dict(with_intervals=True), "remarks": [*pair.remarks, *filter(None, [scores.warning])]}
        put(*json.dumps(report, indent=2).splitlines())
    else:
        put(*scores.table(pair.remarks))
    if scores.warning:
        remark(f"warning: {scores.warning}")


@click.command()
@click.argument("a", metavar="A", type=PATH)
@click.argument("b", metavar="B", type=PATH)
@plugin_option
@table_or_json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Test whether two results on the same photos differ, by the paired bootstrap.

    A: A report. B: Another, of the same photos.

    A and B are folders that `sightline evaluate` wrote, or any with hypotheses.json and references.json. Both are
    tokenized as A was.
    """
    from sightline.evaluation.api import compare as compare_reports

    comparison = compare_reports(a, b)
    if as_json:
        put(*json.dumps({"a": str(a), "b": str(b), **comparison.as_dict()}, indent=2).splitlines())
    else:
        put(f"A  {a}", f"B  {b}", *str(comparison).split("\n"))
