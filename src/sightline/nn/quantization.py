"""8-bit integers for an encoder's convolutions: ranges of activations, how numbers are rounded, training for it.

An activation x is stored as ``q = round(x / s) + z`` from 0 to 255 (Jacob et al. 2018, equation 1), with a scale s and
a zero point z for the whole tensor; a weight as ``round(w / s_c)`` from -127 to 127, with a scale for each output
channel c. As the scales are fixed, what a photo gives does not depend on the photos beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from sightline.model_folder import ModelConfig
from sightline.nn.encoder import Encoder, fused
from sightline.preprocess import Photo, preprocess

LEVELS, LARGEST = 255, 127
_PHOTOS, _BATCH = 128, 8


class Interval(NamedTuple):
    """Between which values an activation lies; 0, with which photos are padded, is among them and stored exactly."""

    low: float
    high: float

    def scale_and_zero_point(self) -> tuple[float, int]:
        """s and z."""
        scale = max(self.high - self.low, 1e-9) / LEVELS
        return scale, round(-self.low / scale)


class ConvolutionRange(NamedTuple):
    """The intervals of a convolution's ``input``, and of its ``output`` after batch normalisation."""

    input: Interval
    output: Interval


Ranges: TypeAlias = Mapping[str, ConvolutionRange]  # by the convolution's name in its encoder


def convolutions(encoder: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    """The convolutions that can be computed in integers, with their names."""
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
            yield name, module


@torch.no_grad()
def gather_ranges(encoder: Encoder, photos: Sequence[Photo]) -> Ranges:
    """The ranges of the encoder's activations over 128 of ``photos``, evenly spaced; raises as `preprocess` does."""
    seen: dict[str, list[Tensor]] = defaultdict(list)

    def record(name: str, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen[name].append(torch.stack([*inputs[0].aminmax(), *output.aminmax()]))

    preprocessing, encoder = encoder.preprocessing, fused(encoder)
    for name, convolution in convolutions(encoder):
        convolution.register_forward_hook(partial(record, name))
    chosen = photos[:: max(1, len(photos) // _PHOTOS)][:_PHOTOS]
    for start in range(0, len(chosen), _BATCH):
        batch = [preprocess(photo, preprocessing) for photo in chosen[start : start + _BATCH]]
        encoder(torch.from_numpy(np.stack(batch)))
    ranges = {}
    for name, extremes in seen.items():
        if not torch.stack(extremes).isfinite().all():
            continue  # of a model that diverged: an export names it
        lows, highs = (torch.stack(extremes)[:, first::2] for first in (0, 1))  # (batches, input and output)
        ends = zip(lows.amin(0).clamp(max=0).tolist(), highs.amax(0).clamp(min=0).tolist(), strict=True)
        ranges[name] = ConvolutionRange(*(Interval(*(float(f"{end:.5g}") for end in both)) for both in ends))
    return ranges


def known_ranges(config: ModelConfig) -> Ranges:
    """The ranges that a model folder's configuration holds; those of an ensemble's members by their names in it."""
    own = {
        name: ConvolutionRange(*(Interval(*ends) for ends in both)) for name, both in config.activation_ranges.items()
    }
    for number, member in enumerate(config.members):
        own |= {f"members.{number}.{name}": both for name, both in known_ranges(member).items()}
    return own


def weight_scales(weight: Tensor) -> Tensor:
    """The scale of each output channel of a convolution's ``weight`` (C, ...): float32 (C,).

    Processors without dot-product instructions add two products in 16 bits, which ``255 * 128`` fits and ``255 * 129``
    does not. So the two largest weights of one sign in a channel are to have a sum of 128 at most, whichever two of
    them meet: 8 bits where one weight stands out, 7 where there are two such. Depthwise convolutions, of one weight a
    place, are added in 32 bits everywhere.
    """
    rows = weight.detach().float().flatten(1)
    largest = rows.abs().amax(1)
    if weight.shape[1] > 1:
        pairs = [side.clamp(min=0).topk(2, dim=1).values.sum(1) for side in (rows, -rows)]
        largest = torch.stack([largest, *pairs]).amax(0)  # rounding may add a half to each: 128
    return (largest / LARGEST).clamp(min=1e-12)


def train_in_integers(encoder: Encoder, ranges: Ranges) -> None:
    """Let the convolutions that ``ranges`` names compute with rounded inputs and weights, as an int8 export will.

    Gradients pass the rounding unchanged (the straight-through estimator, Bengio et al. 2013), but for inputs beyond
    their range. Names and weights stay what they are: the trained weights are rounded only when they are exported.
    """
    for name, convolution in convolutions(encoder):
        if name in ranges:
            plain = partial(type(convolution)._conv_forward, convolution)
            convolution._conv_forward = partial(_rounded, plain, ranges[name].input)  # type: ignore[method-assign]


def _rounded(plain: partial[Tensor], interval: Interval, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    x = torch.fake_quantize_per_tensor_affine(x, *interval.scale_and_zero_point(), 0, LEVELS)
    scales = weight_scales(weight)
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    rounded = torch.fake_quantize_per_channel_affine(weight.float(), scales, zeros, 0, -LARGEST, LARGEST)
    return plain(x, rounded.to(weight.dtype), bias)
