"""Where a training begins: fresh, from another model, or where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from sightline.data.example import Example
from sightline.data.large.packed import captions_of
from sightline.data.provenance import difference, fingerprint
from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, ONNX, VOCABULARY, WEIGHTS, ModelConfig, load_description, replacing
from sightline.nn.encoder import Encoder
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import build_model, load_model
from sightline.training.checkpoints import last_checkpoint, read_last_whole
from sightline.training.data import TrainingData
from sightline.training.growth import grown, grown_weights
from sightline.training.learnable import check_learnable
from sightline.training.recipe import Recipe, load_recipe
from sightline.training.vocabulary import learn_vocabulary
from sightline.training.weights import load_encoder_weights
from sightline.vocabulary import Vocabulary

RECIPE = "recipe.yaml"


def check_new(out: Path) -> None:
    """Raise `SightlineError` where ``out`` holds what a training from its start would overwrite."""
    if last_checkpoint(out).exists():
        raise SightlineError(f"{out}: holds a training already; go on with --resume, or name another --out")
    if any((out / name).exists() for name in (WEIGHTS, ONNX)):
        raise SightlineError(f"{out}: holds a model already; name another --out")
    if out.exists() and not out.is_dir():
        raise SightlineError(f"{out}: is a file; --out must be a folder")


def check_begun(out: Path, recipe: Recipe) -> None:
    """Raise `SightlineError` where ``out`` holds no training by this recipe to go on with."""
    if not last_checkpoint(out).exists():
        raise SightlineError(f"{out}: nothing to resume here (no finished epoch); leave out --resume to start")
    if _fixed(load_recipe(out / RECIPE)) != _fixed(recipe):
        raise SightlineError(f"{out}: was begun with another recipe (its {RECIPE}); resume with that one")


def start(
    recipe: Recipe, data: TrainingData, init: Path | None, say: Callable[[str], None]
) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """The model to train.

    A model that comes from ``init`` knows its words still, and those that are new in ``data``, which ``say`` is told.

    Raises:
        SightlineError: the encoder's weights or ``init`` cannot be had, or do not go with the recipe; there is nothing
            to learn from.
    """
    if recipe.training.objective == "self_critical" and init is None:
        raise SightlineError("self-critical training improves a model that can write: name its folder with --init")
    origin = load_model(init) if init else None
    vocabulary = learn_vocabulary(
        recipe.vocabulary, partial(_captions, data.examples["train"]), origin[2] if origin else None, say
    )
    _check_nouns(recipe, vocabulary)
    if origin:
        vocabulary = _with_known(origin[2], vocabulary, recipe, say)
    check_learnable(data, vocabulary, recipe.vocabulary.min_count)
    encoder = make_encoder(recipe.encoder.name)
    config = _config(recipe, encoder, data, init)
    model = build_model(config, vocabulary, encoder)
    if recipe.encoder.frozen_blocks > (blocks := len(model.encoder.blocks())):
        raise SightlineError(f"encoder.frozen_blocks: {recipe.encoder.name} has {blocks} blocks; name fewer")
    if origin:
        _take_weights(model, config, origin, init, len(vocabulary))
    else:
        load_encoder_weights(model.encoder, recipe.encoder.weights)
    return model, config, vocabulary


def keep_description(out: Path, recipe: Recipe, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Write to ``out`` all that going on later needs beside the checkpoint; raises `SightlineError` where it cannot."""
    with replacing(out / RECIPE) as path:
        recipe.save(path)
    with replacing(out / CONFIG) as path:
        config.save(path)
    with replacing(out / VOCABULARY) as path:
        vocabulary.save(path)


def start_again(
    data: TrainingData, out: Path, say: Callable[[str], None]
) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """The model of an interrupted training, as its last finished epoch left it.

    Its first weights are not asked for again: what it started from may have moved.

    Raises:
        SightlineError: no checkpoint is whole, or ``data`` is not what the training began with.
    """
    config, vocabulary = load_description(out)
    changed = difference(config.training, data.examples)
    if not changed and (then := config.training.get("weights")) != (now := data.record.get("weights")):
        changed = f"weights {now}, not {then}"
    if changed:
        raise SightlineError(
            f"{data.name}: not the data that {out} began with ({changed}); resume with that, or take another --out"
        )
    model = build_model(config, vocabulary)
    weights = read_last_whole(out, say)["state_dict"]
    try:
        model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in weights.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SightlineError(f"{last_checkpoint(out)}: not of the model in {out / CONFIG} ({reason})") from None
    return model, config, vocabulary


def _fixed(recipe: Recipe) -> dict[str, Any]:
    """A recipe without what may change between two sittings of one training."""
    values = recipe.model_dump()
    changeable = ["patience", "devices", "workers", "threads"]
    if recipe.training.schedule == "constant":  # any other is laid out over all epochs
        changeable.append("epochs")
    for key in changeable:
        values["training"].pop(key)
    values["encoder"].pop("weights")
    return values


def _captions(examples: Sequence[Example]) -> Iterator[str]:
    return chain.from_iterable(captions_of(examples))


def _check_nouns(recipe: Recipe, vocabulary: Vocabulary) -> None:
    settings = recipe.training
    nouns = settings.objective == "self_critical" and settings.attention_supervision
    if vocabulary.split != "words" and (nouns or settings.hallucination_penalty):
        raise SightlineError(
            f"vocabulary.unit: {vocabulary.split}, in which no noun is told from other words; set"
            " training.hallucination_penalty and, with self_critical, training.attention_supervision to 0"
        )


def _with_known(known: Vocabulary, met: Vocabulary, recipe: Recipe, say: Callable[[str], None]) -> Vocabulary:
    """The words of a model that is there and, where the training can teach them, those that it meets."""
    have = set(known.words)
    new = [word for word in met.words if word not in have]
    if not new:
        return known
    told = (
        f"{len(new)} new {known.split[: None if len(new) > 1 else -1]}: {', '.join(new[:8])}{', ...' * (len(new) > 8)}"
    )
    if recipe.training.objective == "self_critical":  # which rewards what the model says, and it cannot say these
        say(f"{told}; not learned, as only training.objective: cross_entropy teaches words")
        return known
    say(f"{told}; the {len(known)} known ones keep what was learned of them")
    return grown(known, met)


def _take_weights(
    model: CaptionModel,
    config: ModelConfig,
    origin: tuple[CaptionModel, ModelConfig, Vocabulary],
    init: Path | None,
    words: int,
) -> None:
    state = grown_weights(origin[0].state_dict(), model.state_dict(), len(origin[2]), words)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        kinds = [(origin[1].encoder, config.encoder), (origin[1].decoder, config.decoder)]
        others = [f"{theirs}, not {ours}" for theirs, ours in kinds if theirs != ours]
        reason = "; ".join(others) or str(error).splitlines()[-1].strip()
        raise SightlineError(f"--init {init}: a model of another shape than the recipe's ({reason})") from None


def _config(recipe: Recipe, encoder: Encoder, data: TrainingData, init: Path | None) -> ModelConfig:
    options = recipe.decoder.model_dump()
    return ModelConfig(
        encoder=recipe.encoder.name,
        projection=recipe.encoder.projection,
        decoder=options.pop("name"),
        decoder_options=options,
        grid=encoder.grid,
        max_words=recipe.vocabulary.max_words,
        preprocessing=encoder.preprocessing,
        training={
            **data.record,
            "init": init.name if init else None,
            "fingerprint": fingerprint(data.examples),
        },
    )
