"""Recipes: all options of a training, checked before anything is loaded."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sightline.errors import SightlineError
from sightline.metrics import METRICS, scores_of
from sightline.model_folder import CONFIG, ModelConfig, as_path, load_description
from sightline.nn.decoder import DECODERS
from sightline.nn.encoder import ENCODERS
from sightline.nn.library_encoders import check_encoder
from sightline.nn.model_files import check_parts
from sightline.nn.options import Count, Probability, Rate, Weight
from sightline.registry import parameters
from sightline.training.part_options import Section, complete_options, explain, options_model, shown
from sightline.training.registries import GIVEN, OBJECTIVES, PENALTIES

# Options that had other names in earlier versions: section, old name, new name.
_RENAMED = (
    ("encoder", "statistics", "freeze_batch_norm"),
    ("vocabulary", "split", "unit"),
    ("training", "captions_weight", "cross_entropy_weight"),
)


def _option(default: Any, description: str, **bounds: Any) -> Any:
    return Field(default=default, description=description, **bounds)


def _encoder_name(name: str) -> str:
    try:
        check_encoder(name)
    except SightlineError as error:
        raise ValueError(str(error)) from None
    return name


_PLUGINS = {"type": "string", "title": "a plugin's"}


def _or_a_plugins(schema: dict[str, Any], names: Sequence[str]) -> None:
    del schema["type"]
    schema["anyOf"] = [{"enum": list(names)}, _PLUGINS]


def _list_scores(schema: dict[str, Any]) -> None:
    """For editors: the package's own scores, or any text, as a plugin's."""
    _or_a_plugins(schema, _scores(METRICS.own()))


def _scores(metrics: Sequence[str]) -> list[str]:
    """Those that can be computed after each epoch."""
    return [score for name in metrics if name not in ("meteor", "diversity") for score in scores_of(name)]


def _score_name(name: str) -> str:
    if name not in (known := _scores(list(METRICS))):
        raise ValueError(f"training.scores and training.monitor: {name!r} is none of {', '.join(known)}")
    return name


Score = Annotated[str, AfterValidator(_score_name), Field(json_schema_extra=_list_scores)]


class EncoderRecipe(Section):
    """The network that turns a photo into annotation vectors."""

    name: Annotated[str, AfterValidator(_encoder_name)] = _option(
        "mobilenet_v2",
        "One of Sightline's encoders, or timm/NAME or torchvision/NAME for a network of these libraries.",
    )
    weights: str = _option(
        "download",
        "Initial weights: download (ImageNet, from torchvision or timm), package (of the Python package that an"
        " error message names), none (random), a state dict's file, or a model folder, whose encoder is taken.",
    )
    projection: Count | None = _option(None, "Width of a linear layer on the annotation vectors; null: no such layer.")
    trainable: bool = _option(False, "Train the encoder too; otherwise it is frozen.")
    learning_rate: Rate | None = _option(None, "Learning rate of a trainable encoder; null: training.learning_rate.")
    frozen_blocks: int = _option(0, "Blocks, from the input on, that stay frozen in a trainable encoder.", ge=0)
    freeze_batch_norm: bool = _option(False, "Keep means and variances of batch normalisation in a trainable encoder.")
    augmentation: bool = _option(
        False,
        "Random crops, brightness and, unless a caption says left or right, mirroring of the training photos; for a"
        " trainable encoder.",
    )
    options: dict[str, Any] = Field(
        default={}, description="Options of a plugin's encoder, by their names.", validate_default=True
    )

    @field_validator("options")
    @classmethod
    def _complete(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        name = info.data.get("name")
        if name is None:  # it is refused itself
            return options
        if name in ENCODERS:
            return complete_options("encoder.options", options_model(ENCODERS[name], (), Section), options)
        if options:
            raise ValueError(f"encoder.options: {name} takes none")
        return {}


_OF_MODEL = ("vocabulary_size", "feature_size")  # what a decoder is given beside the recipe's options


class DecoderOptions(Section):
    """The options of a decoder: its name, and its constructor's parameters."""

    name: str


@cache
def _decoder_section(name: str, decoder: Any) -> type[DecoderOptions]:
    default: Any = "gru" if name == "gru" else ...
    kind: Any = (Literal[name], Field(default, description="The kind of decoder."))
    return options_model(decoder, _OF_MODEL, DecoderOptions, name=kind)


def decoder_section(name: str) -> type[DecoderOptions]:
    """The section of the decoder that is registered as ``name``."""
    decoder: Any = DECODERS[name]
    return _decoder_section(name, decoder)


