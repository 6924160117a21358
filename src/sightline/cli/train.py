"""`sightline train`: from a recipe and a dataset to a captioner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    data: Annotated[Path, typer.Option(help="The dataset's folder; `sightline data check` tells whether it will do.")],
    out: Annotated[Path, typer.Option(help="The folder to leave the model in, with its losses and samples.")],
    recipe: Annotated[
        Path | None,
        typer.Option(help="A YAML recipe, e.g. recipes/baseline.yaml; with --resume, RUN's own by default."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the recipe: training.epochs=3")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training in --out.")] = False,
    init: Annotated[
        Path | None, typer.Option(help="A model folder to start from, e.g. to fine-tune its encoder.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where a frozen encoder's features are kept [default: the user's cache].")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Train a captioner on a dataset of photos with captions.

    OUT ends with the model folder of the best epoch (config.json, vocabulary.json, model.safetensors, model.onnx),
    loss.png, samples.png, metrics.csv, TensorBoard logs and the exact recipe.
    """
    from sightline.cli.training_tier import require_training_tier

    # A thread that spins while it waits takes the processor from whoever works; one that never spins wakes too late for
    # steps as small as these. A microsecond or so of spinning serves both; this must be said before torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    require_training_tier()
    from sightline.errors import SightlineError
    from sightline.training.recipe import load_recipe

    if recipe is None:
        if not resume:
            raise SightlineError("no recipe: name one with --recipe, e.g. --recipe recipes/baseline.yaml")
        recipe = out / "recipe.yaml"
    settings = load_recipe(recipe, set_ or [])
    from sightline.training.train import train as run

    run(settings, data, out, resume=resume, init=init, cache=cache, progress=not quiet)
    typer.echo(f"the captioner is in {out}; try: sightline caption PHOTO --model {out}")
