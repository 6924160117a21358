"""`sightline info`, `calibrate`, `export`, `ensemble` and `push`: describe models, and make others of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.options import PATH, model_option, plugin_option
from sightline.cli.streams import ProgressLine, complain, progress, put
from sightline.errors import SightlineError, require_training_tier
from sightline.images.find import PhotoFinder

if TYPE_CHECKING:
    from sightline.model_folder import ModelConfig
    from sightline.vocabulary import Vocabulary


@click.command()
@model_option
def info(model: Path | None) -> None:
    """Describe a model: its parts, sizes and training, and its card's sections on scores and licences."""
    from sightline.captioner import model_folder
    from sightline.model_folder import CARD, load_description

    folder = model_folder(model)
    lines = [str(folder), "", *_parts(*load_description(folder)), "", *_files(folder)]
    if (folder / CARD).is_file():
        lines += ["", *_card_sections((folder / CARD).read_text(encoding="utf-8", errors="replace"))]
    put(*lines)


def _parts(config: ModelConfig, vocabulary: Vocabulary) -> list[str]:
    from sightline.model_folder import training_in_words

    rows = {
        **_shape(config),
        "vocabulary": f"{len(vocabulary):,} {vocabulary.unit}",
        "captions": f"{config.max_words} {vocabulary.unit} at most",
        "photos": f"resized to {config.preprocessing.size}x{config.preprocessing.size}",
        **_plugins(config),
        **training_in_words(config.training),
    }
    wide = max(14, *map(len, rows))
    return [f"{name:<{wide}}  {value}" for name, value in rows.items()]


def _plugins(config: ModelConfig) -> dict[str, str]:
    """Where the parts are from that are not Sightline's own; captioning does without them."""
    from sightline.plugins import Origin

    members = (config, *config.members)
    plugins = {part: Origin.from_dict(origin) for member in members for part, origin in member.plugins.items()}
    return {"plugins": "; ".join(f"{part} of {origin}" for part, origin in plugins.items())} if plugins else {}


def _shape(config: ModelConfig) -> dict[str, str]:
    if config.members:
        shapes = [", ".join(_shape(member).values()) for member in config.members]
        return {f"member {number}": shape for number, shape in enumerate(shapes, start=1)}
    height, width = config.grid
    encoder = f"{config.encoder}{_options(config.encoder_options)}, {height}x{width} cells"
    return {
        "encoder": encoder + f", projected to {config.projection}" * bool(config.projection),
        "decoder": config.decoder + _options(config.decoder_options),
    }


