"""What the service reads: which formats of photos, and the checks of an upload before it is opened."""

from __future__ import annotations

from sightline.serve.limits import Limits, Refused
from sightline.serve.upload import UploadedPhoto

# Pillow reads many more; some of its readers start other programs or were never meant for strangers' files.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def check_photo(photo: UploadedPhoto, limits: Limits) -> bytearray:
    """The photo's bytes, to be decoded as one of `FORMATS`.

    Raises:
        Refused: it is empty or has too many bytes.
    """
    if photo.too_large:
        raise Refused(413, "too_large", f"over {limits.photo_bytes:,} bytes; scale the photo down first")
    if not photo.content:
        raise Refused(422, "empty", "no bytes arrived")
    return photo.content
