"""`sightline export`: a trained model as a bundle that captions without torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.photos import expand_photos

if TYPE_CHECKING:
    from sightline.export import Export


class Precision(StrEnum):
    """How weights are stored."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The model folder a training left.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="The folder to write.", show_default=False)],
    precision: Annotated[Precision, typer.Option(help="How weights are stored.")] = Precision.fp32,
    photos: Annotated[
        list[str] | None,
        typer.Option(metavar="PHOTO", help="Real photos to compare on: a photo, folder or pattern; may be repeated."),
    ] = None,
) -> None:
    """Write a bundle: one ONNX file with the search inside, the vocabulary and the configuration.

    Torch and ONNX Runtime then caption the same photos, random ones and those given. In fp32 the bundle is written only
    if they say the same; in fp16 and int8 the difference is stated.
    """
    from sightline.cli.training_tier import require_training_tier

    require_training_tier()
    from sightline.export import export_model

    typer.echo(_as_text(export_model(run, out, precision.value, list(expand_photos(photos or [])))))


def _as_text(made: Export) -> str:
    found = made.agreement
    share = found.differing_captions / found.captions
    said = "the same words" if not found.differing_captions else f"other words in {share:.0%} of captions"
    return (
        f"{made.path}: {made.precision}, {made.size / 1e6:.1f} MB\n"
        f"beside torch on {found.photos} photos, beams 1 and 3: {said}, numbers within {found.difference:.1e}"
    )
