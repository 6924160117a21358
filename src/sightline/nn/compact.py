"""Weights in a third of their room, for models that are passed on; training goes on from them in float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = "/scale"  # no module's name holds a slash
# As in `sightline.export.precision`: filters with so many weights stand last, where few layers' errors still add up.
_MANY = 200_000


def compact(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices and the largest filters as int8 with a float32 scale for each row, ``NAME`` and ``NAME/scale``.

    Other filters of convolutions are float16, because the errors of so many layers add up. Vectors, among them batch
    normalisation's statistics, weigh little and stay as they are.
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
    """The float32 state of a file of weights, whether `compact` made it or not."""
    state = {}
    for name, tensor in stored.items():
        if not name.endswith(_SCALE):
            scale = stored.get(name + _SCALE)
            state[name] = tensor.float() if tensor.is_floating_point() else tensor if scale is None else tensor * scale
    return state
