"""Batch normalisation by the statistics of a whole batch that several processes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.plugins import LayerSync
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

_OVER = (0, 2, 3)  # photos, rows and columns


class WholeBatchStatistics(LayerSync):
    """While a model trains, batch normalisation that learns takes its statistics over all processes.

    On GPUs by torch's own layer, on processors, for which torch has none, by `WholeBatchNorm`.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Exchange the layers for those that ask the other processes."""
        shared = nn.SyncBatchNorm if torch.cuda.is_available() else WholeBatchNorm
        return _exchange(model, nn.BatchNorm2d, shared, lambda layer: layer.training)

    def revert(self, model: nn.Module) -> nn.Module:
        """Exchange them back."""
        for shared in (nn.SyncBatchNorm, WholeBatchNorm):
            _exchange(model, shared, nn.BatchNorm2d, lambda layer: True)
        return model


class WholeBatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, which while it trains takes mean and variance over the batches of all processes."""

    def forward(self, input: Tensor) -> Tensor:
        """``input`` (P, C, h, w) -> the same shape; every process must call it equally often."""
        if not self.training:
            return super().forward(input)
        variance, mean = torch.var_mean(input.float(), _OVER, correction=0)
        count = torch.full_like(mean, input.numel() // input.shape[1])
        own = torch.stack([mean, variance, count])
        everyones = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(everyones, own)
        means, variances, counts = torch.stack(everyones, dim=1)  # (processes, C) each
        total = counts.sum(0)
        mean = (means * counts).sum(0) / total
        variance = ((variances + (means - mean).square()) * counts).sum(0) / total
        self._learn(mean, variance * total / (total - 1).clamp(min=1))
        return _Normalised.apply(input, self.weight, self.bias, mean, (variance + self.eps).rsqrt(), total)

    @torch.no_grad()
    def _learn(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)


class _Normalised(Function):
    """y = w x^ + b with x^ = (x - mean) / sigma, whose gradient knows that mean and sigma come from every process.

    dx = w / sigma (dy - sum dy / N - x^ sum (dy x^) / N), both sums and N over all processes (Ioffe & Szegedy 2015).
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, inverse: Tensor, total: Tensor
    ) -> Tensor:
        ctx.save_for_backward(input, weight, mean, inverse, total)
        scale = weight * inverse
        return (input * _wide(scale) + _wide(bias - mean * scale)).to(input.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        input, weight, mean, inverse, total = ctx.saved_tensors
        normal = (input - _wide(mean)) * _wide(inverse)
        own = torch.stack([gradient.float().sum(_OVER), (gradient * normal).sum(_OVER)])
        dist.all_reduce(sums := own.clone())
        shift, slope = sums / total
        back = _wide(weight * inverse) * (gradient - _wide(shift) - normal * _wide(slope))
        return back.to(input.dtype), own[1], own[0], None, None, None


def _wide(channels: Tensor) -> Tensor:
    return channels[:, None, None]


def _exchange(
    model: nn.Module, old: type[_BatchNorm], new: type[_BatchNorm], which: Callable[[nn.Module], bool]
) -> nn.Module:
    """The model with layers of the kind ``new`` for those of the kind ``old``, their weights and statistics in them."""
    for name, layer in model.named_children():
        if type(layer) is old and which(layer):
            made = new(layer.num_features, layer.eps, layer.momentum)
            made.__dict__.update(layer.__dict__)
            setattr(model, name, made)
        else:
            _exchange(layer, old, new, which)
    return model
