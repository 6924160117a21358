"""Where the model looked, as one image a photo or as one web page for many. Reads `Caption`s alone."""

from sightline.explain.image import draw_attention
from sightline.explain.one import caption_document, caption_frame
from sightline.explain.page import write_page

__all__ = ["caption_document", "caption_frame", "draw_attention", "write_page"]
