"""Depthwise convolutions that learn, in float32 on processors: wide ones' bfloat16 gradients have no quick kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class DepthwiseInFloat32(TorchFunctionMode):
    """A context in which autocast leaves grouped convolutions alone that learn and are wider than 3x3, on a processor.

    What comes out is bfloat16 again. A 5x5 one of 1,152 channels has its gradients four times as soon, a step of
    EfficientNet-Lite0 is done in half the time; all others stay as autocast has them.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass every call on, convolutions as the class says."""
        kwargs = kwargs or {}
        # Layers pass photos and weight by position; a call that names them stays as autocast has it.
        if func is not torch.conv2d or len(args) < 2 or not _is_slow(*args[:2]):
            return func(*args, **kwargs)
        photos, *others = args
        with torch.autocast("cpu", enabled=False):
            return func(photos.float(), *others, **kwargs).bfloat16()


def _is_slow(photos: Tensor, weight: Tensor) -> bool:
    """Whether ``weight`` (D, C / groups, k, k) learns, by bfloat16 gradients for which there is no quick kernel."""
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    learns = photos.device.type == "cpu" and weight.requires_grad and torch.is_grad_enabled()
    return autocast and learns and weight.shape[1] < photos.shape[1] and weight.shape[2] > 3
