"""Sightline captions photos and shows where it looked."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime, once imported, writes a device id into the user's cache and looks up the host that it reports to, unless
# it is told not to. Whoever has decided about that has the say.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from sightline._version import __version__
from sightline.caption import Caption
from sightline.captioner import Captioner, load
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import read_dataset
    from sightline.evaluation.api import compare, evaluate, score
    from sightline.training.recipe import load_recipe as load_recipe
    from sightline.training.train import train as train

# Without `train` and `load_recipe`: `from sightline import *` works without torch.
__all__ = [
    "Caption",
    "Captioner",
    "SightlineError",
    "__version__",
    "compare",
    "evaluate",
    "load",
    "read_dataset",
    "score",
]
# What is loaded once it is asked for: who captions needs none of it.
_ASKED_FOR = {
    "compare": "sightline.evaluation.api",
    "evaluate": "sightline.evaluation.api",
    "load_recipe": "sightline.training.recipe",
    "read_dataset": "sightline.data.dataset",
    "score": "sightline.evaluation.api",
    "train": "sightline.training.train",
}


def __getattr__(name: str) -> Any:
    if name in _ASKED_FOR:
        return getattr(import_module(_ASKED_FOR[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ASKED_FOR})
