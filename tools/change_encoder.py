"""Give a trained captioner another encoder by a linear map, in minutes and without training it.

    python tools/change_encoder.py MODEL ENCODER OUT --data FOLDER [--data FOLDER ...] [--weights package]

The decoder goes on reading what it knows: the projection of the new encoder's annotation vectors is fitted to what the
old one's projection gives for the same training photos, by ridge regression (model stitching: Lenc & Vedaldi 2015;
Bansal et al. 2021). Captions are not used. A training that begins with `--init OUT` has that much less to learn.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, replacing_folder
from sightline.nn.encoder import Encoder, fused
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model_files import load_model, save_model
from sightline.preprocess import preprocess
from sightline.training.build import load_encoder_weights

_BATCH, _PENALTY = 8, 1e-3  # the penalty in parts of the mean square of the new encoder's values


def change_encoder(origin: Path, name: str, out: Path, folders: Sequence[Path], weights: str, number: int) -> float:
    """Write to ``out`` the model of ``origin`` with the encoder ``name``; the share of variance that the map keeps."""
    if number < 1:
        raise SightlineError(f"--number {number}: a map needs photos; name one or more")
    with replacing_folder(out, {CONFIG, VOCABULARY, WEIGHTS}, "model folder without model.onnx") as new:
        model, config, vocabulary = load_model(origin)
        if not isinstance(model.projection, nn.Linear):
            raise SightlineError(f"{origin}: a model without a projection, which is what would be fitted")
        encoder = make_encoder(name, {}).eval()
        load_encoder_weights(encoder, weights)
        if encoder.grid != model.encoder.grid:
            raise SightlineError(f"{name}: a grid of {encoder.grid}, and the model's is {model.encoder.grid}")
        photos = [example.photo for folder in folders for example in read_dataset(folder).split("train")]
        chosen = random.Random(0).sample(photos, min(number, len(photos)))
        weight, bias, kept = _fit(model.encoder, model.projection, encoder, chosen)
        model.encoder, model.heads = encoder, None
        model.projection = nn.Linear(encoder.feature_size, weight.shape[0])
        with torch.no_grad():
            model.projection.weight.copy_(weight)
            model.projection.bias.copy_(bias)
        config = replace(config, encoder=name, encoder_options={}, preprocessing=encoder.preprocessing)
        save_model(new, model, replace(config, heads={}, activation_ranges={}), vocabulary)
        return kept


@torch.inference_mode()
def _fit(
    before: Encoder, projection: nn.Linear, after: Encoder, photos: Sequence[ImageSource]
) -> tuple[Tensor, Tensor, float]:
    """Weight (E, D) and bias (E,) that minimise sum |W x + b - y|^2 + penalty |W|^2 over all photos' locations.

    x (D,) are the annotation vectors of the encoder ``after``, y (E,) those of ``before``, projected.
    """
    old, new = fused(before), fused(after)
    inputs, outputs = after.feature_size + 1, projection.out_features
    xx, xy = torch.zeros(inputs, inputs, dtype=torch.float64), torch.zeros(inputs, outputs, dtype=torch.float64)
    y_sum, y_squares, count = torch.zeros(outputs, dtype=torch.float64), 0.0, 0
    for start in range(0, len(photos), _BATCH):
        some = photos[start : start + _BATCH]
        y = projection(old(_pixels(some, before))).flatten(0, 1).double()
        x = new(_pixels(some, after)).flatten(0, 1).double()
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)  # at last, the bias
        xx += x.T @ x
        xy += x.T @ y
        y_sum += y.sum(0)
        y_squares, count = y_squares + float(y.square().sum()), count + len(x)
        print(f"\r{start + len(some)} of {len(photos)} photos", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    ridge = _PENALTY * xx.diagonal()[:-1].mean() * torch.eye(inputs, dtype=torch.float64)
    ridge[-1, -1] = 0
    solution = torch.linalg.solve(xx + ridge, xy)
    left = y_squares - 2 * float((solution * xy).sum()) + float((xx @ solution * solution).sum())
    kept = 1 - left / (y_squares - float(y_sum.square().sum()) / count)
    return solution[:-1].T.float(), solution[-1].float(), kept


def _pixels(photos: Sequence[ImageSource], encoder: Encoder) -> Tensor:
    return torch.from_numpy(np.stack([preprocess(photo, encoder.preprocessing) for photo in photos]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--weights", default="package", help="as encoder.weights in docs/recipe.md")
    parser.add_argument("--number", type=int, default=2400, help="of photos that are looked at")
    arguments = parser.parse_args()
    try:
        share = change_encoder(
            arguments.model, arguments.encoder, arguments.out, arguments.data, arguments.weights, arguments.number
        )
    except SightlineError as error:
        sys.exit(f"change_encoder: {error}")
    print(f"{share:.0%} of the variance of what the decoder reads is kept")
