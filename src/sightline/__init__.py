"""Sightline captions photos and shows where it looked."""

from sightline.caption import Caption
from sightline.captioner import Captioner, load
from sightline.errors import SightlineError

__version__ = "0.1.0"
__all__ = ["Caption", "Captioner", "SightlineError", "__version__", "load"]
