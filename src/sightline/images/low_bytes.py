"""Colour of 8 to 14 bits that is stored in 16: of each value Pillow keeps the high byte, which is nearly black then.

Its decoders take the one byte or the other, by the byte order that they are told, so that two passes give both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image, ImageChops

_DEPTHS = (8, 10, 12, 14)  # in bits; where none is declared, the least that nearly all values fit in
_STRIP = 256  # rows at once


def low_tiles(image: Any) -> list[Any]:
    """How the low bytes of an image are decoded that is not loaded yet; empty unless it has colours of 16 bits.

    Where Pillow's own way is wrong or loses more than the low bytes, the image is told another one.
    """
    tiles = getattr(image, "tile", [])
    for number, tile in enumerate(tiles):
        if tile.codec_name == "ppm" and tile.args == ("RGB", 65535):
            tiles[number] = tile._replace(codec_name="raw", args=("RGB;16B", 0, 1))
        elif image.format == "TIFF" and tile.codec_name == "raw" and _is_plane(image, tile):
            tiles[number] = tile._replace(args=(f"{tile.args[0]};16{_order(image)}", *tile.args[1:]))
    swapped = [_swapped(tile) for tile in tiles]
    return [] if None in swapped else swapped


def add_low_bytes(image: Any, again: Callable[[], Any], tiles: list[Any], depth: int | None) -> None:
    """Bring a loaded image with colours of fewer bits than 16 to the brightness that they mean, in place.

    Args:
        again: opens the same picture once more.
        tiles: its `low_tiles`.
        depth: the bits that the file declares; trusted where nearly all values fit in.
    """
    counts = image.histogram()
    bands = [counts[at : at + 256] for at in range(0, len(counts), 256)]
    shifts = [_shift([sum(band) for band in zip(*bands[:3], strict=True)], depth)] * 3
    if not shifts[0]:
        return
    shifts += [_shift(band, depth) for band in bands[3:]]  # opacity
    low = again()
    low.tile = tiles
    low.load()
    if isinstance(tiles[0].args, str) and tiles[0].args == "RGBA":  # of gray and opacity: high, low, high, low
        low = Image.merge("RGBA", [low.getchannel(band) for band in "GGGA"])
    up = [min(255, value << shift) for shift in shifts for value in range(256)]
    down = [value >> 8 - shift for shift in shifts for value in range(256)]
    for top in range(0, image.height, _STRIP):
        box = (0, top, image.width, min(top + _STRIP, image.height))
        image.paste(ImageChops.add(image.crop(box).point(up), low.crop(box).point(down)), box)


def _shift(counts: Sequence[int], depth: int | None) -> int:
    """By how many bits high bytes, of which there are so many each, are too low; a thousandth may be outliers."""
    outliers, high = sum(counts) // 1000, 255
    while high and counts[high] <= outliers:
        outliers -= counts[high]
        high -= 1
    if depth and 8 <= depth <= 16 and high < 1 << depth - 8:
        return 16 - depth
    return next((16 - bits for bits in _DEPTHS if high < 1 << bits - 8), 0)


def _swapped(tile: Any) -> Any:
    """The tile as it is decoded with the other byte of each value; None if that is none of a colour of 16 bits."""
    mode, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    if mode == "LA;16B":
        return tile._replace(args="RGBA")
    name, _, order = str(mode).partition(";16")
    if name not in ("RGB", "RGBX", "RGBA", "R", "G", "B") or order not in ("B", "L", "N"):
        return None
    if order == "N":
        order = "L" if sys.byteorder == "little" else "B"
    mode = f"{name};16{'L' if order == 'B' else 'B'}"
    return tile._replace(args=(mode, *rest) if isinstance(tile.args, tuple) else mode)


def _is_plane(image: Any, tile: Any) -> bool:
    """Whether a tile holds one channel of 16 bits, which Pillow takes for one of 8."""
    return tile.args[0] in ("R", "G", "B") and set(image.tag_v2.get(258, ())) == {16}


def _order(image: Any) -> str:
    return "L" if image.tag_v2.prefix == b"II" else "B"
