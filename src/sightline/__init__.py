"""Sightline captions photos and shows where it looked."""

import os
from typing import TYPE_CHECKING

# ONNX Runtime, once imported, writes a device id into the user's cache and looks up the host that it reports to, unless
# it is told not to. Whoever has decided about that has the say.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from sightline._version import __version__
from sightline.caption import Caption
from sightline.captioner import Captioner, load
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.evaluation.api import score

__all__ = ["Caption", "Captioner", "SightlineError", "__version__", "load", "score"]


def __getattr__(name: str) -> object:
    # Scoring is loaded once it is asked for: who captions needs none of it.
    if name == "score":
        from sightline.evaluation.api import score

        return score
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
