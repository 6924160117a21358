"""`sightline export`, `ensemble` and `push`: what becomes of trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH, require_training_tier
from sightline.cli.streams import complain, put
from sightline.errors import SightlineError
from sightline.images.find import PhotoFinder

if TYPE_CHECKING:
    from sightline.export.export import Export


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, metavar="BUNDLE", required=True, help="The folder to write.")
@click.option(
    "--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", help="How weights are stored."
)
@click.option(
    "--photos",
    metavar="PHOTO",
    multiple=True,
    help="Real photos to compare on: a photo, folder or pattern; may be repeated.",
)
def export(run: Path, out: Path, precision: str, photos: tuple[str, ...]) -> None:
    """Write a bundle: one ONNX file with the search inside, the vocabulary and the configuration.

    RUN: The model folder a training left.

    Torch and ONNX Runtime then caption the same photos, random ones and those given. In fp32 the bundle is written only
    if they say the same; in fp16 and int8 the difference is stated.
    """
    require_training_tier()
    from sightline.export.export import export_model

    sources = list(finder := PhotoFinder(photos, complain))
    if finder.left_out:
        raise SightlineError("nothing was exported, as not all of --photos can be compared on")
    put(*_as_lines(export_model(run, out, precision, sources)))


def _as_lines(made: Export) -> list[str]:
    agreement = made.agreement
    share = agreement.differing_captions / agreement.captions
    words = f"other words in {share:.0%} of captions" if agreement.differing_captions else "the same words"
    return [
        f"{made.path}: {made.precision}, {made.size / 1e6:.1f} MB",
        f"beside torch on {agreement.photos} photos, beams 1 and 3: {words}, numbers within {agreement.difference:.1e}",
    ]


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, metavar="MODEL", required=True, help="The folder to write.")
def ensemble(runs: tuple[Path, ...], out: Path) -> None:
    """Join trained models into one that chooses each word by the mean of their probabilities.

    RUN: The model folders that trainings left, two or more, of one vocabulary.

    MODEL is then a model folder like theirs: caption, explain, evaluate and export take it. Members that err
    differently make up for one another; a photo takes the time of all of them together.
    """
    require_training_tier()
    from sightline.export.ensemble import make_ensemble

    made = make_ensemble(runs, out)
    put(f"{made.path}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.argument("name", metavar="USER/NAME")
@click.option(
    "--report", type=PATH, help="A folder written by `sightline evaluate`: its scores go into the model's card."
)
@click.option("--license", "license_name", metavar="ID", help="The model's licence as the Hub calls it: apache-2.0")
@click.option("--private", is_flag=True, help="Make a new model visible to its owner only.")
def push(run: Path, name: str, report: Path | None, license_name: str | None, private: bool) -> None:
    """Push a model to the Hugging Face Hub, for `load("hf://USER/NAME")` and --model hf://USER/NAME.

    Pushes model.onnx, model.safetensors, their configuration, vocabulary, recipe and card. Log in first: hf auth login.
    """
    from sightline.evaluation.report import read_report
    from sightline.hub.push import push as to_the_hub

    facts = read_report(report).facts if report else {}
    pushed = to_the_hub(run, name, facts, private, license_name)
    put(f"pushed, as commit {pushed}")
