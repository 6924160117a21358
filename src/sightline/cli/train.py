"""`sightline train`: from a recipe and a dataset to a captioner."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import threading
import warnings
from pathlib import Path

import click

from sightline.cli.options import PATH
from sightline.cli.streams import put, silence


def _read_weights(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, _, times = text.rpartition("=")
        try:
            weights[name] = float(times)
        except ValueError:
            name = ""
        if not name:
            raise click.BadParameter(f"{text!r} is not of the form NAME=TIMES, such as general=3")
    return weights


@click.command()
@click.option(
    "--data",
    type=PATH,
    required=True,
    multiple=True,
    help="The dataset's folder; `sightline data check` tells whether it will do. Give it again to learn from several.",
)
@click.option(
    "--weight",
    "weights",
    metavar="NAME=TIMES",
    multiple=True,
    callback=_read_weights,
    help="How often an epoch shows each photo of the dataset whose folder is called NAME: --weight general=3",
)
@click.option(
    "--out",
    type=PATH,
    help="The folder to leave the model in, with its losses and samples [default: runs/ and DATA's].",
)
@click.option(
    "--recipe",
    type=PATH,
    help="A YAML recipe, e.g. recipes/baseline.yaml; by default OUT's own with --resume, and with --init one that takes"
    " minutes.",
)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override the recipe: training.epochs=3")
@click.option("--resume", is_flag=True, help="Go on with an interrupted training: --data and --out will do.")
@click.option(
    "--init",
    metavar="MODEL",
    help="A model to start from: a folder, hf://USER/NAME, or 'bundled', the one in the package; new words are added to"
    " its own.",
)
@click.option("--cache", type=PATH, help="Where a frozen encoder's features are kept [default: the user's cache].")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def train(
    data: tuple[Path, ...],
    weights: dict[str, float],
    out: Path | None,
    recipe: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    init: str | None,
    cache: Path | None,
    quiet: bool,
) -> None:
    """Train a captioner on a dataset of photos with captions, or on several at once.

    Your own photos and words in minutes: sightline train --init bundled --data FOLDER

    OUT ends with the model folder of the best epoch (config.json, vocabulary.json, model.safetensors, model.onnx),
    loss.png, samples.png, metrics.csv, TensorBoard logs and the exact recipe.

    All GPUs of a machine train together. Of several machines, by torchrun: torchrun --nnodes 2 --nproc-per-node 8
    [...] -m sightline train [...]
    """
    from sightline.cli.training_tier import require_training_tier

    _quieten_libraries()
    # A thread that spins while it waits takes the processor from whoever works; one that never spins wakes too late for
    # steps as small as these. A microsecond or so of spinning serves both; this must be said before torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    require_training_tier()
    from sightline.errors import SightlineError
    from sightline.training.build import RECIPE, check_new
    from sightline.training.ranks import speaks
    from sightline.training.recipe import further_recipe, load_recipe

    if not speaks():
        silence()
    out = out or Path("runs") / data[0].resolve().name
    if not resume and speaks():
        check_new(out)
    origin = _origin(init) if init and not resume else None
    if recipe or resume:
        settings = load_recipe(recipe or out / RECIPE, overrides)
    elif origin:
        settings = further_recipe(origin, overrides)
    else:
        raise SightlineError("no recipe: name one with --recipe, e.g. --recipe recipes/baseline.yaml")
    from sightline.training.train import train as run

    run(settings, data, out, resume=resume, init=origin, weights=weights, cache=cache, progress=not quiet, say=put)
    put(f"the captioner is in {out}; try: sightline caption PHOTO --model {shlex.quote(str(out))}")


def _origin(init: str) -> Path:
    """The folder of a model to start from; `SightlineError` where it has no weights to train on from."""
    from sightline.captioner import BUNDLED_MODEL
    from sightline.errors import SightlineError
    from sightline.model_folder import WEIGHTS

    if init == "bundled" and not (BUNDLED_MODEL / WEIGHTS).is_file():
        raise SightlineError(f"--init bundled: no {WEIGHTS} came with this installation; name a model folder instead")
    if init.startswith("hf:/"):
        from sightline.hub.fetch import fetch

        return fetch(init, also=[WEIGHTS])
    return BUNDLED_MODEL if init == "bundled" else Path(init)


def _quieten_libraries() -> None:
    """What libraries warn of is for those who program with them; `python -W default` still shows it."""

    def tell_thread(failed: threading.ExceptHookArgs) -> None:
        # The thread that writes TensorBoard's logs hands a full disk's error to the trainer as well.
        if not issubclass(failed.exc_type, OSError):
            threading.__excepthook__(failed)

    threading.excepthook = tell_thread
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # without one, Python prints what no logger handles
