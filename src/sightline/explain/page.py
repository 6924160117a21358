"""Many captions' attention, or their evidence, as one self-contained web page."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.caption import Caption
from sightline.explain.emphasis import SHADE, TINT, by_attention, emphasis
from sightline.model_folder import replacing
from sightline.preprocess import Photo, open_photo

# Enough for a sharp photo on a page, about 60 kB of JPEG.
PHOTO_SIDE, JPEG_QUALITY = 720, 80

# By this in its head, a page is known for one of ours.
_GENERATOR = b'<meta name="generator" content="sightline explain">'

# The page's heading, and what the light means.
_LOOKED = ("Where the model looked", "where the model looked when it wrote that word")
_RESTS_ON = (
    "What each word rests on",
    "at the places that made that word likelier: had the model not looked there, it would have been less sure of it",
)

# Where there is evidence, attention can be lit instead.
SWITCH = """
<fieldset class="switch">
<legend class="visually-hidden">What lights up</legend>
<label><input type="radio" name="light" value="light" checked><span>What the word rests on</span></label>
<label><input type="radio" name="light" value="attention"><span>Where the model looked</span></label>
</fieldset>"""

# The page's style shows one of the three.
_PLAY = (
    '<button type="button" class="play">'
    '<span class="go">Play</span><span class="halt">Stop</span><span class="next">Next word</span></button>'
)


def write_page(path: Path, items: Iterable[tuple[Photo, Caption]], title: str | None = None) -> int:
    """Write one HTML file that shows, for every word of every caption, where the model looked.

    Captions that carry evidence are shown by what each word rests on, and a switch shows where the model looked.

    It needs no other file and no network. Photos are written as they come, so memory does not grow with their number;
    until the last one is written, whatever stood at ``path`` stays. What ends the writing early, an interruption or an
    error of ``items``, goes on its way once the page of those that were finished stands there, if there are any.

    Args:
        path: the file to write; its folder is made if need be.
        items: photos, as `sightline.preprocess.open_photo` takes them, each with its caption.
        title: the page's heading; None says what the page shows.

    Returns:
        how many photos the page shows.

    Raises:
        SightlineError: a photo cannot be read.
    """
    items = iter(items)
    first = next(items, None)
    rests = first is not None and first[1].evidence is not None
    heading, light = _RESTS_ON if rests else _LOOKED
    told = {"TITLE": html.escape(title or heading), "LIGHT": light, "SWITCH": SWITCH * rests}
    before, after = (fill(part, **told) for part in read_template("page.html").split("__PHOTOS__\n"))
    number, stopped = 0, None
    # A file name need not be valid text.
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(before)
        try:
            for photo, caption in items if first is None else chain([first], items):
                name = Path(photo).name if isinstance(photo, str | os.PathLike) else f"photo {number + 1}"
                file.write(article(photo, name, caption))
                number += 1
        except BaseException as error:
            if not number:
                raise
            stopped = error
        file.write(after)
    if stopped:
        raise stopped
    return number


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_page` wrote."""
    with path.open("rb") as file:
        return _GENERATOR in file.read(1024)


def fill(template: str, **parts: str) -> str:
    """A page's ``__NAME__`` replaced by the part of that name, which is HTML: escape what is text.

    ``__STYLE__`` and ``__SCRIPT__`` become what every `article` needs.
    """
    colors = {"SHADE": json.dumps(SHADE), "TINT": json.dumps(TINT)}
    script = _replace(read_template("page.js"), colors)
    return _replace(template, {"STYLE": read_template("page.css"), "SCRIPT": script, **parts})


def article(photo: Photo, name: str, caption: Caption, facts: str = "", below: str = "", over: str = "") -> str:
    """One photo of a page as HTML: the photo, its name, and a button a word that lights up where the model looked.

    ``facts`` is HTML that goes into the line under the sentence, ``below`` HTML that goes under everything,
    ``over`` HTML that is laid over the photo.
    Raises `SightlineError` where the photo cannot be read.
    """
    picture = open_photo(photo, PHOTO_SIDE // 2)
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    width, height = picture.size
    rows, columns = caption.attention.shape[1:]
    text = html.escape(caption.text)
    return f"""\
<article>
<div class="view" style="--aspect:{width / height:.4f}">
<img src="{_data_uri(picture)}" alt="{text}" width="{width}" height="{height}" decoding="async">
<canvas aria-hidden="true" data-rows="{rows}" data-columns="{columns}"></canvas>
{over}</div>
<div class="told">
<h2 dir="auto" class="visually-hidden">{text}</h2>
{_words(caption)}
<p class="meta">{_PLAY}\
{facts}<span class="score">score <b>{_score(caption)}</b></span><bdi class="name">{html.escape(name)}</bdi></p>
{_alternatives(caption)}{below}</div>
</article>
"""


def read_template(name: str) -> str:
    """A file of this folder, in which `fill` replaces the names."""
    return resources.files("sightline.explain").joinpath(name).read_text(encoding="utf-8")


def _replace(template: str, parts: Mapping[str, str]) -> str:
    # In one pass, so that nothing is replaced within a part.
    return re.sub(r"__([A-Z]+)__", lambda found: parts[found[1]], template)


def _words(caption: Caption) -> str:
    """A button a word, which carries its emphasis as two hexadecimal digits a grid cell, row by row.

    Where that shows evidence, it carries the emphasis of attention as well.
    """
    buttons = []
    words = zip(caption.words, caption.log_probs, emphasis(caption), by_attention(caption), strict=True)
    for index, (word, log_prob, light, looked) in enumerate(words):
        probability = math.exp(log_prob)
        attention = "" if caption.evidence is None else f' data-attention="{_digits(looked)}"'
        buttons.append(
            f'<button type="button" class="word" aria-pressed="false" tabindex="{-1 if index else 0}"'
            f' style="--p:{probability:.3f}" data-light="{_digits(light)}"{attention}>'
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