def decoder_options(values: object) -> DecoderOptions:
    """The section of the decoder that it names, complete; ValueError where it is impossible."""
    if isinstance(values, DecoderOptions):
        return values
    name = values.get("name", "gru") if isinstance(values, Mapping) else "gru"
    if name not in DECODERS:
        raise ValueError(f"decoder.name: {DECODERS.unknown(str(name))}")
    section = decoder_section(name)
    return section.model_construct(**complete_options("decoder", section, values))


def _decoder_schema(schema: dict[str, Any]) -> None:
    """For editors: each decoder's options, or those of a plugin's, which nobody knows."""
    names = DECODERS.own()
    own = [decoder_section(name).model_json_schema() for name in names]
    other = {"type": "object", "properties": {"name": {"type": "string", "not": {"enum": names}}}, "required": ["name"]}
    schema["anyOf"] = [*own, other]


class VocabularyRecipe(Section):
    """The words, or units of words, that the model can write."""

    unit: Literal["auto", "words", "characters", "subwords"] = _option(
        "auto", "What captions are written in; auto: words, or subwords where the script has no blanks."
    )
    min_count: Count = _option(5, "How often a unit must occur in the training captions to be learned.")
    size: Count | None = _option(
        None,
        "Greatest number of subwords beside the characters; null: 4000, or twice the number of characters where the"
        " script has no blanks.",
    )
    max_words: Count = _option(20, "Length of the longest caption, in units; longer ones are cut off.")


def _objective_name(name: str) -> str:
    if name not in OBJECTIVES:
        raise ValueError(f"training.objective: {OBJECTIVES.unknown(name)}")
    return name


def _list_objectives(schema: dict[str, Any]) -> None:
    _or_a_plugins(schema, OBJECTIVES.own())


Objective = Annotated[str, AfterValidator(_objective_name), Field(json_schema_extra=_list_objectives)]


