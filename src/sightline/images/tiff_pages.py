"""Which picture of a TIFF is the photo: not a thumbnail before it, and maybe one in a SubIFD."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

_ORIENTATION, _KIND, _OLD_KIND, _SUB_IFDS = 274, 254, 255, 330
_PAGES = 32  # the most that are looked at
_THUMBNAIL = 512  # the longest side of what is taken for one though nothing says so
_LARGER = 4  # times as many pixels make a picture the photo of which another is a smaller copy


class _Picture(NamedTuple):
    offset: int
    width: int
    height: int
    is_reduced: bool

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def is_copy_of(self, other: _Picture) -> bool:
        """Whether both have the same aspect ratio, within a twentieth."""
        return abs(self.width * other.height / (self.height * other.width) - 1) < 0.05


def go_to_photo(image: Any, limit: float) -> str:
    """Make the photo the current picture of a TIFF that is not loaded; returns a note where that is a guess.

    What is marked as reduced is a thumbnail. Unmarked, the first picture counts, unless another has four times as many
    pixels, and the first the same aspect ratio or a thumbnail's size. Over ``limit`` pixels, a smaller copy counts.
    """
    if not image.is_animated and _SUB_IFDS not in image.tag_v2:
        return ""
    orientation = image.tag_v2.get(_ORIENTATION)
    pictures = _pictures(image)
    first = best = pictures[0]
    if first.is_reduced:
        best = max(pictures, key=lambda picture: (not picture.is_reduced, picture.pixels))
    elif larger := [other for other in pictures[1:] if not other.is_reduced and _is_thumbnail(first, other)]:
        best = max(larger, key=lambda picture: picture.pixels)
    note = (
        ""
        if first.is_reduced or best is first
        else "a TIFF that begins with a thumbnail: the caption is of a larger page"
    )
    if best.pixels > limit:
        copies = [other for other in pictures if other.pixels <= limit and other.is_copy_of(best)]
        best = max(copies, key=lambda picture: picture.pixels, default=best)
    _go(image, best.offset)
    if orientation and _ORIENTATION not in image.tag_v2:
        image.getexif()[_ORIENTATION] = orientation
    return note


def _is_thumbnail(first: _Picture, other: _Picture) -> bool:
    is_small = max(first.width, first.height) <= _THUMBNAIL or first.is_copy_of(other)
    return is_small and other.pixels >= _LARGER * first.pixels


def _pictures(image: Any) -> list[_Picture]:
    """Those that Pillow can decode, of the first pages and of their SubIFDs; at least the first page."""
    below = _offsets_below(image)
    for page in range(1, _PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        except Exception:  # of a kind that Pillow does not know, or damaged
            continue
        below += _offsets_below(image)
    pictures: dict[int, _Picture] = {}
    for offset in (*image._frame_pos[:_PAGES], *below[:_PAGES]):
        with contextlib.suppress(Exception):
            _go(image, offset)
            is_reduced = bool(image.tag_v2.get(_KIND, 0) & 1) or image.tag_v2.get(_OLD_KIND) == 2
            pictures[offset] = _Picture(offset, image.width, image.height, is_reduced)
    return list(pictures.values())


def _offsets_below(image: Any) -> list[int]:
    offsets = image.tag_v2.get(_SUB_IFDS, ())
    return list(offsets) if isinstance(offsets, tuple) else [offsets]


def _go(image: Any, offset: int) -> None:
    image._frame_pos[:] = [offset]
    image._seek(0)
