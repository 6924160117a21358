"""Alt texts with their pictures as one web page, for a person to read."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from PIL import Image

from sightline.errors import SightlineError
from sightline.explain.page import fill
from sightline.model_folder import replacing
from sightline.preprocess import open_photo

_SIDE, _QUALITY = 480, 75  # about 25 kB a photo


@dataclass(frozen=True)
class Row:
    """An image with a text that a machine wrote.

    Attributes:
        page, line: where it is; the line is counted from 1, and ``source`` is what the line holds.
        reference: what the page names it by.
        photo: its file; None if that is not known.
        text: the alt text.
        confidence: 0 to 1; None if that is not known.
    """

    page: Path
    line: int
    source: str
    reference: str
    photo: Path | None
    text: str
    confidence: float | None


def write_report(path: Path, rows: Iterable[Row], title: str, lead: str) -> None:
    """Write a page of photos, each with its text and all places that show it; it needs no other file, no network."""
    by_photo = dict[tuple[Path | None, str, str], list[Row]]()
    for row in rows:
        by_photo.setdefault((row.photo, row.text, "" if row.photo else row.reference), []).append(row)
    template = resources.files("sightline.alt").joinpath("report.html").read_text(encoding="utf-8")
    parts = {"TITLE": html.escape(title), "LEAD": html.escape(lead)}
    before, after = (fill(part, **parts) for part in template.split("__ROWS__"))
    # Written as they are drawn, so that memory does not grow with the pictures; a name may not be valid Unicode.
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(before)
        file.writelines(_article(places) for places in by_photo.values())
        file.write(after)


def _article(places: list[Row]) -> str:
    first = places[0]
    sure = "" if first.confidence is None else f'<span class="score">confidence <b>{first.confidence:.2f}</b></span>'
    items = "".join(
        f"<li><b>{html.escape(str(row.page))}</b>, line {row.line}<code>{html.escape(row.source)}</code></li>\n"
        for row in places
    )
    return f"""\
<article>
{_view(first)}
<div class="told">
<h2 dir="auto">{html.escape(first.text)}</h2>
<p class="meta">{sure}<bdi class="name">{html.escape(first.reference)}</bdi></p>
<ul class="places">
{items}</ul>
</div>
</article>
"""


def _view(row: Row) -> str:
    try:
        if row.photo is None:
            raise SightlineError("not in the site's folder")
        picture = open_photo(row.photo, _SIDE // 2)
    except SightlineError as error:
        return f'<div class="view" style="--aspect:1.5"><p>{html.escape(str(error))}</p></div>'
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    picture.save(jpeg := io.BytesIO(), "JPEG", quality=_QUALITY)
    width, height = picture.size
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode('ascii')}"
    image = f'<img src="{source}" alt="{html.escape(row.text)}" width="{width}" height="{height}" decoding="async">'
    return f'<div class="view" style="--aspect:{width / height:.4f}">{image}</div>'