class TrainingRecipe(Section):
    """The objective, the optimiser, and how long to train."""

    objective: Objective = _option(
        "cross_entropy",
        "cross_entropy: teacher forcing; self_critical: CIDEr-D of sampled captions as reward, for a model trained"
        " by cross_entropy (--init); or a plugin's.",
    )
    label_smoothing: Probability = _option(0.0, "Label smoothing of the cross-entropy.")
    samples: int = _option(5, "Captions sampled for each photo (self_critical).", ge=2)
    attention_entropy: Weight = _option(0.0, "Weight of attention's entropy, in nats; above 0, attention concentrates.")
    attention_supervision: Weight = _option(
        0.0,
        "Weight of the negative log of the attention that lies in the boxes of the thing a word names, in nats;"
        " needs boxes.",
    )
    hallucination_penalty: Weight = _option(
        0.0,
        "Reward lost for each sampled noun that no caption of the photo has, where CIDEr-D is 0 to 10"
        " (self_critical); needs boxes.",
    )
    break_off_penalty: Weight = _option(
        0.0, "Reward lost by a sampled caption that ends where people's never do (self_critical)."
    )
    bleu_weight: Weight = _option(0.0, "Weight of a sampled caption's BLEU-4 beside its CIDEr-D (self_critical).")
    cross_entropy_weight: Weight = _option(0.0, "Weight of the cross-entropy of people's captions (self_critical).")

    scores: list[Score] = _option(
        [], "Scores of greedy captions of the held-out photos after each epoch, such as [CIDEr, BLEU-4]."
    )
    monitor: Score | None = _option(
        None, "The score by which the best epoch is chosen and patience counts; null: the objective's own value."
    )

    batch_size: Count = _option(32, "Photos in a batch, of all devices together, each with all its captions.")
    epochs: Count = _option(10, "Passes over the training photos; the best epoch is kept.")
    learning_rate: Rate = _option(1e-3, "Learning rate of Adam.")
    schedule: Literal["constant", "cosine"] = _option(
        "constant", "Learning rates over the steps; cosine: down to 0 along half a cosine."
    )
    gradient_clip: Annotated[float, Field(gt=0)] | None = _option(None, "Greatest norm of gradients; null: no limit.")
    patience: Count | None = _option(None, "Stop after so many epochs without a better held-out value; null: never.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = _option(
        "float32", "Number format of the computation; auto: bfloat16 where the device computes in it."
    )
    quantization: Literal["none", "aware"] = _option(
        "none",
        "aware: a trainable encoder computes with weights and activations rounded as export --precision int8 rounds"
        " them, so that the exported model says what the trained one says; for the last stage.",
    )
    devices: Count | Literal["auto"] = _option("auto", "Number of GPUs or processes; auto: all GPUs.")
    workers: int = _option(0, "Processes that prepare batches on each device; 0: none of their own.", ge=0)
    threads: Count | None = _option(None, "CPU threads; null: one a core. A very small model is fastest with one.")
    unreadable: Literal["refuse", "skip"] = _option(
        "refuse",
        "Photos that cannot be decoded; refuse: the first one ends the training, skip: all photos are decoded before it"
        " begins, and those are named and left out.",
    )
    seed: int = _option(0, "Seed of all random numbers.", ge=0, le=2**32 - 1)

    objective_options: dict[str, Any] = _option({}, "Options of a plugin's objective, by their names.")
    penalties: dict[str, Any] = _option(
        {},
        "Reward lost for each fault of a sampled caption: a plugin's penalties, by their names, each a weight or its"
        " options and a weight (self_critical).",
    )

    @field_validator("objective_options")
    @classmethod
    def _complete_objective(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if (name := info.data.get("objective")) is None:  # it is refused itself
            return options
        model = options_model(OBJECTIVES[name], (*GIVEN, *cls.model_fields), Section)
        return complete_options("training.objective_options", model, options)

    @field_validator("penalties")
    @classmethod
    def _complete_penalties(cls, penalties: dict[str, Any]) -> dict[str, Any]:
        complete = {}
        for name, options in penalties.items():
            if name not in PENALTIES:
                raise ValueError(f"training.penalties: {PENALTIES.unknown(name)}")
            weight: Any = (Weight, Field(description="Reward lost for each occurrence."))
            model = options_model(PENALTIES[name], GIVEN, Section, weight=weight)
            options = options if isinstance(options, Mapping) else {"weight": options}
            complete[name] = complete_options(f"training.penalties.{name}", model, options)
        return complete

    def weighted_penalties(self) -> dict[str, dict[str, Any]]:
        """A penalty's name -> its weight and its options, of all that are above 0."""
        own = {"hallucination": self.hallucination_penalty, "break_off": self.break_off_penalty}
        every = {**{name: {"weight": weight} for name, weight in own.items()}, **self.penalties}
        return {name: options for name, options in every.items() if options["weight"]}

    @property
    def samples_captions(self) -> bool:
        """Whether the objective learns from captions that the model samples, see `sightline.training.objective`."""
        return getattr(OBJECTIVES[self.objective], "samples_captions", False)

    @property
    def needs_boxes(self) -> bool:
        """Whether training photos must have regions, which also define the nouns."""
        penalties = [PENALTIES[name] for name in self.weighted_penalties()]
        return self.attention_supervision > 0 or any(getattr(each, "needs_boxes", False) for each in penalties)

    def written_scores(self) -> list[str]:
        """The scores computed for held-out captions after each epoch, without duplicates."""
        return list(dict.fromkeys([*self.scores, *([self.monitor] if self.monitor else [])]))


class Recipe(Section):
    """Everything that determines a training, apart from the data."""

    encoder: EncoderRecipe = Field(default_factory=EncoderRecipe, description=EncoderRecipe.__doc__)
    decoder: Annotated[SerializeAsAny[DecoderOptions], PlainValidator(decoder_options)] = Field(
        default_factory=lambda: decoder_options({}),
        description="The network that writes the caption.",
        json_schema_extra=_decoder_schema,
    )
    vocabulary: VocabularyRecipe = Field(default_factory=VocabularyRecipe, description=VocabularyRecipe.__doc__)
    training: TrainingRecipe = Field(default_factory=TrainingRecipe, description=TrainingRecipe.__doc__)

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        encoder, decoder, training = self.encoder, self.decoder, self.training
        unfrozen: dict[str, tuple[object, str]] = {
            "weights: none": (encoder.weights == "none", "random weights must be trained"),
            "frozen_blocks": (encoder.frozen_blocks, "without it the whole encoder is frozen"),
            "augmentation": (encoder.augmentation, "a frozen encoder's features are computed once"),
        }
        if training.quantization == "aware" and not encoder.trainable:
            raise ValueError("training.quantization: aware needs encoder.trainable: true; a frozen one learns nothing")
        for option, (used, reason) in unfrozen.items():
            if used and not encoder.trainable:
                raise ValueError(f"encoder.{option} needs encoder.trainable: true; {reason}")
        taken = parameters(OBJECTIVES[training.objective])
        of_rewards = ("hallucination_penalty", "break_off_penalty", "penalties", "bleu_weight", "cross_entropy_weight")
        for option in of_rewards:
            if getattr(training, option) and ("penalties" if "penalty" in option else option) not in taken:
                raise ValueError(f"training.{option} needs training.objective: self_critical")
        for name in ("hallucination", "break_off"):
            if name in training.penalties and getattr(training, f"{name}_penalty"):
                raise ValueError(f"training.{name}_penalty is training.penalties.{name}; give one of them")
        options = decoder.model_dump()
        if options["name"] == "gru" and options["attention"] == "once":
            every_step: dict[str, object] = {
                f"training.objective: {training.objective}": training.samples_captions,
                "training.attention_supervision": training.attention_supervision,
                "decoder.query: hidden_and_word": options["query"] != "hidden",
            }
            for setting, used in every_step.items():
                if used:
                    raise ValueError(f"{setting} needs decoder.attention: every_step")
        if options["name"] == "transformer" and self.vocabulary.max_words >= options["positions"]:
            raise ValueError("decoder.positions must be more than vocabulary.max_words")
        if options["name"] == "transformer" and options["hidden_size"] % options["heads"]:
            raise ValueError("decoder.hidden_size must be a multiple of decoder.heads")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.model_dump(),)  # a decoder's section is a class that no other process has

    def save(self, path: Path) -> None:
        """Write the whole recipe, defaults included, as YAML for `load_recipe`."""
        path.write_text(yaml.safe_dump(self.model_dump(), sort_keys=False), encoding="utf-8")


