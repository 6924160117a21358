"""A caption's attention, or its evidence, as one image: the photo, then a tile a word."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.explain.emphasis import SHADE, TINT, emphasis
from sightline.images.fonts import font_file, usual_fonts
from sightline.preprocess import Photo, open_photo
from sightline.scripts import characters, is_right_to_left, is_unspaced

PAPER, INK, MUTED = (251, 250, 248), (28, 27, 26), (112, 108, 103)

_SHEET_ASPECT = 1.5
_log = logging.getLogger(__name__)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_Text = tuple[str, tuple[int, int, int], Font]


def draw_attention(photo: Photo, caption: Caption, tile_size: int = 240, font: str | Path | None = None) -> Image.Image:
    """A contact sheet: the sentence, the photo, and for every word the photo lit where the model looked.

    If the caption has evidence, the photo is lit by what each word rests on instead. Above each tile are its word and
    the word's probability. The attention, which the encoder computed on the photo resized to a square, is stretched
    back over it.

    Args:
        photo: what `sightline.preprocess.open_photo` opens; the photo that ``caption`` is about.
        tile_size: side in pixels of a square photo's tile; other aspect ratios get the same area.
        font: a TrueType or OpenType file; None for an installed font that has all letters of the caption. If none has,
            a warning is logged.

    Returns an RGB image of T + 1 tiles, from right to left if the sentence is. Raises `SightlineError` if the photo or
    the font cannot be read.
    """
    picture = open_photo(photo, tile_size)
    picture = picture.resize(_tile(picture.size, tile_size), Image.Resampling.LANCZOS)
    sheet = _Sheet(picture.size, len(caption.words) + 1, tile_size, is_right_to_left(caption.text))
    title_font, word_font, small_font = (_load_font(font, sheet.unit * size, caption.text) for size in (1.7, 1.1, 0.8))
    title = _wrap(caption.text, title_font, sheet.width - 2 * sheet.margin)
    canvas = Image.new("RGB", (sheet.width, sheet.height(len(title))), PAPER)
    draw = ImageDraw.Draw(canvas)
    for line, text in enumerate(title):
        draw.text(sheet.title_baseline(line), text, INK, title_font, anchor="rs" if sheet.from_right else "ls")

    corners = sheet.cell_corners(len(title))
    corner = next(corners)
    shown = "attention" if caption.evidence is None else "evidence"
    sheet.label(draw, corner, ("photo", MUTED, small_font), (shown, MUTED, small_font))
    canvas.paste(picture, sheet.tile_corner(corner))
    lights = emphasis(caption)
    for word, log_prob, light, corner in zip(caption.words, caption.log_probs, lights, corners, strict=True):
        probability = f"{math.exp(log_prob):.0%}"
        room = sheet.cell - round(small_font.getlength(probability)) - sheet.gap
        sheet.label(draw, corner, (_shorten(word, word_font, room), INK, word_font), (probability, MUTED, small_font))
        canvas.paste(overlay(picture, light), sheet.tile_corner(corner))
    return canvas


def overlay(photo: Image.Image, light: NDArray[np.float32]) -> Image.Image:
    """The photo with one word's emphasis, float32 ``(h, w)`` in [0, 1], over it: dimmed at 0, warmly tinted at 1."""
    smooth = np.asarray(Image.fromarray(light).resize(photo.size, Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    shade, tint = (np.array([*color[:3], 255], np.float32) * color[3] for color in (SHADE, TINT))
    layer = shade + (tint - shade) * smooth
    pixels = np.asarray(photo, np.float32) * (1 - layer[..., 3:] / 255) + layer[..., :3]
    return Image.fromarray(pixels.round().astype(np.uint8))


class _Sheet:
    """The layout: lengths in pixels, type and spaces in multiples of ``unit``; mirrored if read ``from_right``."""

    def __init__(self, tile: tuple[int, int], tiles: int, tile_size: int, from_right: bool) -> None:
        def badness(columns: int) -> float:  # least for a landscape page with few empty cells
            rows = math.ceil(tiles / columns)
            aspect = columns * max(tile[0], 0.53 * tile_size) / (rows * (tile[1] + 0.15 * tile_size))
            return abs(math.log(aspect / _SHEET_ASPECT)) + (rows * columns - tiles) / tiles

        self.tile, self.tiles, self.from_right = tile, tiles, from_right
        self.columns = min(range(1, tiles + 1), key=badness)
        self.unit = unit = max(1, round(tile_size / 15))
        self.margin = 2 * unit
        self.gap = round(0.55 * unit)  # between a tile and the word above it
        self.cell = max(tile[0], 8 * unit)  # width of a column: a very tall photo's tile is narrower than its word
        self.pitch = self.cell + round(1.25 * unit), tile[1] + round(2.75 * unit)  # from corner to corner of two tiles
        self.width = 2 * self.margin + (self.columns - 1) * self.pitch[0] + self.cell

    def height(self, title_lines: int) -> int:
        rows = math.ceil(self.tiles / self.columns)
        return self._top(title_lines) + (rows - 1) * self.pitch[1] + self.tile[1] + self.margin

    def title_baseline(self, line: int) -> tuple[int, int]:
        x = self.width - self.margin if self.from_right else self.margin
        return x, self.margin + round((1.3 + 2.2 * line) * self.unit)

    def cell_corners(self, title_lines: int) -> Iterator[tuple[int, int]]:
        """The top left corner of every tile's cell."""
        for index in range(self.tiles):
            row, column = divmod(index, self.columns)
            column = self.columns - 1 - column if self.from_right else column
            yield self.margin + column * self.pitch[0], self._top(title_lines) + row * self.pitch[1]

    def tile_corner(self, corner: tuple[int, int]) -> tuple[int, int]:
        """The top left corner of the tile within a cell."""
        return corner[0] + (self.cell - self.tile[0]) * self.from_right, corner[1]

    def label(self, draw: ImageDraw.ImageDraw, corner: tuple[int, int], first: _Text, last: _Text) -> None:
        """Write above a cell's tile, at the start and at the end of the line."""
        x, y = corner[0], corner[1] - self.gap
        left, right = (last, first) if self.from_right else (first, last)
        draw.text((x, y), *left, anchor="ls")
        draw.text((x + self.cell, y), *right, anchor="rs")

    def _top(self, title_lines: int) -> int:
        return self.title_baseline(title_lines - 1)[1] + 3 * self.unit


def _tile(size: tuple[int, int], tile_size: int) -> tuple[int, int]:
    """The photo's aspect ratio at the area of a square tile, no side longer than two tiles."""
    width, height = size
    scale = min(tile_size / math.sqrt(width * height), 2 * tile_size / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _load_font(font: str | Path | None, size: float, text: str) -> Font:
    if font is not None:
        try:
            return ImageFont.truetype(str(font), size)
        except OSError as error:
            raise SightlineError(f"{font}: not a readable font ({error}); give a .ttf or .otf file") from None
    name = None
    if not text.isascii() and not (name := font_file(text)):
        _warn_of_missing_letters()
        name = next(iter(usual_fonts()), None)
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def _warn_of_missing_letters() -> None:
    _log.warning("sightline: no installed font has all letters of these captions; name one: --font FILE.ttf")


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """The text in lines of at most ``width`` pixels; at least one line."""
    lines = [""]
    for word in text.split():
        # In scripts without spaces, a line may end after any character.
        for index, part in enumerate(characters(word) if is_unspaced(word) else [word]):
            longer = f"{lines[-1]}{'' if index else ' '}{part}".lstrip()
            if lines[-1] and font.getlength(longer) > width:
                lines.append(part)
            else:
                lines[-1] = longer
    return [_shorten(line, font, width) for line in lines]


def _shorten(text: str, font: Font, width: int) -> str:
    """The text, its end replaced by an ellipsis if it is wider than ``width`` pixels."""
    shown, kept = text, len(text)
    while kept and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[:kept]}…"
    return shown
