"""Photo -> pixels: the only place that opens photos, and that knows about size, mean and standard deviation."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
import os
import re
import stat
import threading
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sightline.errors import SightlineError, raising_bare
from sightline.images import formats
from sightline.images.colour import declared_depth, reduced, to_eight_bits, to_rgb
from sightline.images.source import ImageSource

Photo: TypeAlias = (
    str
    | os.PathLike[str]
    | ImageSource
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | Image.Image
    | NDArray[np.generic]
)

# Pillow's and libtiff's remarks name no photo, and what matters of them ends in an error that does. Whoever has asked
# Python for Pillow's warnings or log goes on getting them: this filter is the last one, and this handler does nothing.
warnings.filterwarnings("ignore", module=r"PIL\.|sightline\.preprocess", append=True)
logging.getLogger("PIL").addHandler(logging.NullHandler())

# A photo of more pixels than this is decoded while no other such is, or a few threads would fill the memory; and no
# such photo, however dull, has this many pixels a byte: only a damaged header says so.
_LARGE = 20_000_000
_PIXELS_A_BYTE = 20_000
_decoding_large = threading.Lock()


def _after_fork() -> None:
    global _decoding_large
    _decoding_large = threading.Lock()  # a thread that the fork left behind may have held the other


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """How an encoder wants its photos; travels with its weights.

    Attributes:
        size: height and width in pixels to which every photo is resized, its aspect squashed.
        mean, std: per channel (R, G, B), of values in [0, 1].
        interpolation: one of `INTERPOLATIONS`, how it is resized.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation {self.interpolation!r} is none of {', '.join(INTERPOLATIONS)}")

    def as_dict(self) -> dict[str, object]:
        """Plain values for a configuration file, `from_dict` reads them back."""
        # Models from before there was a choice record none, and are to be known again.
        return {key: value for key, value in asdict(self).items() if (key, value) != ("interpolation", "bicubic")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """What `as_dict` gave; raises KeyError, TypeError or ValueError where it is something else."""
        chosen = values.get("interpolation", cls.interpolation)
        return cls(values["size"], tuple(values["mean"]), tuple(values["std"]), chosen)


@raising_bare
def open_photo(photo: Photo, size: int | None = None) -> Image.Image:
    """Decode a photo into an upright 8-bit sRGB image.

    EXIF rotation is applied; embedded profiles, transparency and other ranges of values are dealt with as
    `sightline.images.colour.to_rgb` tells. ``size``, where given, lets large photos decode at a smaller scale, never
    under twice that many pixels a side.

    Args:
        photo: a path or another `sightline.images.source.Place`; an image file's bytes; a file opened in binary mode,
            which is read from its start; a PIL image; or an array (H, W), (H, W, 3) or (H, W, 4), uint8 or of any range
            that `sightline.images.colour.to_eight_bits` understands: bool, uint16, floats in [0, 1].
        size: the side in pixels that the photo will be resized to.

    Raises:
        SightlineError: the photo is missing, is no image, is of an unsupported kind, is truncated, has no pixels, or
            would decode to over 178 million of them. The error keeps nothing of the photo.
    """
    # What is held is given back when the error is gone, and with it what was decoded.
    with contextlib.ExitStack() as held:
        try:
            return _decode(photo, size, held)
        except SightlineError:
            raise
        except Exception as error:  # Pillow's readers raise whatever the damage leads them into
            message = f"{_name(photo)}: {_reason(error, photo)}"
    raise SightlineError(message)


@raising_bare
def preprocess(photo: Photo, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The photo as the encoder sees it: float32 ``(3, size, size)``, channels R, G, B, standardised.

    Raises what `open_photo` raises.
    """
    image = open_photo(photo, preprocessing.size)
    side = preprocessing.size
    if image.size != (side, side):
        image = image.resize((side, side), INTERPOLATIONS[preprocessing.interpolation], reducing_gap=3.0)
    mean = np.asarray(preprocessing.mean, np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, np.float32)[:, None, None]
    # In place, and channels first: five times as fast as one expression over (size, size, 3).
    pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
    pixels *= 1 / (255 * std)
    pixels -= mean / std
    return pixels


def is_blank(pixels: NDArray[np.float32], preprocessing: Preprocessing) -> bool:
    """Whether what `preprocess` gave is one colour all over, within two 255ths: nothing can be seen in it."""
    steps = 255 * np.asarray(preprocessing.std)
    # A few pixels tell of almost every photo that it is not, in a tenth of the time.
    step = max(1, preprocessing.size // 8)
    return all(
        bool((np.ptp(some.reshape(3, -1), axis=1) * steps).max() < 2.5) for some in (pixels[:, ::step, ::step], pixels)
    )


def _decode(photo: Photo, size: int | None, held: contextlib.ExitStack) -> Image.Image:
    if isinstance(photo, Image.Image):
        # The caller's: neither drafted, turned in place, nor closed.
        _refuse_empty(photo)
        image = photo
        with contextlib.suppress(Exception):
            image = ImageOps.exif_transpose(photo)
        image = to_rgb(image)
        return _plain(image.copy() if image is photo else image)
    with _open(photo) as image:
        _refuse_empty(image)
        _refuse_unsupported(image)
        # To ask for a smaller scale takes time, even where there is none.
        if size is not None and min(image.size) >= 4 * size:
            image.draft(None, (2 * size, 2 * size))  # type: ignore[arg-type]
        if large := image.width * image.height > _LARGE:
            held.enter_context(_decoding_large)
        depth = declared_depth(image)
        image.load()
        with contextlib.suppress(Exception):  # a broken orientation does not cost the photo
            ImageOps.exif_transpose(image, in_place=True)
        # Of a large photo, what follows would need the memory again.
        return _plain(to_rgb(reduced(image, size) if large else image, depth, size))


def _refuse_empty(image: Image.Image) -> None:
    if 0 in image.size:
        raise _Refused(f"it has no pixels: {image.width} x {image.height}")


def _refuse_unsupported(image: Image.Image) -> None:
    """Refuse what Pillow would open, but not decode, or only by starting another program."""
    if image.format == "EPS":
        raise _Refused(formats.DRAWING.refusal)
    if image.format == "TIFF" and (library := _libtiff()):
        from PIL import TiffImagePlugin

        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        compression = image.tag_v2.get(TiffImagePlugin.COMPRESSION, 1)
        if image.tile and image.tile[0][0] == "libtiff" and not library.TIFFIsCODECConfigured(compression):
            raise NotImplementedError(f"compression {image.info.get('compression')} is not supported")


def _plain(image: Image.Image) -> Image.Image:
    # A profile or a turn that was applied must not be applied again, by us or by whoever opens what was saved.
    image.info = {}
    return image


def _open(photo: Photo) -> Image.Image:
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    source = _source(photo)
    try:
        image = Image.open(source)
    except UnidentifiedImageError:
        if formats.recognise(_beginning(source)) is not formats.HEIC or not _register_heic():
            raise
        image = Image.open(source)
    bytes_there = source.getbuffer().nbytes if isinstance(source, io.BytesIO) else os.path.getsize(source)  # noqa: PTH202
    pixels = image.width * image.height
    if pixels > _LARGE and pixels > _PIXELS_A_BYTE * bytes_there:
        image.close()
        raise _Refused(f"damaged image ({bytes_there} bytes that claim to be {image.width} x {image.height} pixels)")
    return image


def _source(photo: object) -> str | io.BytesIO:
    """What Pillow is to open: a regular file's path, or bytes."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return io.BytesIO(photo)
    if isinstance(photo, (str, os.PathLike)):
        path = os.fsdecode(photo)
        # A pipe or a device would be waited for, maybe without end.
        if path and not stat.S_ISREG(mode := os.stat(path).st_mode):  # noqa: PTH116  (a name with a NUL raises here)
            raise IsADirectoryError if stat.S_ISDIR(mode) else _Refused("not a regular file, but a pipe or a device")
        return path
    if not callable(read := getattr(photo, "read", None)):
        raise SightlineError(
            "a photo is a path, an image file's bytes, an open file, a PIL image or an array; this is"
            f" {formats.with_article(type(photo).__name__)}"
        )
    if callable(seekable := getattr(photo, "seekable", None)) and seekable():
        photo.seek(0)  # type: ignore[attr-defined]
    if isinstance(data := read(), str):
        raise _Refused("opened as text; open it in binary mode, 'rb'")
    return io.BytesIO(data)


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    numbers = array.dtype.kind in "buif"
    if not numbers or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise SightlineError(
            "an array photo must hold numbers, (H, W), (H, W, 3) or (H, W, 4), such as uint8 or floats in [0, 1];"
            f" this one is {array.dtype} {array.shape}"
        )
    if not array.size:
        raise SightlineError(f"an array photo must have pixels; this one is {array.shape}")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return Image.fromarray(array if array.dtype == np.uint8 else to_eight_bits(array))


class _Refused(Exception):
    """A reason to refuse a photo that is told as it is."""


def _name(photo: object) -> str:
    name = photo if isinstance(photo, (str, os.PathLike)) else getattr(photo, "name", None)
    return os.fsdecode(name) if isinstance(name, (str, os.PathLike)) else "photo"


def _reason(error: Exception, photo: object) -> str:
    """What is wrong with a photo, from what was raised when it was opened."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file" if _name(photo) else "a photo whose name is empty"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a photo"
    if isinstance(error, UnidentifiedImageError):
        return _what_instead(photo)
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels to decode safely; scale the photo down first"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory; scale the photo down first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    said = _in_words(error)
    if "null byte" in said or "null character" in said:
        return "no file has such a name, with a NUL byte in it"
    return _damaged(error)


def _damaged(error: Exception) -> str:
    said = _in_words(error)
    # What is in none of a reader's tables was not foreseen by it.
    unforeseen = isinstance(error, (NotImplementedError, KeyError)) or isinstance(error.__cause__, KeyError)
    if unforeseen or _UNSUPPORTED.search(said):
        return f"an image of a kind that is not supported ({said}); save it as JPEG or PNG"
    return f"damaged or truncated image ({said})"


# How Pillow's readers say that they meet what they cannot do, rather than what cannot be.
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unimplemented|not implemented|cannot find loader|ghostscript|unknown (pixel|compression"
    r"|data|mode|raw)|not configured|not available",
    re.IGNORECASE,
)


def _in_words(error: Exception) -> str:
    said = " ".join(str(error).split())
    if re.fullmatch(r"decoder error -?\d+", said):
        return "its data cannot be decoded"
    told = isinstance(error, (OSError, SyntaxError, ValueError, NotImplementedError)) and error.__cause__ is None
    if told and said:
        return said
    return "its data make no sense"


def _what_instead(photo: object) -> str:
    """What a file is that Pillow cannot open, and why it cannot, where that can be told."""
    beginning = b""
    with contextlib.suppress(Exception):
        source = _source(photo)
        beginning = _beginning(source)
    if not beginning:
        return "an empty file"
    found = formats.recognise(beginning)
    if found is formats.HEIC and formats.heic_is_read():
        return "damaged or truncated HEIC photo"
    return found.refusal if found else _why_no_reader_took(source, beginning)


def _why_no_reader_took(source: str | io.BytesIO, beginning: bytes) -> str:
    # Image.open keeps to itself what the reader said that knew the file's first bytes.
    for reader, accepts in Image.OPEN.values():
        if accepts and accepts(beginning[:16].ljust(16, b"\0")) is True:
            try:
                with io.BytesIO(source.getvalue()) if isinstance(source, io.BytesIO) else open(source, "rb") as file:  # noqa: PTH123
                    reader(file, "")
            except Exception as error:
                return _damaged(error)
    return "not an image that can be read"


def _beginning(source: str | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:512]
    with open(source, "rb") as file:  # noqa: PTH123
        return file.read(512)


@functools.cache
def _register_heic() -> bool:
    """Let Pillow open HEIC photos, where pillow-heif is installed; whether it is."""
    if not formats.heic_is_read():
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


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
