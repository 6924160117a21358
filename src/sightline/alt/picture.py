"""Which photo of the site's own folder an image shows, and whether it is one to describe."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from PIL import Image

from sightline.alt.html import SMALL
from sightline.images.formats import is_photo
from sightline.preprocess import open_photo

# Folders from which generators of sites serve what is at the root: Hugo's, and those of frameworks in JavaScript.
_ROOTS = ("", "static", "public")
# A drawing, a diagram, a screenshot: this many colours fill over half of it. Noise and shading give a photo more.
_COLOURS, _FILLED = 8, 0.5
_SAMPLED = 96  # pixels a side that are looked at


def photo_of(reference: str, page: Path, site: Path) -> Path | str:
    """The file that a page's image shows; or why there is none, in a word.

    ``"elsewhere"``: an address, or outside the site's folder; ``"drawing"``: SVG and other files that are no photos;
    ``"absent"``: there is no such file. Nothing is fetched.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:|[/\\]{2}", reference):
        return "elsewhere"
    name = unquote(re.split(r"[?#]", reference, maxsplit=1)[0])
    if not is_photo(name):
        return "drawing" if name else "absent"
    places = [site / root / name.lstrip("/") for root in _ROOTS] if name.startswith("/") else [page.parent / name]
    real_site = os.path.realpath(site)
    for place in places:
        try:
            real = os.path.realpath(place)
            is_within = os.path.commonpath((real, real_site)) == real_site
        except ValueError:  # a character that no file's name has, or another drive
            return "absent"
        if not is_within:
            return "elsewhere"
        if os.path.isfile(real):  # noqa: PTH113  (a tenth of the time of a `Path`'s, for thousands)
            return Path(real)
    return "absent"


def kind_of(photo: bytes) -> str:
    """``"small"``: an icon, a logo, a pixel that counts visits; ``"drawing"``; or ``"photo"``.

    Raises:
        SightlineError: it cannot be read.
    """
    picture = open_photo(photo, _SAMPLED)  # decoded at a smaller scale, it still has twice as many pixels a side
    if min(picture.size) < SMALL:
        return "small"
    sampled = np.asarray(picture.resize((_SAMPLED, _SAMPLED), Image.Resampling.NEAREST)).reshape(-1, 3)
    numbers = sampled.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    counts = np.sort(np.unique(numbers, return_counts=True)[1])
    return "drawing" if counts[-_COLOURS:].sum() > _FILLED * len(numbers) else "photo"
