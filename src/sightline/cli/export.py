"""`sightline export`: a trained model as a bundle that captions without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import PATH
from sightline.cli.photos import PhotoSearch
from sightline.cli.streams import put
from sightline.errors import SightlineError

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
    from sightline.cli.training_tier import require_training_tier

    require_training_tier()
    from sightline.export.export import export_model

    found = list(search := PhotoSearch(photos))
    if search.left_out:
        raise SightlineError("nothing was exported, as not all of --photos can be compared on")
    put(*_as_lines(export_model(run, out, precision, found)))


def _as_lines(made: Export) -> list[str]:
    found = made.agreement
    share = found.differing_captions / found.captions
    said = "the same words" if not found.differing_captions else f"other words in {share:.0%} of captions"
    return [
        f"{made.path}: {made.precision}, {made.size / 1e6:.1f} MB",
        f"beside torch on {found.photos} photos, beams 1 and 3: {said}, numbers within {found.difference:.1e}",
    ]
