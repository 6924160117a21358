"""The attention, or the evidence, of one caption or many as a self-contained web page."""

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

from sightline.caption import PHOTO, Caption, confidence_in_words
from sightline.explain.emphasis import SHADE, TINT, by_attention, emphasis
from sightline.model_folder import replacing
from sightline.preprocess import Photo, open_photo

# Enough for a sharp photo on a page, about 60 kB of JPEG.
PHOTO_SIDE, JPEG_QUALITY = 720, 80
# Marks a page as written by `write_page`.
_GENERATOR = b'<meta name="generator" content="sightline explain">'
# Heading of the page, and what the light means.
_ATTENTION = ("Where the model looked", "where the model looked when it wrote that word")
_EVIDENCE = (
    "What each word rests on",
    "at the places that made that word likelier: had the model not looked there, it would have been less sure of it",
)

# Chooses between evidence and attention, for captions with both.
SWITCH = """
<fieldset class="switch">
<legend class="visually-hidden">What lights up</legend>
<label><input type="radio" name="light" value="light" checked><span>What each word rests on</span></label>
<label><input type="radio" name="light" value="attention"><span>Where it looked</span></label>
</fieldset>"""

# page.css shows one of the three labels.
_PLAY = (
    '<button type="button" class="play">'
    '<span class="go">Play</span><span class="halt">Stop</span><span class="next">Next word</span></button>'
)

# Of a confidence, and what it is about; the page in the browser says the same.
_CHANCE = "{:.0%} chance that people name {}, too"


def write_page(path: Path, items: Iterable[tuple[Photo, Caption]], title: str | None = None) -> int:
    """Write one HTML file that shows, for every word of every caption, where the model looked.

    Captions with evidence show what each word rests on, with a switch to where the model looked. The file needs no
    other file and no network. Photos are written as they arrive, so memory does not grow with their number. If an
    interruption or an error of ``items`` ends the writing, the page of the photos so far is kept, if there are any, and
    the exception raised again. ``items``: photos, as `sightline.preprocess.open_photo` takes them, each with its
    caption. Without ``title``, the heading says what the page shows. Raises `SightlineError` for an unreadable one.

    Returns the number of photos on the page.
    """
    items = iter(items)
    first = next(items, None)
    has_evidence = first is not None and first[1].evidence is not None
    heading, light = _EVIDENCE if has_evidence else _ATTENTION
    parts = {"TITLE": html.escape(title or heading), "LIGHT": light, "SWITCH": SWITCH * has_evidence}
    before, after = (fill(part, **parts) for part in _template("page.html").split("__PHOTOS__\n"))
    number, stopped = 0, None
    # A photo's name may not be valid Unicode.
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(before)
        try:
            for photo, caption in items if first is None else chain([first], items):
                called = photo if isinstance(photo, str | os.PathLike) else getattr(photo, "name", None)
                name = Path(called).name if isinstance(called, str | os.PathLike) else f"photo {number + 1}"
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


def caption_document(photo: Photo, caption: Caption) -> str:
    """An HTML document of one photo, which needs no other file; raises `SightlineError` if it cannot be read."""
    name = Path(photo).name if isinstance(photo, str | os.PathLike) else ""
    return fill(
        _template("one.html"),
        TITLE=html.escape(caption.text),
        SWITCH=SWITCH * (caption.evidence is not None),
        PHOTO=article(photo, name, caption),
    )


def caption_frame(photo: Photo, caption: Caption) -> str:
    """`caption_document` in an iframe, for notebooks: its style and script do not affect the page around it."""
    title, document = (html.escape(text) for text in (caption.text, caption_document(photo, caption)))
    style = "display: block; width: 100%; height: 24rem; border: 0"
    return f'<iframe title="{title}" srcdoc="{document}" style="{style}"></iframe>'


