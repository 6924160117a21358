"""Recipes: every setting of a training, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from sightline.errors import SightlineError
from sightline.metrics import SCORES
from sightline.model_folder import load_description
from sightline.nn.library_encoders import check_encoder

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of a recipe: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _encoder_name(name: str) -> str:
    try:
        check_encoder(name)
    except SightlineError as error:
        raise ValueError(str(error)) from None
    return name


def _score_name(name: str) -> str:
    known = [score for score, metric in SCORES.items() if metric not in ("meteor", "diversity")]
    if name not in known:
        raise ValueError(f"training.scores and training.monitor: {name!r} is none of {', '.join(known)}")
    return name


Score = Annotated[str, AfterValidator(_score_name)]


class EncoderRecipe(Section):
    """Which encoder gives the annotation vectors, and whether it learns.

    ``name``: one of ours, or ``timm/NAME`` or ``torchvision/NAME``, see `sightline.nn.library_encoders`. ``weights``: a
    file with a published state dict (the library's; for efficientnet_lite0 and 2 EfficientNet-PyTorch's); a model
    folder, whose encoder is taken; ``download``: ImageNet weights by torchvision or timm; ``package``: those in the
    Python package that an error names until it is installed; ``none``: fresh. ``learning_rate``: its own, where it
    learns; null for the decoder's. ``frozen_blocks``: how many of its blocks, from the pixels on, keep their weights
    though the others learn: edges and colours are known, and cost most of the time. ``statistics``: whether a learning
    encoder's batch normalisation goes on learning its means and variances, or keeps those it came with.
    ``augmentation``: whether a learning encoder sees each photo in another crop, light and, unless a caption says left
    or right, mirror.
    """

    name: Annotated[str, AfterValidator(_encoder_name)] = "mobilenet_v2"
    weights: str = "download"
    projection: Count | None = None
    trainable: bool = False
    learning_rate: Rate | None = None
    frozen_blocks: Annotated[int, Field(ge=0)] = 0
    statistics: Literal["learn", "keep"] = "learn"
    augmentation: bool = False


class GRURecipe(Section):
    """Sizes and form of `sightline.nn.gru.GRUDecoder`."""

    name: Literal["gru"] = "gru"
    hidden_size: Count = 512
    embedding_size: Count = 256
    attention_size: Count = 512
    dropout: Probability = 0.5
    attention: Literal["every_step", "once"] = "every_step"
    initial_state: Literal["zeros", "mean"] = "zeros"
    query: Literal["hidden", "hidden_and_word"] = "hidden"


class LSTMRecipe(Section):
    """Sizes and form of `sightline.nn.lstm.LSTMDecoder`."""

    name: Literal["lstm"]
    hidden_size: Count = 512
    embedding_size: Count = 512
    attention_size: Count = 512
    dropout: Probability = 0.5
    gate: bool = True


class TransformerRecipe(Section):
    """Sizes of `sightline.nn.transformer.TransformerDecoder`."""

    name: Literal["transformer"]
    hidden_size: Count = 256
    layers: Count = 3
    heads: Count = 4
    dropout: Probability = 0.3
    positions: Count = 24


def _decoder_name(decoder: Any) -> str:
    return str(decoder.get("name", "gru") if isinstance(decoder, dict) else getattr(decoder, "name", "gru"))


DecoderRecipe = Annotated[
    Annotated[GRURecipe, Tag("gru")]
    | Annotated[LSTMRecipe, Tag("lstm")]
    | Annotated[TransformerRecipe, Tag("transformer")],
    Discriminator(_decoder_name),
]


class VocabularyRecipe(Section):
    """Which words the model knows: those that stand at least ``min_count`` times in the training captions.

    ``split``: whether it learns whole words, characters, or subwords; auto takes words, and subwords where the captions
    do not part them. ``size``: how many subwords there may be beside the characters; null for 4000, and for two a
    character where the captions do not part words. ``max_words``: the longest caption, in whichever these are.
    """

    split: Literal["auto", "words", "characters", "subwords"] = "auto"
    min_count: Count = 5
    size: Count | None = None
    max_words: Count = 20


class TrainingRecipe(Section):
    """How the model learns. A batch is ``batch_size`` photos, each with all its captions.

    ``objective``: cross_entropy, teacher forcing with ``label_smoothing``; self_critical, the CIDEr-D of ``samples``
    sentences drawn for each photo, for a model that can write already. ``attention_entropy``: what a nat of attention's
    entropy costs beside either; above zero, attention points instead of spreading. ``attention_supervision``: what a
    nat by which attention misses a word's thing costs beside the word's own loss, for photos whose boxes are known: at
    every word of a phrase, or, self-critical, at the nouns that the model itself says. ``hallucination_penalty``: what
    a noun drawn that no caption of the photo knows takes from its sentence's CIDEr-D, which lies between 0 and 10;
    ``break_off_penalty``: what a sentence loses that ends where nobody's does (`sightline.metrics.endings`).
    ``bleu_weight``: what a sentence's BLEU-4 counts beside its CIDEr-D. ``captions_weight``: what the cross-entropy of
    people's own captions counts beside the reward.
    ``scores``: of greedy captions of held-out photos after each epoch, e.g. ``[CIDEr, BLEU-4]``. ``monitor``: the one
    of these by which the best epoch is chosen and ``patience`` waits; null for the objective's own value.
    ``schedule``: cosine lowers the learning rates along half a cosine to nothing at the last step. ``precision``: auto
    takes bfloat16 where the device computes in it. ``threads``: of the processor; null for one a core. A small model is
    quickest on one, which waits for no other.
    """

    objective: Literal["cross_entropy", "self_critical"] = "cross_entropy"
    label_smoothing: Probability = 0.0
    samples: Annotated[int, Field(ge=2)] = 5
    attention_entropy: Weight = 0.0
    attention_supervision: Weight = 0.0
    hallucination_penalty: Weight = 0.0
    break_off_penalty: Weight = 0.0
    bleu_weight: Weight = 0.0
    captions_weight: Weight = 0.0

    scores: list[Score] = []
    monitor: Score | None = None

    batch_size: Count = 32
    epochs: Count = 10
    learning_rate: Rate = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    patience: Count | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    devices: Count | Literal["auto"] = "auto"
    workers: Annotated[int, Field(ge=0)] = 0
    threads: Count | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def needs_boxes(self) -> bool:
        """Whether photos must come with their regions, which also tell which words are nouns."""
        return self.attention_supervision > 0 or self.hallucination_penalty > 0

    def written_scores(self) -> list[str]:
        """The scores of held-out captions that each epoch is asked for, each once."""
        return list(dict.fromkeys([*self.scores, *([self.monitor] if self.monitor else [])]))


class Recipe(Section):
    """Everything that decides a training, apart from the data."""

    encoder: EncoderRecipe = EncoderRecipe()
    decoder: DecoderRecipe = GRURecipe()
    vocabulary: VocabularyRecipe = VocabularyRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        if self.encoder.weights == "none" and not self.encoder.trainable:
            raise ValueError(
                "encoder.weights: 'none' needs encoder.trainable: true, or the encoder never learns to see"
            )
        if self.encoder.frozen_blocks and not self.encoder.trainable:
            raise ValueError("encoder.frozen_blocks needs encoder.trainable: true; without it the whole encoder rests")
        if self.encoder.augmentation and not self.encoder.trainable:
            raise ValueError("encoder.augmentation needs encoder.trainable: true; a frozen encoder sees a photo once")
        for setting in ("hallucination_penalty", "break_off_penalty", "bleu_weight", "captions_weight"):
            if getattr(self.training, setting) and self.training.objective != "self_critical":
                raise ValueError(f"training.{setting} needs training.objective: self_critical")
        decoder = self.decoder
        if isinstance(decoder, GRURecipe) and decoder.attention == "once":
            if self.training.objective == "self_critical":
                raise ValueError("training.objective: self_critical needs decoder.attention: every_step")
            if self.training.attention_supervision:
                raise ValueError("training.attention_supervision needs decoder.attention: every_step")
            if decoder.query != "hidden":
                raise ValueError(
                    "decoder.query: with decoder.attention: once, there is no word to ask by; leave it hidden"
                )
        if isinstance(decoder, TransformerRecipe) and self.vocabulary.max_words >= decoder.positions:
            raise ValueError("decoder.positions must be more than vocabulary.max_words")
        if isinstance(decoder, TransformerRecipe) and decoder.hidden_size % decoder.heads:
            raise ValueError("decoder.hidden_size must be a multiple of decoder.heads")
        return self

    def save(self, path: Path) -> None:
        """Write the recipe in full, defaults included, as YAML that `load_recipe` reads back."""
        path.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False), encoding="utf-8")


_SECTIONS: dict[str, type[Section]] = {
    "encoder": EncoderRecipe,
    "gru": GRURecipe,
    "lstm": LSTMRecipe,
    "transformer": TransformerRecipe,
    "vocabulary": VocabularyRecipe,
    "training": TrainingRecipe,
}


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and lay ``section.key=value`` settings over it.

    Raises:
        SightlineError: the file is missing or no YAML, or a key is unknown, of the wrong type or of an impossible
            value; the message names the key and the file.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SightlineError(f"{path}: no such recipe") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SightlineError(f"{path}: not a YAML recipe ({' '.join(str(error).split())})") from None
    values = _numbers({} if values is None else values)
    if not isinstance(values, dict):
        raise SightlineError(f"{path}: a recipe holds sections ({', '.join(Recipe.model_fields)}), this file does not")
    return _checked(path, values, settings)


def further_recipe(folder: Path, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by which the model in ``folder`` learns new photos and words in minutes, under `load_recipe`'s settings.

    Its encoder rests, so that each photo is looked at once; words count from their second time on.

    Raises:
        SightlineError: no model is there, or a setting is impossible.
    """
    config = load_description(folder)[0]
    values: dict[str, Any] = {
        "encoder": {"name": config.encoder, "projection": config.projection},
        "decoder": {"name": config.decoder, **config.decoder_options},
        "vocabulary": {"min_count": 2, "max_words": config.max_words},
        "training": {
            **{"learning_rate": 5e-4, "schedule": "cosine", "label_smoothing": 0.1, "gradient_clip": 5.0},
            "precision": "auto",
        },
    }
    return _checked(folder, values, settings)


