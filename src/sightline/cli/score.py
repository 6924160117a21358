"""`sightline score`: the field's metrics for captions in a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sightline.cli.options import PATH, meteor_option, table_or_json_option, tokenizer_option
from sightline.cli.streams import put, remark


@click.command()
@click.option("--hypotheses", type=PATH, required=True, help="Captions to score; `caption --json` prints some.")
@click.option("--references", type=PATH, required=True, help="What people wrote about the same photos.")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    help="Which part of references in Karpathy's JSON to take.",
)
@click.option("--subset", is_flag=True, help="Score a part of the references' photos, if that is all there is.")
@click.option(
    "--training-captions", type=PATH, help="What the captioner learnt from, to tell how many captions are novel."
)
@table_or_json_option
@tokenizer_option
@meteor_option
def score(
    hypotheses: Path,
    references: Path,
    split: str,
    subset: bool,
    training_captions: Path | None,
    as_json: bool,
    tokenizer: str,
    meteor: bool,
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
    )
    if as_json:
        report = {**scores.as_dict(with_intervals=True), "remarks": [*pair.remarks, *filter(None, [scores.warning])]}
        put(*json.dumps(report, indent=2).splitlines())
    else:
        put(*scores.table(pair.remarks))
    if scores.warning:
        remark(f"warning: {scores.warning}")
