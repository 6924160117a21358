"""Checks of a photo before it is decoded."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from sightline.serve.limits import Limits, Refused
from sightline.serve.upload import UploadedPhoto

# Pillow reads many more; some of their readers start other programs or were never meant for strangers' files.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def check_photo(photo: UploadedPhoto, limits: Limits) -> bytes:
    """The photo's bytes, ready to be captioned; only its header has been read.

    Raises:
        Refused: it is empty, too large, of no format that is read here, or has too many pixels.
    """
    if photo.too_large:
        raise Refused(413, "too_large", f"over {limits.photo_bytes:,} bytes; scale the photo down first")
    if not photo.content:
        raise Refused(422, "empty", "no bytes arrived")
    content = bytes(photo.content)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise Refused(422, "unreadable", f"not a photo that is read here: {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise Refused(422, "too_many_pixels", f"over {limits.pixels:,} pixels; scale the photo down first") from None
    except Exception as error:  # Pillow's readers raise whatever the damage leads them into
        raise Refused(422, "unreadable", f"damaged image ({error})") from None
    if width * height > limits.pixels:
        raise Refused(422, "too_many_pixels", f"{width} x {height} is over {limits.pixels:,} pixels; scale it down")
    return content