def _again(values: dict[str, Any]) -> Recipe:
    """A recipe in another process; `SightlineError` where that lacks a part, or a plugin cannot be loaded there."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise SightlineError("; ".join(map(_explain, error.errors()))) from None


_SECTIONS: dict[str, type[Section]] = {
    "encoder": EncoderRecipe,
    "vocabulary": VocabularyRecipe,
    "training": TrainingRecipe,
}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
_TYPES = {"boolean": "true | false", "integer": "integer", "number": "number", "string": "text", "null": "null"}


class Option(NamedTuple):
    """An option of a recipe, described for people."""

    key: str  # section.name
    default: str  # in YAML; for a name that chooses the decoder, that name
    values: str  # the possible ones in words, such as "number above 0, up to 1, or null"
    description: str


def list_options(decoders: Sequence[str] | None = None) -> dict[str, tuple[str, list[Option]]]:
    """Every option: section, or decoder's name -> what the section is, and its options in order.

    ``decoders``: which of the registered ones; None: all.
    """
    listed = {}
    decoder_sections = {name: decoder_section(name) for name in decoders or DECODERS}
    encoder, *others = _SECTIONS.items()
    for name, section in (encoder, *decoder_sections.items(), *others):
        key = "decoder" if name in decoder_sections else name
        options = []
        for option, schema in section.model_json_schema()["properties"].items():
            default = json.dumps(schema.get("default", schema.get("const"))).strip('"')
            options.append(Option(f"{key}.{option}", default, _values(schema), schema["description"]))
        listed[name] = section.__doc__ or "", options
    return listed


def _values(schema: dict[str, Any]) -> str:
    """The possible values that a JSON schema describes, in words."""
    if schema == _PLUGINS:
        return schema["title"]
    if "anyOf" in schema:
        return ", or ".join(map(_values, schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if "const" in schema:
        return schema["const"]
    if "type" not in schema:
        return "any"
    if schema["type"] == "object":
        return "options"
    if schema["type"] == "array":
        return f"list of {_values(schema['items'])}"
    bounds = [f"{word} {schema[bound]:.10g}" for bound, word in _BOUNDS.items() if bound in schema]
    return " ".join([_TYPES[schema["type"]], ", ".join(bounds)]).strip()


class _Loader(yaml.SafeLoader):
    """Refuses keys that stand there twice, and anchors that hold themselves, by their lines."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._around: list[yaml.Node] = []

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node in self._around:
            raise _problem(node, "this anchor holds itself")
        self._around.append(node)
        try:
            return super().construct_object(node, deep=True)
        except ValueError:
            raise _problem(node, f"{node.value[:40]!r} is no number and no date") from None
        finally:
            self._around.pop()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _problem(key, f"{key.value!r} stands there twice: keep one of the two")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def _problem(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def load_recipe(path: str | os.PathLike[str], settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, also of an earlier version, and override it by ``section.key=value`` settings.

    Raises `SightlineError`, which names file and key, where the file is missing or no YAML, a key is unknown or its
    value is impossible, or an option is given by its old and its new name.
    """
    path = as_path(path)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise SightlineError(f"{path}: no such recipe") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = " ".join(filter(None, [error.context, error.problem]))
        raise SightlineError(f"{path}{line}: {problem}; mend the YAML") from None
    except RecursionError:
        raise SightlineError(f"{path}: not a YAML recipe (nested too deep)") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SightlineError(f"{path}: not a YAML recipe ({' '.join(str(error).split())})") from None
    values = _numbers({} if values is None else values)
    if not isinstance(values, dict):
        raise SightlineError(f"{path}: no recipe; it must consist of sections ({', '.join(Recipe.model_fields)})")
    # A section whose options are all comments is empty.
    values |= {section: {} for section in Recipe.model_fields if values.get(section, 0) is None}
    return _checked(path, values, settings)


def further_recipe(folder: Path, settings: Sequence[str] = ()) -> Recipe:
    """A recipe that trains the model in ``folder`` further, in minutes, for new photos and words.

    The encoder is frozen, so that features are computed once; words are learned from two occurrences on. ``settings``
    as in `load_recipe`. Raises `SightlineError` where ``folder`` holds no model, or a setting is impossible.
    """
    config = load_description(folder)[0]
    training = {"learning_rate": 5e-4, "schedule": "cosine", "label_smoothing": 0.1, "gradient_clip": 5.0}
    values: dict[str, Any] = {
        "encoder": {"name": config.encoder, "projection": config.projection, "options": dict(config.encoder_options)},
        "decoder": {"name": config.decoder, **config.decoder_options},
        "vocabulary": {"min_count": 2, "max_words": config.max_words},
        "training": {**training, "precision": "auto"},
    }
    return _checked(folder, values, settings)


def _checked(source: Path, values: dict[str, Any], settings: Sequence[str]) -> Recipe:
    where = f"{source} with --set" if settings else str(source)
    values = _current_names(source, values)
    for section, options in _current_names(where, _from_settings(settings)).items():
        if not isinstance(values.setdefault(section, {}), dict):
            raise SightlineError(f"{where}: {section!r} is no section of the recipe")
        values[section] |= options
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        folder = source if source.is_dir() else source.parent
        if (folder / CONFIG).is_file():  # a run's, which says where the parts come from that it needs
            check_parts(folder, ModelConfig.load(folder / CONFIG), (OBJECTIVES, PENALTIES))
        raise SightlineError(f"{where}: {'; '.join(map(_explain, error.errors()))}") from None


def _from_settings(settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        section, dot, name = key.partition(".")
        if not (equals and dot and name):
            raise SightlineError(f"--set {setting}: write it as section.key=value, e.g. training.epochs=3")
        values.setdefault(section, {})[name] = _numbers(_value(text))
    return values


def _value(text: str) -> Any:
    """A setting's value in YAML, or as it is: it holds no comments, and "my run #2" is not cut."""
    try:
        node = yaml.compose(text, _Loader)
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        is_cut = node is None or (is_plain and node.end_mark.index < len(text.rstrip()))
        return (text.strip() or None) if is_cut else yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError):
        return text


def _current_names(where: object, values: dict[str, Any]) -> dict[str, Any]:
    """The values by the options' names of today."""
    renamed = dict(values)
    for section, old, new in _RENAMED:
        options = values.get(section)
        if not isinstance(options, dict) or old not in options:
            continue
        if new in options:
            raise SightlineError(f"{where}: {section}.{old} is an old name of {section}.{new}; give one of them")
        value = options[old]
        if old == "statistics":
            if value not in ("learn", "keep"):
                raise SightlineError(f"{where}: {section}.{old} has become {section}.{new}: true or false")
            value = value == "keep"
        renamed[section] = {**{key: kept for key, kept in options.items() if key != old}, new: value}
    return renamed


def _numbers(value: Any, levels: int = 2) -> Any:
    """YAML 1.1 reads ``1e-3`` as a string; here it is a number, in sections and their options."""
    if isinstance(value, dict) and levels:
        return {key: _numbers(inner, levels - 1) for key, inner in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?e[-+]?\d+", value, re.IGNORECASE):
        return float(value)
    return value


def _explain(error: Any) -> str:
    section, rest = (error["loc"][0], error["loc"][1:]) if error["loc"] else ("", ())
    if error["type"] == "model_type":
        return f"{section}: no section with options, but {shown(error['input'])}"
    if not rest and error["type"] in ("extra_forbidden", "invalid_key"):
        return f"unknown key {section}; there are: {', '.join(Recipe.model_fields)}"
    return explain({**error, "loc": rest}, section, _SECTIONS.get(section, Recipe))
