"""A caption and where the model looked, as an image or as a web page. Needs nothing but `Caption`s."""

from sightline.explain.image import draw_attention
from sightline.explain.page import caption_document, caption_frame, frame_or_text, write_page

__all__ = ["caption_document", "caption_frame", "draw_attention", "frame_or_text", "write_page"]
