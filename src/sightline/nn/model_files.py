"""Model folders <-> torch models: weights as they were trained or compact, one model or an ensemble of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, ModelConfig, load_description, replacing
from sightline.nn.decoder import DECODERS
from sightline.nn.encoder import ENCODERS, Encoder
from sightline.nn.heads import Heads
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model import CaptionModel, ensemble
from sightline.plugins import Origin
from sightline.registry import Registry
from sightline.vocabulary import Vocabulary

_SCALE = "/scale"  # ends the name of a row scale; no module's name holds a slash
# As in `sightline.export.precision`: filters with so many weights are late layers, where few errors still add up.
_MANY = 200_000


def build_model(config: ModelConfig, vocabulary: Vocabulary, encoder: Encoder | None = None) -> CaptionModel:
    """A model of this shape with fresh weights; ``encoder`` saves building the one that ``config`` names."""
    if config.members:
        model = ensemble([build_model(member, vocabulary) for member in config.members])
    else:
        encoder = encoder or make_encoder(config.encoder, config.encoder_options)
        feature_size = config.projection or encoder.feature_size
        decoder = DECODERS[config.decoder](len(vocabulary), feature_size, **config.decoder_options)
        model = CaptionModel(encoder, decoder, config.projection)
    if config.heads:
        model.heads = Heads(model.encoder.feature_size, len(vocabulary), config.heads)
    return model


def save_model(folder: Path, model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Write the model folder, every file whole or not at all; what else is in the folder stays."""
    with replacing(folder / VOCABULARY) as path:
        vocabulary.save(path)
    with replacing(folder / WEIGHTS) as path:
        path.write_bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))
    with replacing(folder / CONFIG) as path:
        config.save(path)


def load_model(folder: Path) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """A model folder's model, float32, in evaluation mode; `SightlineError` if a file is missing, damaged or misfit."""
    config, vocabulary = load_description(folder)
    try:
        weights = load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise SightlineError(f"{folder}: no {WEIGHTS}; a training run writes it when it ends") from None
    except (OSError, SafetensorError) as error:
        raise SightlineError(f"{folder / WEIGHTS}: damaged ({error}); train again or copy it anew") from None
    check_parts(folder, config)
    model = build_model(config, vocabulary)
    try:
        model.load_state_dict(restore(weights))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SightlineError(f"{folder}: the weights do not fit {CONFIG} and {VOCABULARY} ({reason})") from None
    return model.eval(), config, vocabulary


def check_parts(folder: Path, config: ModelConfig, others: Sequence[Registry[Any]] = ()) -> None:
    """Raise `SightlineError`, which says what to install or name, where a plugin's part of the model is not there.

    ``others``: registries whose parts the model was trained with, beside encoder and decoder.
    """
    every: tuple[Registry[Any], ...] = (ENCODERS, DECODERS, *others)
    registries = {registry.kind: registry for registry in every}
    for member in config.members or (config,):
        for part in dict.fromkeys([f"encoder {member.encoder}", f"decoder {member.decoder}", *member.plugins]):
            kind, _, name = part.partition(" ")
            # A library's network has a slash in its name, and its own message.
            if kind in registries and "/" not in name and name not in registries[kind]:
                advice = Origin.from_dict(member.plugins.get(part)).advice()
                raise SightlineError(f"{folder}: its {kind} {name!r} is not registered here; {advice}")


def load_ensemble(folders: Sequence[Path]) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """`DecoderEnsemble` of two or more folders of one vocabulary, grid and preprocessing, or else `SightlineError`.

    It has no heads: those of a member know that member's sentences.
    """
    if len(folders) < 2:
        raise SightlineError("an ensemble needs at least two model folders; add one")
    models, configs, vocabularies = zip(*map(load_model, folders), strict=True)
    first, vocabulary = configs[0], vocabularies[0]
    for folder, config, words in zip(folders, configs, vocabularies, strict=True):
        if words != vocabulary:
            raise SightlineError(
                f"{folder}: its vocabulary is not that of {folders[0]}; train one with --init from the other"
            )
        if (config.grid, config.preprocessing) != (first.grid, first.preprocessing):
            raise SightlineError(
                f"{folder}: its grid or preprocessing is not that of {folders[0]}; combine models whose encoders agree"
            )
    # Of the members' training records, the keys that all have: one value where they agree, otherwise a list.
    known = [key for key in first.training if all(key in config.training for config in configs)]
    values = {key: [config.training[key] for config in configs] for key in known}
    joint = replace(
        first,
        encoder="ensemble",
        projection=None,
        decoder="ensemble",
        decoder_options={},
        encoder_options={},
        plugins={},
        max_words=min(config.max_words for config in configs),
        training={key: each[0] if all(value == each[0] for value in each) else each for key, each in values.items()},
        members=tuple(replace(config, heads={}) for config in configs),
        activation_ranges={},
        nouns=tuple(word for word in vocabulary.words if any(word in config.nouns for config in configs)),
        heads={},
    )
    return ensemble(models), joint, vocabulary


def compact(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in a third of the bytes, for publishing; training continues from it in float32.

    Matrices and the largest filters become int8 with a float32 scale a row, ``NAME`` and ``NAME/scale``. Other filters
    become float16, as the errors of many layers add up. Vectors, batch normalisation's statistics among them, stay.
    """
    stored = {}
    for name, tensor in state.items():
        if tensor.is_floating_point() and (tensor.dim() == 2 or (tensor.dim() > 2 and tensor.numel() >= _MANY)):
            others = tuple(range(1, tensor.dim()))
            scale = tensor.float().abs().amax(others, keepdim=True).clamp(min=1e-12) / 127
            stored[name], stored[name + _SCALE] = (tensor / scale).round().to(torch.int8), scale
        else:
            stored[name] = tensor.half() if tensor.is_floating_point() and tensor.dim() > 2 else tensor
    return stored


def restore(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 state dict of a weights file, compact or not."""
    state = {}
    for name, tensor in stored.items():
        if not name.endswith(_SCALE):
            scale = stored.get(name + _SCALE)
            state[name] = tensor.float() if tensor.is_floating_point() else tensor if scale is None else tensor * scale
    return state
