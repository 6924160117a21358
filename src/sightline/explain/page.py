"""Many captions' attention as one self-contained web page."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.bundle import replacing
from sightline.caption import Caption
from sightline.explain.emphasis import SHADE, TINT, emphasis
from sightline.preprocess import Photo, open_photo

# Enough for a sharp photo on a page, about 60 kB of JPEG.
PHOTO_SIDE, JPEG_QUALITY = 720, 80

# The page's style shows one of the three.
_PLAY = (
    '<button type="button" class="play">'
    '<span class="go">Play</span><span class="halt">Stop</span><span class="next">Next word</span></button>'
)


def write_page(path: Path, items: Iterable[tuple[Photo, Caption]], title: str = "Where the model looked") -> int:
    """Write one HTML file that shows, for every word of every caption, where the model looked.

    It needs no other file and no network. Photos are written as they come, so memory does not grow with their number;
    until the last one is written, whatever stood at ``path`` stays.

    Args:
        path: the file to write; its folder is made if need be.
        items: photos, as `sightline.preprocess.open_photo` takes them, each with its caption.
        title: the page's heading.

    Returns:
        how many photos the page shows.

    Raises:
        SightlineError: a photo cannot be read.
    """
    template = resources.files("sightline.explain").joinpath("page.html").read_text(encoding="utf-8")
    for name, value in (("TITLE", html.escape(title)), ("SHADE", json.dumps(SHADE)), ("TINT", json.dumps(TINT))):
        template = template.replace(f"__{name}__", value)
    before, after = template.split("<!-- photos -->\n")
    number = 0
    # A file name need not be valid text.
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(before)
        for number, (photo, caption) in enumerate(items, start=1):
            name = Path(photo).name if isinstance(photo, str | os.PathLike) else f"photo {number}"
            file.write(_article(open_photo(photo, PHOTO_SIDE // 2), name, caption))
        file.write(after)
    return number


def _article(photo: Image.Image, name: str, caption: Caption) -> str:
    photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    width, height = photo.size
    rows, columns = caption.attention.shape[1:]
    text = html.escape(caption.text)
    return f"""\
<article>
<div class="view" style="--aspect:{width / height:.4f}">
<img src="{_data_uri(photo)}" alt="{text}" width="{width}" height="{height}" decoding="async">
<canvas aria-hidden="true" data-rows="{rows}" data-columns="{columns}"></canvas>
</div>
<div class="told">
<h2 dir="auto" class="visually-hidden">{text}</h2>
{_words(caption)}
<p class="meta">{_PLAY}\
<span class="score">score <b>{_score(caption)}</b></span><bdi class="name">{html.escape(name)}</bdi></p>
{_alternatives(caption)}</div>
</article>
"""


def _words(caption: Caption) -> str:
    """A button a word, which carries its emphasis as two hexadecimal digits a grid cell, row by row."""
    buttons = []
    words = zip(caption.words, caption.log_probs, emphasis(caption.attention), strict=True)
    for index, (word, log_prob, light) in enumerate(words):
        probability = math.exp(log_prob)
        buttons.append(
            f'<button type="button" class="word" aria-pressed="false" tabindex="{-1 if index else 0}"'
            f' style="--p:{probability:.3f}" data-light="{_digits(light)}">'
            f"<span>{html.escape(word)}</span> <small>{probability:.0%}</small></button>"
        )
    lines = "\n".join(buttons)
    return f'<div class="sentence" role="toolbar" dir="auto" aria-label="Words of the sentence">\n{lines}\n</div>'


def _alternatives(caption: Caption) -> str:
    if not caption.alternatives:
        return ""
    rows = "\n".join(
        f'<li><span dir="auto">{html.escape(other.text)}</span> <b>{_score(other)}</b></li>'
        for other in caption.alternatives
    )
    return f'<h3>Also considered</h3>\n<ol class="alternatives">\n{rows}\n</ol>\n'


def _score(caption: Caption) -> str:
    return f"{caption.score:.2f}".replace("-", "−")


def _digits(light: NDArray[np.float32]) -> str:
    return (light * 255).round().astype(np.uint8).tobytes().hex()


def _data_uri(photo: Image.Image) -> str:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
