"""`sightline train`: from a recipe and a dataset to a captioner."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import textwrap
import threading
import warnings
from pathlib import Path
from typing import Any

import click

from sightline.cli.options import PATH, plugin_option
from sightline.cli.streams import put, silence
from sightline.errors import SightlineError, require_training_tier


def _read_repeats(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    repeats = {}
    for text in texts:
        name, _, times = text.rpartition("=")
        try:
            repeats[name] = float(times if name else "")
        except ValueError:
            raise click.BadParameter(f"{text!r} is not of the form NAME=TIMES, such as general=3") from None
    return repeats


def _print_options(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Print every option of a recipe with its default and what it does, and exit."""
    if not wanted or context.resilient_parsing:
        return
    require_training_tier()
    from sightline.training.recipe import list_options

    width = min(max(shutil.get_terminal_size().columns, 80), 120)
    for section, (summary, options) in list_options().items():
        put(f"{section}: {summary}", "")
        names = max(len(option.key) for option in options)
        defaults = max(len(option.default) for option in options)
        for key, default, values, description in options:
            text = description if values in ("text", "true | false", default) else f"{description} [{values}]"
            lines = textwrap.wrap(text, width - names - defaults - 6, break_on_hyphens=False)
            put(f"  {key:{names}}  {default:{defaults}}  {lines[0]}")
            put(*(" " * (names + defaults + 6) + line for line in lines[1:]))
        put("")
    raise click.exceptions.Exit(0)


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
    "repeats",
    metavar="NAME=TIMES",
    multiple=True,
    callback=_read_repeats,
    help="How often an epoch shows each photo of the dataset whose folder is called NAME: --weight general=3",
)
@click.option(
    "--regions",
    metavar="[NAME=]PATH",
    multiple=True,
    help="Where the boxes of captions' phrases are, such as Flickr30k Entities, if not in the dataset's folder; of"
    " several datasets, NAME is the one that they belong to. Name them again with --resume.",
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
@click.option(
    "--options",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_options,
    help="Print all options of a recipe, their defaults and what they do, and exit.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted training: --data and --out will do.")
@click.option(
    "--init",
    metavar="MODEL",
    help="A model to start from: a folder, hf://USER/NAME, or 'bundled', the one in the package; new words are added to"
    " its own.",
)
@click.option("--cache", type=PATH, help="Where a frozen encoder's features are kept [default: the user's cache].")
@plugin_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def train(
    data: tuple[Path, ...],
    regions: tuple[str, ...],
    out: Path | None,
    recipe: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    init: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a captioner on a dataset of photos with captions, or on several at once.

    Your own photos and words in minutes: sightline train --init bundled --data FOLDER

    OUT ends with the model folder of the best epoch (config.json, vocabulary.json, model.safetensors, model.onnx),
    loss.png, samples.png, metrics.csv, TensorBoard logs and the exact recipe.

    All GPUs of a machine train together. Of several machines, by torchrun: torchrun --nnodes 2 --nproc-per-node 8
    [...] -m sightline train [...]
    """
    _quieten_libraries()
    # A waiting thread that spins takes CPU time from working ones; one that never spins wakes too late for steps this
    # small. About a microsecond of spinning is a good compromise. It must be set before torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    require_training_tier()
    from sightline.training.distributed import is_rank_zero
    from sightline.training.recipe import further_recipe, load_recipe
    from sightline.training.run_folder import RECIPE, check_new

    if not is_rank_zero():
        silence()
    out = out or Path("runs") / data[0].resolve().name
    if not resume and is_rank_zero():
        check_new(out)
    origin = origin_folder(init) if init and not resume else None
    if recipe or resume:
        settings = load_recipe(recipe or out / RECIPE, overrides)
    elif origin:
        settings = further_recipe(origin, overrides)
    else:
        raise SightlineError("no recipe: name one with --recipe, e.g. --recipe recipes/baseline.yaml")
    from sightline.training.train import train as run

    options |= {"resume": resume, "init": origin, "regions": by_dataset(regions, data), "progress": not quiet}
    run(settings, data, out, say=put, **options)
    put(f"the captioner is in {out}; try: sightline caption PHOTO --model {shlex.quote(str(out))}")


def by_dataset(texts: tuple[str, ...], data: tuple[Path, ...]) -> dict[str, Path]:
    """``[NAME=]PATH`` texts -> the name of a dataset's folder and where its regions are."""
    names = [folder.resolve().name for folder in data]
    regions: dict[str, Path] = {}
    for text in texts:
        name = next((name for name in names if text.startswith(f"{name}=")), None)  # names and paths may have "="
        if name is None and len(names) > 1:
            raise click.BadParameter(f"--regions {text}: write NAME=PATH, where NAME is one of {', '.join(names)}")
        path = text.removeprefix(f"{name}=")
        name = name or names[0]
        if name in regions:
            raise click.BadParameter(f"--regions is given twice for {name}; name one path")
        regions[name] = Path(path)
    return regions


def origin_folder(init: str) -> Path:
    """The folder of the model to start from; `SightlineError` if the package came without weights to train."""
    from sightline.captioner import BUNDLED_MODEL
    from sightline.model_folder import WEIGHTS

    if init == "bundled" and not (BUNDLED_MODEL / WEIGHTS).is_file():
        raise SightlineError(f"bundled: no {WEIGHTS} came with this installation; name a model folder instead")
    if init.startswith("hf:/"):
        from sightline.hub.fetch import fetch

        return fetch(init, also=[WEIGHTS])
    return BUNDLED_MODEL if init == "bundled" else Path(init)


def _quieten_libraries() -> None:
    """Hide the warnings of libraries, which concern programmers; `python -W default` still shows them."""

    def tell_thread(failed: threading.ExceptHookArgs) -> None:
        # The thread that writes TensorBoard's logs also passes the error of a full disk to the trainer.
        if not issubclass(failed.exc_type, OSError):
            threading.__excepthook__(failed)

    threading.excepthook = tell_thread
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # without one, Python prints what no logger handles
