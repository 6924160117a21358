"""What verbs that train ask first."""

from __future__ import annotations

from importlib.util import find_spec

from sightline.errors import SightlineError

_NEEDED = ("torch", "torchvision", "lightning", "safetensors", "onnx", "onnxscript")


def require_training_tier() -> None:
    """Raise `SightlineError`, saying how to install it, where the training tier is absent; imports nothing."""
    if absent := [name for name in _NEEDED if not is_installed(name)]:
        raise SightlineError(
            f'this verb needs the training tier: pip install "sightline[train]" (no {", ".join(absent)})'
        )


def is_installed(name: str) -> bool:
    """Whether a package could be imported; imports nothing."""
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