def frame_or_text(frame: str, text: str) -> str:
    """HTML of the sentence ``text``, which ``frame`` replaces as it comes into view or is pointed at.

    Where notebooks forbid frames, some print the source of one. All leave out attributes that they forbid. So the frame
    is an attribute of an element that all allow, whose events put it in place; without them the sentence stays.
    """
    source = frame.replace("&", "&amp;").replace('"', "&quot;")
    put = "this.outerHTML = this.dataset.frame"
    events = " ".join(f'{event}="{put}"' for event in ("oncontentvisibilityautostatechange", "onpointerenter"))
    style = "display: block; content-visibility: auto"
    return f'<b dir="auto" style="{style}" {events} data-frame="{source}">{html.escape(text)}</b>'


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_page` wrote."""
    with path.open("rb") as file:
        return _GENERATOR in file.read(1024)


def fill(template: str, **parts: str) -> str:
    """Replace each ``__NAME__`` of a page by the part of that name, which is HTML: escape text first.

    ``__STYLE__`` and ``__SCRIPT__`` become the style and script that every `article` needs.
    """
    colors = {"SHADE": json.dumps(SHADE), "TINT": json.dumps(TINT)}
    script = _replace(_template("page.js"), colors)
    return _replace(template, {"STYLE": _template("page.css"), "SCRIPT": script, **parts})


def article(photo: Photo, name: str, caption: Caption, facts: str = "", below: str = "", over: str = "") -> str:
    """One photo of a page as HTML: the photo, its name, and a button per word that lights up where the model looked.

    Below the words: how sure the model is of them, and keywords, if it tells; and the caption's note.

    ``facts`` is HTML for the line under the sentence, ``below`` HTML for the end, ``over`` HTML laid over the photo.
    Raises `SightlineError` if the photo cannot be read.
    """
    picture = open_photo(photo, PHOTO_SIDE // 2)
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY, optimize=True)
    data = base64.b64encode(jpeg.getvalue()).decode("ascii")
    width, height = picture.size
    rows, columns = caption.attention.shape[1:]
    text = html.escape(caption.text)
    return f"""\
<article>
<div class="view" style="--aspect:{width / height:.4f}">
<img src="data:image/jpeg;base64,{data}" alt="{text}" width="{width}" height="{height}" decoding="async">
<canvas aria-hidden="true" data-rows="{rows}" data-columns="{columns}"></canvas>
{over}</div>
<div class="told">
<h2 dir="auto" class="visually-hidden">{text}</h2>
{_words(caption)}
{_judgement(caption)}<p class="meta">{_PLAY}\
{facts}<span class="score">score <b>{_score(caption)}</b></span><bdi class="name">{html.escape(name)}</bdi></p>
{_alternatives(caption)}{below}</div>
</article>
"""


def _template(name: str) -> str:
    """A file of this folder, for `fill`."""
    return resources.files("sightline.explain").joinpath(name).read_text(encoding="utf-8")


def _replace(template: str, parts: Mapping[str, str]) -> str:
    # In one pass, so that nothing is replaced within a part.
    return re.sub(r"__([A-Z]+)__", lambda name: parts[name[1]], template)


def _words(caption: Caption) -> str:
    """A button per word with its emphasis, two hexadecimal digits per cell; with evidence, that of attention too."""
    buttons = []
    confidences = caption.word_confidence if caption.kind in (None, PHOTO) else None
    words = zip(caption.words, caption.log_probs, emphasis(caption), by_attention(caption), strict=True)
    for index, (word, log_prob, light, attention_light) in enumerate(words):
        probability = math.exp(log_prob)
        attention = "" if caption.evidence is None else f' data-attention="{_digits(attention_light)}"'
        sure = "" if confidences is None else _of_noun(word, float(confidences[index]))
        buttons.append(
            f'<button type="button" class="word" aria-pressed="false" tabindex="{-1 if index else 0}"'
            f' style="--p:{probability:.3f}" data-light="{_digits(light)}"{attention}{sure}>'
            f"<span>{html.escape(word)}</span> <small>{probability:.0%}</small></button>"
        )
    lines = "\n".join(buttons)
    return f'<div class="sentence" role="toolbar" dir="auto" aria-label="Words of the sentence">\n{lines}\n</div>'


def _of_noun(word: str, confidence: float) -> str:
    """The attributes of a noun's button, with what page.js shows while it is lit; none of another word's, NaN."""
    if math.isnan(confidence):
        return ""
    sure, chance = confidence_in_words(confidence), html.escape(_CHANCE.format(confidence, f"“{word}”"))
    return f' data-sure="{sure}" data-chance="{chance}" aria-description="{sure}: {chance}"'


def _judgement(caption: Caption) -> str:
    """What is known about the caption and the photo, a line each; how sure the model is only of what it has learned."""
    lines = ""
    if caption.note:
        lines += f'<p class="note">{html.escape(caption.note[0].upper() + caption.note[1:])}</p>\n'
    if caption.confidence is not None and caption.kind in (None, PHOTO):
        chance = _CHANCE.format(caption.confidence, "all of this")
        lines += f'<p class="sureness"><b>{confidence_in_words(caption.confidence)}</b> {chance}</p>\n'
    if caption.keywords:
        words = html.escape(", ".join(keyword.word for keyword in caption.keywords))
        lines += f'<p class="keywords"><span>Keywords</span> <bdi>{words}</bdi></p>\n'
    return lines


def _alternatives(caption: Caption) -> str:
    if not caption.alternatives:
        return ""
    others = [(html.escape(other.text), _score(other)) for other in caption.alternatives]
    rows = "\n".join(f'<li><span dir="auto">{text}</span> <b>{score}</b></li>' for text, score in others)
    return f'<h3>Also considered</h3>\n<ol class="alternatives">\n{rows}\n</ol>\n'


def _score(caption: Caption) -> str:
    return f"{caption.score:.2f}".replace("-", "−")


def _digits(light: NDArray[np.float32]) -> str:
    return (light * 255).round().astype(np.uint8).tobytes().hex()
