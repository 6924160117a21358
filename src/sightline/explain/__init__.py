"""Where the model looked, as one image a photo or as one web page for many. Reads `Caption`s alone."""

from sightline.explain.image import draw_attention
from sightline.explain.page import write_page

__all__ = ["draw_attention", "write_page"]
