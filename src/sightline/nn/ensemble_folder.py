"""Model folders -> one ensemble of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.model_folder import ModelConfig
from sightline.nn.ensemble import ensemble
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import load_model
from sightline.vocabulary import Vocabulary


def load_ensemble(folders: Sequence[Path]) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """The ensemble of two model folders or more, as `load_model` gives a model; see `DecoderEnsemble`.

    Raises:
        SightlineError: fewer than two folders, or one that is no model folder or does not go with the first.
    """
    if len(folders) < 2:
        raise SightlineError("an ensemble has two members at least: name another model folder")
    models, configs, vocabularies = zip(*map(load_model, folders), strict=True)
    _check(folders, configs, vocabularies)
    return ensemble(models), _config(configs), vocabularies[0]


def _check(folders: Sequence[Path], configs: Sequence[ModelConfig], vocabularies: Sequence[Vocabulary]) -> None:
    first, config, vocabulary = folders[0], configs[0], vocabularies[0]
    for folder, other, words in zip(folders, configs, vocabularies, strict=True):
        if words != vocabulary:
            raise SightlineError(f"{folder} knows other words than {first}: train one with --init from the other's")
        if (other.grid, other.preprocessing) != (config.grid, config.preprocessing):
            raise SightlineError(f"{folder} and {first} see photos differently: their encoders do not go together")


def _config(members: Sequence[ModelConfig]) -> ModelConfig:
    return ModelConfig(
        encoder="ensemble",
        projection=None,
        decoder="ensemble",
        decoder_options={},
        grid=members[0].grid,
        max_words=min(member.max_words for member in members),
        preprocessing=members[0].preprocessing,
        training=_training(members),
        members=tuple(members),
    )


def _training(members: Sequence[ModelConfig]) -> dict[str, Any]:
    """What is known of all members' training: one value where they agree, otherwise each one's."""
    known = [key for key in members[0].training if all(key in member.training for member in members)]
    values = {key: [member.training[key] for member in members] for key in known}
    return {key: each[0] if all(value == each[0] for value in each) else each for key, each in values.items()}
