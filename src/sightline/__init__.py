"""Sightline captions photos and shows where it looked."""

import os

# ONNX Runtime, once imported, writes a device id into the user's cache and looks up the host that it reports to, unless
# it is told not to. Whoever has decided about that has the say.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from sightline.caption import Caption
from sightline.captioner import Captioner, load
from sightline.errors import SightlineError

__version__ = "0.1.0"
__all__ = ["Caption", "Captioner", "SightlineError", "__version__", "load"]
