"""Photo -> pixels: decode a photo, then resize and standardise it for an encoder. Nothing else opens photos."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
import math
import os
import stat
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sightline.errors import SightlineError
from sightline.images.bounds import (
    CountedFile,
    check_work,
    counted,
    has_one_scan,
    jpeg_2000_levels,
    takes_long,
    without_large_metadata,
)
from sightline.images.coded_colours import coded_profile
from sightline.images.colour import declared_depth, reduced, to_eight_bits, to_rgb
from sightline.images.formats import DRAWING, PNG_SIGNATURE, UnreadablePhoto, identify, reason, size_of, with_article
from sightline.images.low_bytes import add_low_bytes, low_tiles
from sightline.images.source import ImageSource
from sightline.images.tiff_pages import go_to_photo

_File: TypeAlias = str | os.PathLike[str] | ImageSource | bytes | bytearray | memoryview | IO[bytes]
Photo: TypeAlias = _File | Image.Image | NDArray[np.generic]

# Photos of more pixels than this are decoded one at a time, as several threads would need too much memory; and a header
# that claims more than this many pixels per byte of the file is taken for damaged.
_LARGE = 20_000_000
_PIXELS_A_BYTE = 20_000
_REDUCED = 8  # how many times the limit of pixels a photo may have that is decoded at a smaller scale; all are read
_MISSING = 0.1  # the greatest part of a JPEG that may be missing at its end
_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
_FRAMES = 32  # the most that are looked at if the first is blank
_COMPRESSION = 259  # TIFF's tag
# One lock per process: a forked child must not wait for a lock that a thread of its parent held.
_decoding_large: dict[int, threading.Lock] = {}

INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """How photos are prepared for an encoder; saved with its weights.

    Attributes:
        size: height and width in pixels to which every photo is resized, whatever its aspect ratio.
        mean, std: per channel (R, G, B), of values in [0, 1].
        interpolation: one of `INTERPOLATIONS`.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation {self.interpolation!r} is none of {', '.join(INTERPOLATIONS)}")

    def as_dict(self) -> dict[str, object]:
        """Plain values for a configuration file, which `from_dict` reads."""
        # Models made when there was no other interpolation do not record it, and compare these values with theirs.
        return {key: value for key, value in asdict(self).items() if (key, value) != ("interpolation", "bicubic")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read what `as_dict` gave; raises KeyError, TypeError or ValueError if it is something else."""
        interpolation = values.get("interpolation", cls.interpolation)
        return cls(values["size"], tuple(values["mean"]), tuple(values["std"]), interpolation)


class TooManyPixels(SightlineError):
    """A photo with more pixels than its caller allows, or than can be decoded safely."""


def open_photo(
    photo: Photo, size: int | None = None, *, formats: Sequence[str] | None = None, max_pixels: int | None = None
) -> Image.Image:
    """Decode a photo into an upright 8-bit sRGB image.

    EXIF rotation is applied; embedded profiles, transparency and other ranges of values are dealt with as
    `sightline.images.colour.to_rgb` says.

    Args:
        photo: a path or a `sightline.images.source.ImageSource`; an image file's bytes; a file opened in binary mode,
            which is read from its start; a PIL image; or an array (H, W), (H, W, 3) or (H, W, 4), uint8 or of any range
            that `sightline.images.colour.to_eight_bits` understands: bool, uint16, floats in [0, 1].
        size: the side in pixels that the photo will be resized to; large photos may then be decoded at a smaller scale,
            never under ``2 * size`` a side.
        formats: the image formats that are read, as Pillow names them (``"JPEG"``); by default all that it has. The
            header is read once, and the reader that read it decodes the photo.
        max_pixels: the most pixels that are decoded, by the header, before anything is; a photo that ``size`` lets be
            decoded at a smaller scale may have eight times as many. By default twice ``PIL.Image.MAX_IMAGE_PIXELS``,
            178 million, which TIFF, WebP and animations may never exceed: see `allow_pixels`.

    Returns:
        The picture; ``info["note"]`` is there if a person should know something: up to a tenth of a JPEG is missing at
        its end, or an animation begins blank, of which another frame is taken.

    Raises:
        TooManyPixels: it has more than ``max_pixels``.
        SightlineError: the photo is missing, is no image, is of none of ``formats``, is truncated, or has no pixels.
            Neither error keeps anything that was decoded alive.
    """
    # The traceback of what is raised within holds the decoded pixels. So a new error is raised, and the lock on large
    # photos, which `opened` holds, is released after the first one is gone.
    with contextlib.ExitStack() as opened:
        try:
            return _decode(photo, size, formats, max_pixels, opened)
        except Exception as error:  # Pillow's readers raise whatever the damage leads them into
            failure = _failure(error, photo)
    del photo
    try:
        raise failure
    finally:
        del failure  # else the error would hold this frame, and the frame the error


def preprocess(photo: Photo, preprocessing: Preprocessing, **limits: Any) -> NDArray[np.float32]:
    """The photo as the encoder sees it: float32 ``(3, size, size)``, channels R, G, B, standardised.

    ``limits`` (``formats``, ``max_pixels``), and what is raised, as with `open_photo`.
    """
    return preprocess_with_note(photo, preprocessing, **limits)[0]


def preprocess_with_note(photo: Photo, preprocessing: Preprocessing, **limits: Any) -> tuple[NDArray[np.float32], str]:
    """What `preprocess` returns, and `open_photo`'s note; usually empty."""
    image, note = open_resized(photo, preprocessing, **limits)
    mean = np.asarray(preprocessing.mean, np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, np.float32)[:, None, None]
    # In place, and channels first: five times as fast as one expression over (size, size, 3).
    pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
    pixels *= 1 / (255 * std)
    pixels -= mean / std
    return pixels, note


def open_resized(photo: Photo, preprocessing: Preprocessing, **limits: Any) -> tuple[Image.Image, str]:
    """`open_photo`'s picture in the size that the encoder takes, of which `preprocess` makes the same; and its note."""
    image = open_photo(photo, preprocessing.size, **limits)
    note = image.info.get("note", "")
    side = preprocessing.size
    if image.size != (side, side):
        image = image.resize((side, side), INTERPOLATIONS[preprocessing.interpolation], reducing_gap=3.0)
    return image, note


def is_costly(photo: Photo, formats: Sequence[str] | None = None, max_pixels: float = math.inf) -> bool:
    """Whether a photo takes several times as long to decode as to caption, by its header.

    False if it is unreadable, or of so many pixels that it is refused.
    """
    with contextlib.ExitStack() as opened, contextlib.suppress(Exception), _open(photo, formats, opened) as image:
        limit = max_pixels * (_REDUCED if image.format in ("JPEG", "MPO", "JPEG2000") else 1)
        return image.width * image.height <= limit and takes_long(image)
    return False


def is_blank(pixels: NDArray[np.float32], preprocessing: Preprocessing) -> bool:
    """Whether the result of `preprocess` is one colour all over, within two 255ths."""
    steps = 255 * np.asarray(preprocessing.std)
    # For almost every photo, a few pixels suffice to see that it is not, in a tenth of the time.
    step = max(1, preprocessing.size // 8)
    return all(
        bool((np.ptp(some.reshape(3, -1), axis=1) * steps).max() < 2.5) for some in (pixels[:, ::step, ::step], pixels)
    )


def _decode(
    photo: Photo, size: int | None, formats: Sequence[str] | None, max_pixels: int | None, opened: contextlib.ExitStack
) -> Image.Image:
    """`open_photo`, raising whatever it meets; files and locks are left to ``opened``."""
    if isinstance(photo, Image.Image):
        # The caller's own image is neither drafted, nor turned in place, nor closed.
        _check_size(photo.size, photo.width * photo.height, max_pixels or math.inf)
        image = photo
        with contextlib.suppress(Exception):
            image = ImageOps.exif_transpose(photo)
        image = to_rgb(image)
        return _without_info(image.copy() if image is photo else image)
    with _open(photo, formats, opened) as image:
        limit = max_pixels or (2 * (Image.MAX_IMAGE_PIXELS or math.inf) if image.format else math.inf)
        page_note = go_to_photo(image, limit) if image.format == "TIFF" else ""
        whole = image.size
        _check_size(whole, _draft(image, size, limit), limit)
        _check_codec(image)
        check_work(image)
        if image.width * image.height > _LARGE // 10:  # else glibc keeps it for each thread
            opened.callback(give_memory_back)
        if large := image.width * image.height > _LARGE:
            opened.enter_context(_decoding_large.setdefault(os.getpid(), threading.Lock()))
        depth, low, file = declared_depth(image), low_tiles(image), getattr(image, "fp", None)
        note = _load(image) or page_note
        if low and file:
            add_low_bytes(image, lambda: _again(image, file, limit), low, depth)
        with contextlib.suppress(Exception):  # a broken orientation does not cost the photo
            ImageOps.exif_transpose(image, in_place=True)
        # A large photo is reduced first: the conversions would need its memory again.
        picture = to_rgb(reduced(image, size) if large else image, depth, size)
        if image.format in _ANIMATED and _spread(picture) <= 2:
            picture, note = _visible_frame(image, picture, size) or (picture, note)
        return _without_info(picture, note)


def _again(image: Image.Image, file: Any, limit: float) -> Image.Image:
    """The same picture of a file once more, not loaded."""
    again = identify(file, [image.format or ""])
    if again.format == "TIFF":
        go_to_photo(again, limit)
    return again


def _draft(image: Any, size: int | None, limit: float) -> int:
    """Have a large photo decoded at a smaller scale, where its format can; returns how many pixels need memory then."""
    width, height = image.size
    # Asking for a smaller scale takes time, even where there is none.
    if size is None or min(width, height) < 4 * size:
        return width * height
    if image.format == "JPEG2000":
        if width * height > limit:  # Pillow fails at some sizes: no other photo is to meet that
            image.reduce = min((min(width, height) // (2 * size)).bit_length() - 1, jpeg_2000_levels(image.fp))
            return width * height >> 2 * image.reduce
        return width * height
    image.draft(None, (2 * size, 2 * size))
    # Of a JPEG of several scans, the decoder holds all that it has read.
    needs_all = image.format in ("JPEG", "MPO") and not has_one_scan(image)
    return width * height if needs_all else image.width * image.height


def _load(image: Image.Image) -> str:
    """Decode an opened image; returns a note if something of it is missing."""
    try:
        image.load()
        return ""
    except OSError as error:
        if image.format not in ("JPEG", "MPO") or "truncated" not in str(error):
            raise
        return _load_truncated(image, error)


def _load_truncated(image: Any, error: OSError) -> str:
    """Decode what there is of a JPEG that ends early; raises ``error`` if more than a tenth is missing."""
    image.fp.seek(0)
    image.fp = counted(image.fp.read() + b"\xff\xd9")  # the decoder fills the rest with grey
    image.load()
    pixels = np.asarray(image)
    grey = (pixels == 128).reshape(*pixels.shape[:2], -1).all(axis=2)
    complete = len(grey) - int(np.append(~grey[::-1, -1], True).argmax())  # the rows that reach the right edge
    missing = float(grey[complete:].sum() / grey.size)
    if missing > _MISSING:
        raise error
    return "the file ends early" + (
        f": the last {max(1, round(100 * missing))}% of the photo is missing" * bool(missing)
    )


def _spread(picture: Image.Image) -> float:
    """How much of a picture is to be seen: the standard deviation of some of its pixels' values; 0 for a blank one."""
    # An array of the whole picture would take a third of a PNG's time.
    sample = picture.resize((128, 128), Image.Resampling.NEAREST)
    return float(np.asarray(sample).std(axis=(0, 1)).max())


def _visible_frame(image: Image.Image, first: Image.Image, size: int | None) -> tuple[Image.Image, str] | None:
    """Of an animation whose first frame is blank, the next frame that shows most, and a note; None if none does."""
    best, most, shown = 0, 2.0, first
    frames = min(_FRAMES, _LARGE // (image.width * image.height))
    with contextlib.suppress(Exception):  # the last frame, or damage
        for frame in range(1, frames + 1):
            image.seek(frame)
            image.load()
            picture = to_rgb(image, None, size)
            if (spread := _spread(picture)) > most:
                best, most, shown = frame, spread, picture.copy()
    return (shown, f"an animation that begins blank: the caption is of frame {best + 1}") if best else None


def _check_size(size: tuple[int, int], decoded: int, limit: float) -> None:
    """Refuse a photo of no or too many pixels; ``decoded``: how many of them need memory."""
    width, height = size
    if not width * height:
        raise UnreadablePhoto(f"it has no pixels: {width} x {height}")
    pixels = max(decoded, math.ceil(width * height / _REDUCED))
    if pixels > limit:
        raise TooManyPixels(
            f"{width:,} x {height:,} pixels are over the limit of {limit:,}; scale the photo down, or allow them by"
            f" --max-megapixels {math.ceil(pixels / 1e6)}"
        )


def _check_codec(image: Image.Image) -> None:
    """Refuse what Pillow would open, but not decode, or only by starting another program."""
    if image.format == "EPS":
        raise UnreadablePhoto(DRAWING.refusal)
    if image.format == "TIFF" and (library := _libtiff()):
        tiles, tags = image.tile, image.tag_v2  # type: ignore[attr-defined]
        if tiles and tiles[0][0] == "libtiff" and not library.TIFFIsCODECConfigured(tags.get(_COMPRESSION, 1)):
            raise NotImplementedError(f"compression {image.info.get('compression')} is not supported")


def _without_info(image: Image.Image, note: str = "") -> Image.Image:
    # A profile or rotation that was applied must not be applied again, here or by whoever opens the saved image.
    image.info = {"note": note} if note else {}
    return image


def _open(photo: Photo, formats: Sequence[str] | None, opened: contextlib.ExitStack) -> Image.Image:
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    source = _source(photo, opened)
    profile = None
    if source.read(8) == PNG_SIGNATURE:
        source, profile = without_large_metadata(source)
    image = identify(source, formats)
    if profile:
        image.info["icc_profile"] = profile
    if (profile := coded_profile(image, source)) is not None:
        image.info["icc_profile"] = profile
    pixels = image.width * image.height
    if pixels > _LARGE and pixels > _PIXELS_A_BYTE * (size := size_of(source)):
        raise UnreadablePhoto(f"damaged image ({size} bytes that claim to be {image.width} x {image.height} pixels)")
    return image


def _source(photo: object, opened: contextlib.ExitStack) -> CountedFile:
    """What Pillow is to open: a regular file, or a file in memory."""
    if isinstance(photo, bytes):
        return counted(photo)
    if isinstance(photo, (bytearray, memoryview)):
        return counted(opened.enter_context(_MemoryFile(photo)))
    if isinstance(photo, (str, os.PathLike)):
        path = os.fsdecode(photo)
        if not path:
            raise UnreadablePhoto("a photo whose name is empty")
        # A pipe or a device would be waited for, maybe without end. (A name with a NUL raises here.)
        mode = os.stat(path).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise UnreadablePhoto("not a regular file, but a pipe or a device")
        return counted(opened.enter_context(io.FileIO(path)))
    if not callable(read := getattr(photo, "read", None)):
        raise SightlineError(
            "a photo is a path, an image file's bytes, an open file, a PIL image or an array; this is"
            f" {with_article(type(photo).__name__)}"
        )
    if callable(seekable := getattr(photo, "seekable", None)) and seekable():
        photo.seek(0)  # type: ignore[attr-defined]
    if isinstance(data := read(), str):
        raise UnreadablePhoto("opened as text; open it in binary mode, 'rb'")
    return counted(bytes(data))


class _MemoryFile(io.RawIOBase):
    """A file over a buffer that may be large and is not copied; `io.BytesIO` copies all but bytes."""

    def __init__(self, data: bytearray | memoryview) -> None:
        self._view, self._at = memoryview(data).cast("B"), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, len(self._view))[whence])
        return self._at

    def readinto(self, target: Any) -> int:
        part = self._view[self._at : self._at + len(target)]
        target[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._view.release()  # a bytearray cannot grow or shrink while it is read
        super().close()


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise SightlineError(
            "an array photo must hold numbers, (H, W), (H, W, 3) or (H, W, 4), such as uint8 or floats in [0, 1];"
            f" this one is {array.dtype} {array.shape}"
        )
    if not array.size:
        raise SightlineError(f"an array photo must have pixels; this one is {array.shape}")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return Image.fromarray(array if array.dtype == np.uint8 else to_eight_bits(array))


def _failure(error: Exception, photo: object) -> SightlineError:
    if isinstance(error, SightlineError) and not isinstance(error, TooManyPixels):
        return SightlineError(str(error))
    name = photo if isinstance(photo, (str, os.PathLike)) else getattr(photo, "name", None)
    name = os.fsdecode(name) if isinstance(name, (str, os.PathLike)) else "photo"
    if isinstance(error, Image.DecompressionBombError):  # from within a reader
        limit = f"over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, twice PIL.Image.MAX_IMAGE_PIXELS"
        return TooManyPixels(f"{name}: {limit}; scale the photo down, or allow more by --max-megapixels")
    return (TooManyPixels if isinstance(error, TooManyPixels) else SightlineError)(f"{name}: {reason(error)}")


def silence_pillow() -> None:
    """Drop Pillow's warnings and log in this process, for a program that reports unreadable photos itself, by name.

    Warning filters are the whole process's, and no thread's own, so the library does not touch them: `sightline`, the
    command, calls this. Filters and log handlers that were set before go on working.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    logging.getLogger("PIL").addHandler(logging.NullHandler())


def allow_pixels(max_pixels: int) -> None:
    """Let Pillow's readers go as far as ``max_pixels`` in this process: some keep to Pillow's own limit, which is half.

    It is the process's, so that the library does not touch it either.
    """
    Image.MAX_IMAGE_PIXELS = math.ceil(max_pixels / 2)


def give_memory_back() -> None:
    """Hand freed memory back to the system, which glibc keeps for each thread; after large photos that is much."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library, another system
        ctypes.CDLL(None).malloc_trim(0)


@functools.cache
def _libtiff() -> ctypes.CDLL | None:
    """The libtiff that Pillow is linked to, silenced; it would print its complaints on stderr. None if not found."""
    try:
        library = ctypes.CDLL(Image.core.__file__)
        library.TIFFSetErrorHandler.argtypes = [ctypes.c_void_p]
        library.TIFFSetErrorHandler(None)
    except (OSError, AttributeError):
        return None
    return library
