"""Captioning with the torch model, for what training shows of itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sightline.caption import Caption, read_captions
from sightline.model_folder import ModelConfig
from sightline.nn.model import CaptionModel
from sightline.nn.search import search
from sightline.preprocess import Photo, preprocess
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY
from sightline.vocabulary import Vocabulary


@torch.inference_mode()
def generate(
    model: CaptionModel,
    config: ModelConfig,
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
) -> list[Caption]:
    """One `Caption` a photo, all in one batch, by the model as it is (put it in evaluation mode first)."""
    pixels = torch.from_numpy(np.stack([preprocess(photo, config.preprocessing) for photo in photos]))
    return generate_from_features(model, config, vocabulary, model.features(pixels), beam_size, length_penalty)


@torch.inference_mode()
def generate_from_features(
    model: CaptionModel,
    config: ModelConfig,
    vocabulary: Vocabulary,
    features: torch.Tensor,
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
) -> list[Caption]:
    """As `generate`, from the encoder's annotation vectors (P, L, D)."""
    sentences, scores = search(model.decoder, model.prepare(features), beam_size, config.max_words, length_penalty)
    found = (tensor.cpu().numpy() for tensor in (*sentences[:3], scores))
    return read_captions(vocabulary, config.grid, *found)