def _checked(source: Path, values: dict[str, Any], settings: Sequence[str]) -> Recipe:
    for setting in settings:
        _apply(values, setting)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        where = f"{source} with --set" if settings else str(source)
        raise SightlineError(f"{where}: {'; '.join(map(_explain, error.errors()))}") from None


def _apply(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    section, dot, name = key.partition(".")
    if not (equals and dot and name):
        raise SightlineError(f"--set {setting}: write it as section.key=value, e.g. training.epochs=3")
    if not isinstance(values.setdefault(section, {}), dict):
        raise SightlineError(f"--set {setting}: {section!r} is no section of the recipe")
    try:
        values[section][name] = _numbers(yaml.safe_load(text))
    except yaml.YAMLError:
        values[section][name] = text


def _numbers(value: Any) -> Any:
    """YAML reads ``1e-3`` as a string; a person means a number."""
    if isinstance(value, dict):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?e[-+]?\d+", value, re.IGNORECASE):
        return float(value)
    return value


def _explain(error: Any) -> str:
    *sections, name = map(str, error["loc"]) if error["loc"] else ("",)
    # A decoder's place tells its kind as well: decoder.gru.hidden_size.
    key = ".".join([*sections[:1], name])
    if error["type"] == "extra_forbidden":
        known = _SECTIONS[sections[-1]] if sections else Recipe
        return f"unknown key {key}; there are: {', '.join(known.model_fields)}"
    if error["type"] == "union_tag_invalid":
        return f"decoder.name: {error['ctx']['tag']!r} is none of {error['ctx']['expected_tags']}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"
