"""`sightline score`: the field's metrics for captions in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, meteor_option, table_or_json_option
from sightline.cli.streams import put

if TYPE_CHECKING:
    from sightline.evaluation.scores import Scores


@click.command()
@click.option("--hypotheses", type=PATH, required=True, help="Captions to score, one a photo: JSON, JSON lines or CSV.")
@click.option(
    "--references",
    type=PATH,
    required=True,
    help="What people wrote about the same photos: JSON, JSON lines or CSV.",
)
@click.option(
    "--training-captions", type=PATH, help="What the captioner learnt from, to tell how many captions are novel."
)
@table_or_json_option
@meteor_option
def score(hypotheses: Path, references: Path, training_captions: Path | None, as_json: bool, meteor: bool) -> None:
    """Score captions against references: BLEU, METEOR, ROUGE-L, CIDEr and how varied they are."""
    from sightline.evaluation.caption_files import read_hypotheses, read_references
    from sightline.evaluation.scores import check_photos, score_captions
    from sightline.metrics import METRICS

    ours, theirs = read_hypotheses(hypotheses), read_references(references)
    check_photos(ours, theirs, hypotheses, references)
    learnt = None if training_captions is None else read_references(training_captions)
    scores = score_captions(
        ours,
        theirs,
        training_captions=None if learnt is None else [caption for captions in learnt.values() for caption in captions],
        metrics=[name for name in METRICS if meteor or name != "meteor"],
    )
    put(*(json.dumps(scores.as_dict(with_intervals=True), indent=2).splitlines() if as_json else table(scores)))


def table(scores: Scores) -> list[str]:
    """Scores as the literature prints them, with their 95% bootstrap intervals."""
    from sightline.evaluation.scores import in_print

    intervals = scores.intervals()
    lines = [f"{len(scores.photos)} photos", "", f"{'':<12}{'score':>8}   95% interval"]
    for name, entry in scores.scores.items():
        if entry.value is None:
            lines.append(f"{name:<12}{'-':>8}   {entry.note}")
            continue
        spread = " to ".join(in_print(name, end) for end in intervals.get(name, ()))
        lines.append(f"{name:<12}{in_print(name, entry.value):>8}   {spread}".rstrip())
    return [*lines, "", "times 100, but for vocabulary (words) and length (words a caption)"]
