"""One picture of a kind, or many beside each other for a person to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps

from sightline.errors import SightlineError
from sightline.not_photos.charts import chart
from sightline.not_photos.diagrams import diagram
from sightline.not_photos.drawings import drawing
from sightline.not_photos.fields import noise, pattern
from sightline.not_photos.logos import logo
from sightline.not_photos.maps import map_
from sightline.not_photos.pages import page
from sightline.not_photos.pens import Rng, chance
from sightline.not_photos.screenshots import screenshot
from sightline.not_photos.wear import worn


def _chart_or_diagram(rng: Rng) -> Image.Image:
    return chart(rng) if chance(rng, 0.65) else diagram(rng)


_DRAW: dict[str, Callable[[Rng], Image.Image]] = {
    "page of text": page,
    "screenshot": screenshot,
    "chart": _chart_or_diagram,
    "drawing": drawing,
    "logo": logo,
    "map": map_,
    "noise": noise,
    "pattern": pattern,
}
KINDS = tuple(_DRAW)


def draw(kind: str, seed: int) -> Image.Image:
    """An RGB picture of ``kind``, of any size and shape; the same seed gives the same one on the same machine.

    Words are written with the fonts that are installed: the more scripts they have, the more varied the pictures.

    Args:
        kind: one of `KINDS`.
        seed: 0 or more.

    Raises:
        SightlineError: there is no such kind.
    """
    if kind not in _DRAW:
        raise SightlineError(f"{kind!r} is no kind of picture that is drawn; choose one of {', '.join(KINDS)}")
    rng = np.random.default_rng([KINDS.index(kind), seed])
    while True:
        picture = worn(rng, _DRAW[kind](rng))
        # Cut to an empty part, it would be of no kind; only a pattern may be one colour.
        if kind == "pattern" or np.asarray(picture.resize((64, 64))).std() > 3:
            return picture


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 8, side: int = 160) -> Image.Image:
    """An RGB picture of all ``pictures`` in rows, each in a square of ``side`` pixels, whole."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), (120, 120, 120))
    for index, picture in enumerate(pictures):
        small = ImageOps.contain(picture.convert("RGB"), (side - 4, side - 4))
        sheet.paste(small, (index % columns * side + 2, index // columns * side + 2))
    return sheet
