"""Training speed on CPUs: keep freed memory, and run wide depthwise convolutions in float32."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks between training steps, which it would return to the kernel; no effect elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def has_bfloat16() -> bool:
    """Whether torch can tell that this CPU computes in bfloat16; emulation is several times slower than float32."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_tile"))


class DepthwiseInFloat32(TorchFunctionMode):
    """A context in which, on a CPU, autocast leaves trained depthwise convolutions wider than 3x3 in float32.

    There are no fast kernels for their bfloat16 gradients: those of a 5x5 convolution of 1,152 channels take a quarter
    of the time in float32, and a step of EfficientNet-Lite0 half. Results are bfloat16, as autocast's are.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call ``func``, such convolutions without autocast."""
        kwargs = kwargs or {}
        # Layers pass input and weight by position; calls that pass them by name are left to autocast.
        if func is not torch.conv2d or len(args) < 2 or not _is_slow(*args[:2]):
            return func(*args, **kwargs)
        photos, *others = args
        with torch.autocast("cpu", enabled=False):
            return func(photos.float(), *others, **kwargs).bfloat16()


def _is_slow(photos: Tensor, weight: Tensor) -> bool:
    """Whether ``weight`` (D, C / groups, k, k) is trained with bfloat16 gradients that have no fast kernel."""
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    learns = photos.device.type == "cpu" and weight.requires_grad and torch.is_grad_enabled()
    return autocast and learns and weight.shape[1] < photos.shape[1] and weight.shape[2] > 3
