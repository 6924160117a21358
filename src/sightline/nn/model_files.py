"""Model folder <-> torch model."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

import sightline.nn.gru
import sightline.nn.lstm
import sightline.nn.transformer  # noqa: F401  (each registers its decoder)
from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, ModelConfig, load_description, replacing
from sightline.nn.compact import restore
from sightline.nn.decoder import DECODERS
from sightline.nn.encoder import Encoder
from sightline.nn.ensemble import ensemble
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model import CaptionModel
from sightline.vocabulary import Vocabulary


def build_model(config: ModelConfig, vocabulary: Vocabulary, encoder: Encoder | None = None) -> CaptionModel:
    """A model of this shape with fresh weights; ``encoder``: the one that ``config`` names, where it is there."""
    if config.members:
        return ensemble([build_model(member, vocabulary) for member in config.members])
    encoder = encoder or make_encoder(config.encoder)
    feature_size = config.projection or encoder.feature_size
    decoder = DECODERS[config.decoder](len(vocabulary), feature_size, **config.decoder_options)
    return CaptionModel(encoder, decoder, config.projection)


def save_model(folder: Path, model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Write the model folder, every file whole or not at all; what else is in the folder stays."""
    with replacing(folder / VOCABULARY) as path:
        vocabulary.save(path)
    with replacing(folder / WEIGHTS) as path:
        path.write_bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))
    with replacing(folder / CONFIG) as path:
        config.save(path)


def load_model(folder: Path) -> tuple[CaptionModel, ModelConfig, Vocabulary]:
    """Read a model folder, float32, in evaluation mode; raises `SightlineError` where it is incomplete or damaged."""
    config, vocabulary = load_description(folder)
    try:
        weights = load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise SightlineError(f"{folder}: no {WEIGHTS}; a training run writes it when it ends") from None
    except (OSError, SafetensorError) as error:
        raise SightlineError(f"{folder / WEIGHTS}: damaged ({error}); train again or copy it anew") from None
    model = build_model(config, vocabulary)
    try:
        model.load_state_dict(restore(weights))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SightlineError(f"{folder}: the weights do not fit {CONFIG} and {VOCABULARY} ({reason})") from None
    return model.eval(), config, vocabulary
