"""`sightline score`: the field's metrics for captions in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, meteor_option, table_or_json_option
from sightline.cli.streams import put

if TYPE_CHECKING:
    from sightline.evaluation.scores import Scores


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
@meteor_option
def score(
    hypotheses: Path,
    references: Path,
    split: str,
    subset: bool,
    training_captions: Path | None,
    as_json: bool,
    meteor: bool,
) -> None:
    """Score captions against references: BLEU, METEOR, ROUGE-L, CIDEr and how varied they are.

    Reads COCO's results and annotations, pycocoevalcap's dictionaries, Karpathy's JSON, {photo: [captions]}, JSON
    lines, CSV and .token files. Photos are matched by name, file name or COCO's number, where only one can be meant.
    """
    from sightline.evaluation.caption_files import read_references
    from sightline.evaluation.pairing import read_pair
    from sightline.evaluation.scores import score_captions
    from sightline.metrics import METRICS

    pair = read_pair(hypotheses, references, split, subset)
    learnt = None if training_captions is None else read_references(training_captions, "train")
    scores = score_captions(
        pair.hypotheses,
        pair.references,
        training_captions=None if learnt is None else [caption for captions in learnt.values() for caption in captions],
        metrics=[name for name in METRICS if meteor or name != "meteor"],
    )
    if as_json:
        report = {**scores.as_dict(with_intervals=True), "remarks": list(pair.remarks)}
        put(*json.dumps(report, indent=2).splitlines())
    else:
        put(*table(scores, pair.remarks))


def table(scores: Scores, remarks: Iterable[str] = ()) -> list[str]:
    """Scores as the literature prints them, with their 95% bootstrap intervals, and what a reader must know of them."""
    from sightline.evaluation.scores import in_print

    intervals = scores.intervals()
    photos, wide = len(scores.photos), max(12, *(len(name) + 1 for name in scores.scores))
    lines = [f"{photos} photo{'s' * (photos != 1)}", *remarks, "", f"{'':<{wide}}{'score':>8}   95% interval"]
    for name, entry in scores.scores.items():
        if entry.value is None:
            lines.append(f"{name:<{wide}}{'-':>8}   {entry.note}")
            continue
        spread = " to ".join(in_print(name, end) for end in intervals.get(name, ()))
        lines.append(f"{name:<{wide}}{in_print(name, entry.value):>8}   {spread}".rstrip())
    notes: dict[str, list[str]] = {}
    for name, entry in scores.scores.items():
        if entry.value is not None and entry.note:
            notes.setdefault(entry.note, []).append(name)
    told = [f"{', '.join(names)}: {note}" for note, names in notes.items()]
    return [*lines, "", "times 100, but for vocabulary (words) and length (words a caption)", *told]