def _options(options: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    return f" ({told})" * bool(told)


def _files(folder: Path) -> list[str]:
    """The files of weights; model.onnx is opened, so that a bad one is noticed."""
    from sightline.captioner import Captioner
    from sightline.model_folder import ONNX, WEIGHTS

    lines = []
    for name in (ONNX, WEIGHTS):
        if (folder / name).is_file():
            use = ", for the training tier"
            if name == ONNX:
                captioner = Captioner(folder, device="auto")
                devices = "cpu" if captioner.device == "cpu" else f"cpu and {captioner.device}"
                use = f", {captioner.precision}; can run on {devices}"
            lines.append(f"{name:<18}  {(folder / name).stat().st_size / 1e6:.1f} MB{use}")
    if not (folder / ONNX).is_file():
        lines.append(f"no {ONNX}: it cannot caption yet; `sightline export {folder} --out BUNDLE` makes one")
    return lines


def _card_sections(text: str) -> list[str]:
    """The card up to its second heading, and every section with scores, results or licences in its title."""
    kept, wanted, headings, fenced = [], True, 0, False
    for line in text.rstrip().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            headings += 1
            title = line.lstrip("#").lower()
            wanted = headings == 1 or any(word in title for word in ("licen", "score", "result"))
        if wanted:
            kept.append(line)
    return kept


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@plugin_option
@click.option("--out", type=PATH, metavar="BUNDLE", required=True, help="The folder to write.")
@click.option(
    "--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", help="How weights are stored."
)
@click.option(
    "--photos",
    metavar="PHOTO",
    multiple=True,
    help="Real photos to compare on, and for int8 to gather ranges of activations from, if the model folder has none: a"
    " photo, folder or pattern; may be repeated.",
)
def export(run: Path, out: Path, precision: str, photos: tuple[str, ...]) -> None:
    """Write a bundle: one ONNX file with the search inside, the vocabulary and the configuration.

    RUN: The model folder a training left.

    Torch and ONNX Runtime then caption the same photos, random ones and those given. In fp32 the bundle is written only
    if they say the same; in fp16 and int8 if torch finds the captions about as likely as its own. In int8, convolutions
    are computed in integers.
    """
    require_training_tier()
    from sightline.export.export import export_model

    sources = list(finder := PhotoFinder(photos, complain))
    if finder.left_out:
        raise SightlineError("nothing was exported, as not all of --photos can be compared on")
    made = export_model(run, out, precision, sources)
    agreement = made.agreement
    share = agreement.differing_captions / agreement.captions
    words = f"other words in {share:.0%} of captions" if agreement.differing_captions else "the same words"
    integers = f", the encoder's {made.integers} convolutions in integers" * bool(made.integers)
    loss = f", by torch {max(agreement.loss, 0):.3f} nats a word less likely" * (precision != "fp32")
    put(
        f"{made.path}: {made.precision}{integers}, {made.size / 1e6:.1f} MB",
        f"beside torch on {agreement.photos} photos, beams 1 and 3: {words}{loss}, numbers within"
        f" {agreement.difference:.1e}",
    )
    if precision == "int8" and not made.integers:
        put("the encoder stays in 16 bits: " + _why_not_integers(sources))


def _why_not_integers(photos: Sequence[object]) -> str:
    if photos:
        return "it has no convolutions that can be computed in integers"
    return "the model folder holds no ranges of activations, which --photos lets this gather"


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@plugin_option
@click.option("--out", type=PATH, metavar="MODEL", required=True, help="The folder to write.")
def ensemble(runs: tuple[Path, ...], out: Path) -> None:
    """Join trained models into one that chooses each word by the mean of their probabilities.

    RUN: The model folders that trainings left, two or more, of one vocabulary.

    MODEL is then a model folder like theirs: caption, explain, evaluate and export take it. Members that err
    differently make up for one another; a photo takes the time of all of them together.
    """
    require_training_tier()
    from sightline.export.export import make_ensemble

    made = make_ensemble(runs, out)
    put(f"{made.path}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--data",
    type=PATH,
    required=True,
    multiple=True,
    help="A dataset's folder, with train and val photos; give it again for several.",
)
@click.option(
    "--regions",
    metavar="[NAME=]PATH",
    multiple=True,
    help="Where the boxes of captions' phrases are, if not in the dataset's folder: they tell which words name things."
    " Of several datasets, NAME is the one that they belong to.",
)
@click.option("--out", type=PATH, metavar="MODEL", required=True, help="The folder to write.")
@click.option(
    "--pictures",
    type=click.IntRange(min=0),
    default=500,
    help="Pictures of each kind that is no photo, to draw and to learn from; 0: the model does not tell kinds.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of first weights, drawings and folds.")
@click.option("--cache", type=PATH, help="Where annotation vectors are kept [default: the user's cache].")
@click.option("--quiet", is_flag=True, help="No progress line.")
@plugin_option
def calibrate(
    run: str, data: tuple[Path, ...], regions: tuple[str, ...], out: Path, quiet: bool, **options: Any
) -> None:
    """Teach a trained model how sure it can be: confidence, keywords, and whether a picture is a photo.

    RUN: The model folder a training left, hf://USER/NAME, or 'bundled', the model in the package.

    The captioner itself does not change. Confidence, the probability that every thing a caption names is named by a
    person too, is learned on held-out photos, keywords on training photos. MODEL is then a model folder like RUN.
    """
    require_training_tier()
    from sightline.cli.train import by_dataset, origin_folder
    from sightline.training.calibration import calibrate as run_calibration

    shown: dict[str, ProgressLine] = {}
    with contextlib.ExitStack() as line:

        def tell(what: str, done: int, total: int) -> None:
            if what not in shown:
                line.close()
                shown[what] = line.enter_context(progress(what, shown=not quiet))
            shown[what](done, total)

        made = run_calibration(
            origin_folder(run), data, out, by_dataset(regions, data), progress=tell, say=put, **options
        )
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
