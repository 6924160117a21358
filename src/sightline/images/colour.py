"""A decoded picture of any kind -> 8-bit sRGB: profiles, ranges of values, transparency."""

from __future__ import annotations

import functools
import io
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from sightline.images.coded_colours import png_chunks

if TYPE_CHECKING:
    from PIL import ImageCms

_SAME = 4  # a profile that differs by this or less from sRGB, in 255ths and on any colour, is taken for sRGB
# The depths in bits that values are assumed to have, where no depth is declared.
_DEPTHS = (1, 4, 8, 10, 12, 14, 16, 24, 31, 32)
_DARK = (64, 64, 64)


def to_rgb(image: Image.Image, depth: int | None = None, size: int | None = None) -> Image.Image:
    """The loaded picture as 8-bit sRGB, mode ``"RGB"``; maybe ``image`` itself, which is not changed.

    A profile that cannot be used is ignored. Values of more than 8 bits are converted by `to_eight_bits`. Transparent
    pictures are laid over white or, if their opaque part is white, over dark grey; of a picture that is transparent all
    over, the transparency is ignored.

    Args:
        image: any mode.
        depth: the file's `declared_depth`.
        size: the side that the picture will be scaled down to, so that a profile is applied to fewer pixels.
    """
    profile = image.info.get("icc_profile")
    if image.mode[0] in "IF":
        image = Image.fromarray(to_eight_bits(_values(image), depth))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _lay(_managed(image.convert("RGBA"), profile, size))
    image = _managed(image, profile, size)
    return image if image.mode == "RGB" else image.convert("RGB")


def to_eight_bits(values: NDArray[Any], depth: int | None = None) -> NDArray[np.uint8]:
    """Values of any real dtype and range as 0 to 255, in an array of the same shape.

    Black is 0. White is ``2**depth - 1`` where a ``depth`` is given and no value exceeds it, otherwise the least of 1,
    255 and the maxima of other usual depths that nearly all values lie below. Where some lie below zero, the least is
    black and the greatest white. A few outliers, infinities and NaN are ignored.
    """
    values = values.astype(np.float32)
    low, high = _bulk(values)
    if low < -0.05 * abs(high):
        black, white = low, max(high, low + 1e-6 * abs(low), np.nextafter(low, np.inf))
    else:
        black, white = 0.0, float(2**depth - 1) if depth and high < 2**depth else _white(values, high)
    np.nan_to_num(values, copy=False, nan=black, posinf=white, neginf=black)
    values -= black
    values *= 255 / (white - black)
    return values.clip(0, 255).round().astype(np.uint8)


def _white(values: NDArray[np.float32], high: float) -> float:
    # A sharpened photo in [0, 1] passes 1 here and there; one of 4 bits has whole numbers alone.
    sample = values.ravel()[:: 1 + values.size // 10_000]
    if high <= 1 or (high <= 2 and (sample != sample.round()).any()):
        return 1.0
    white = next((2.0**depth - 1 for depth in _DEPTHS if high <= 2**depth - 1), high)
    # Above 16 bits, hardly any picture uses those that its values are stored in.
    return white if white <= 65535 or high > white / 8 else high


def _bulk(values: NDArray[np.float32]) -> tuple[float, float]:
    """The least and the greatest value, without a thousandth (of small pictures, eight values) at both ends."""
    sample = values.ravel()[:: 1 + values.size // 500_000]
    sample = np.sort(sample[np.isfinite(sample)])
    if not sample.size:
        return 0.0, 0.0
    few = min(max(8, sample.size // 1000), (sample.size - 1) // 20)
    return float(sample[few]), float(sample[-1 - few])


def declared_depth(image: Image.Image) -> int | None:
    """The bits of a file's values by TIFF's BitsPerSample and MaxSampleValue or PNG's sBIT, if fewer than are stored.

    To be called before the image is loaded.
    """
    if image.format == "PNG":
        return _significant_bits(file) if (file := getattr(image, "fp", None)) else None
    tags = getattr(image, "tag_v2", {})
    bits, largest = (_only(tags.get(tag)) for tag in (258, 281))
    if isinstance(largest, int) and 255 < largest < 65535 and largest & (largest + 1) == 0:
        return largest.bit_length()
    return bits if isinstance(bits, int) and 8 < bits < 16 else None


def _significant_bits(file: IO[bytes]) -> int | None:
    position = file.tell()
    bits = next((content[0] for name, content in png_chunks(file) if name == b"sBIT" and content), None)
    file.seek(position)
    return bits


def _values(image: Image.Image) -> NDArray[Any]:
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    unsigned = image.mode == "I" and (_only(tags.get(258)), _only(tags.get(339))) == (32, 1)
    return values.view(np.uint32) if unsigned else values  # Pillow reads them as signed


def _only(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


def reduced(image: Image.Image, size: int | None) -> Image.Image:
    """The picture scaled down by a whole factor, to ``3 * size`` a side or more, where its mode permits it."""
    factor = 0 if size is None else min(image.size) // (3 * size)
    if factor < 2 or image.mode not in ("RGB", "RGBA", "L", "CMYK", "LAB", "I", "F"):
        return image
    small = image.reduce(factor)
    small.info = image.info
    return small


def _lay(image: Image.Image) -> Image.Image:
    if image.getchannel("A").getextrema()[1] <= 8:  # type: ignore[operator]
        return image.convert("RGB")
    step = 1 + max(image.size) // 512
    sample = np.asarray(image)[::step, ::step].reshape(-1, 4)
    alpha = sample[:, 3].astype(np.float64)
    coloured = alpha[sample[:, :3].min(axis=1) < 224].sum()
    ground = Image.new("RGBA", image.size, "white" if coloured >= 0.01 * alpha.sum() else _DARK)
    return Image.alpha_composite(ground, image).convert("RGB")


def _managed(image: Image.Image, profile: bytes | None, size: int | None) -> Image.Image:
    """The picture in sRGB, if its profile is another one that can be used; its transparency is kept."""
    if profile is None:
        return image
    space = _space(profile)
    if space == "RGB " and image.mode not in ("RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert("RGB")
    if space == "GRAY" and image.mode == "1":
        image = image.convert("L")
    if space == "GRAY" and image.mode == "RGBA" and _is_gray(image):
        alpha = image.getchannel("A")
        image = _managed(image.getchannel("R"), profile, None).convert("RGB")
        image.putalpha(alpha)
        return image
    if space != {"RGB": "RGB ", "RGBA": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}.get(image.mode):
        return image
    transform = _transform(profile, image.mode)
    return image if transform is None else transform.apply(reduced(image, size))


def _is_gray(image: Image.Image) -> bool:
    red, green, blue, *_ = image.split()
    return not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox())


@functools.lru_cache(maxsize=32)
def _space(profile: bytes) -> str:
    """A profile's colour space, e.g. ``"RGB "``; empty where it cannot be read."""
    from PIL import ImageCms

    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space
    except Exception:  # LittleCMS's complaint about damage comes as one class or another
        return ""


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None where that changes nothing or is impossible. Threads may share it."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE
        modes = mode, "RGBA" if mode == "RGBA" else "RGB"
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.ImageCmsTransform(source, target, *modes, intent, flags=flags)
        return None if mode in ("RGB", "RGBA", "L") and _changes_nothing(transform, mode) else transform
    except Exception:  # as above
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 18, 3)
    before = Image.fromarray(colours).convert(mode)
    after = np.asarray(transform.apply(before).convert("RGB"), int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"), int)).max() <= _SAME)
