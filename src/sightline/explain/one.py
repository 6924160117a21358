"""One caption as a page of its own, and as what a notebook shows."""

from __future__ import annotations

import html
import os
from pathlib import Path

from sightline.caption import Caption
from sightline.explain.page import SWITCH, article, fill, read_template
from sightline.preprocess import Photo


def caption_document(photo: Photo, caption: Caption) -> str:
    """An HTML document that shows one photo, lit by whichever word is pointed at; it needs no other file.

    Raises `SightlineError` where the photo cannot be read.
    """
    name = Path(photo).name if isinstance(photo, str | os.PathLike) else ""
    return fill(
        read_template("one.html"),
        TITLE=html.escape(caption.text),
        SWITCH=SWITCH * (caption.evidence is not None),
        PHOTO=article(photo, name, caption),
    )


def caption_frame(photo: Photo, caption: Caption) -> str:
    """The document in a frame of its own, whose style and script touch nothing around it; raises likewise."""
    title, document = (html.escape(text) for text in (caption.text, caption_document(photo, caption)))
    style = "display: block; width: 100%; height: 24rem; border: 0"
    return f'<iframe title="{title}" srcdoc="{document}" style="{style}"></iframe>'
