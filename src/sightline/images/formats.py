"""Which files are photos, by name and first bytes; and why one cannot be opened, as a phrase with the way out."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, features

from sightline.errors import SightlineError

# What Pillow lists but cannot decode by itself, or what is no picture.
_NO_PHOTOS = frozenset({"BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})


@dataclass(frozen=True)
class UnsupportedFormat:
    """A kind of file that is not read: what one is called, e.g. ``"HEIC photo"``, and what to do, as an imperative."""

    name: str
    advice: str

    @property
    def refusal(self) -> str:
        """Why one of them is refused, e.g. ``"a video; save a frame of it as JPEG"``."""
        return f"{with_article(self.name)}; {self.advice}"


HEIC = UnsupportedFormat("HEIC photo", 'pip install "sightline[heif]" to read it')
RAW = UnsupportedFormat("camera raw file", "export it as JPEG")
JPEG_XL = UnsupportedFormat("JPEG XL photo", "save it as JPEG or PNG")
DRAWING = UnsupportedFormat("vector drawing", "save it as PNG")
PDF = UnsupportedFormat("PDF document", "save its pages as PNG")
VIDEO = UnsupportedFormat("video", "save a frame of it as JPEG")
WEB_PAGE = UnsupportedFormat("web page", "download the photo itself")
POINTER = UnsupportedFormat("Git LFS pointer", "fetch it with `git lfs pull`")
ARCHIVE = UnsupportedFormat("archive", "unpack it")

# Folders that systems and network drives keep beside a person's own, for copies, thumbnails and what was deleted.
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle", "#snapshot", "$recycle.bin"}
    | {"__macosx", "lost+found", "system volume information"}
)
_HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_RAW_SUFFIXES = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srf"
    " .srw .x3f"
)
_FOREIGN_SUFFIXES = {
    **dict.fromkeys(_HEIC_SUFFIXES, HEIC),
    **dict.fromkeys(_RAW_SUFFIXES.split(), RAW),
    **dict.fromkeys((".svg", ".svgz", ".eps", ".ai", ".wmf", ".emf"), DRAWING),
    ".jxl": JPEG_XL,
}

_BEGINNINGS = {
    RAW: (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"IIU\0", b"FOVb"),
    JPEG_XL: (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    DRAWING: (b"%!PS", b"\xc5\xd0\xd3\xc6", b"\xd7\xcd\xc6\x9a"),
    PDF: (b"%PDF",),
    VIDEO: (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3"),
    ARCHIVE: (b"PK\3\4", b"\x1f\x8b"),
    POINTER: (b"version https://git-lfs",),
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIGNATURES = {
    "PNG": (PNG_SIGNATURE,),
    "JPEG": (b"\xff\xd8\xff",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*"),
}
# In lower case, anywhere in the first lines of a text.
_MARKUP = {b"<svg": DRAWING, b"<!doctype html": WEB_PAGE, b"<html": WEB_PAGE}
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})

# How Pillow's readers word what they do not support, as opposed to damage.
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unimplemented|not implemented|cannot find loader|ghostscript|unknown (pixel|compression"
    r"|data|mode|raw)|not configured|not available",
    re.IGNORECASE,
)


def heic_is_read() -> bool:
    """Whether pillow-heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


# Asking about these does not load all of Pillow's readers.
_COMMON = frozenset({".jpeg", ".jpg", ".png"})


@functools.cache
def photo_suffixes() -> frozenset[str]:
    """Suffixes of the photos that can be read, in lower case, e.g. ``".jpg"``: what Pillow opens, as installed here.

    The first call loads all of Pillow's readers, which takes about a tenth of a second.
    """
    Image.init()
    parts = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000", "JPEG": "jpg"}
    absent = {name for name, part in parts.items() if not features.check(part)}
    opened = Image.OPEN.keys() - _NO_PHOTOS - absent
    suffixes = {suffix for suffix, kind in Image.EXTENSION.items() if kind in opened}
    return frozenset({*suffixes, ".mpo", *(_HEIC_SUFFIXES if heic_is_read() else ())})  # Pillow opens MPO as JPEG


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name has a photo's suffix; the file itself is not looked at."""
    suffix = _suffix(path)
    return suffix in _COMMON or suffix in photo_suffixes()


def is_hidden(path: str) -> bool:
    """Whether a name in a relative path is a hidden file's or a system's: ``._a.jpg``, ``.thumbnails``, ``@eaDir``."""
    names = path.split("/")
    return any((name.startswith(".") and name.strip(".")) or name.lower() in _SYSTEM_FOLDERS for name in names)


def unsupported_format(path: str | os.PathLike[str]) -> UnsupportedFormat | None:
    """The kind of a file by its suffix, if that is a kind of picture that cannot be read here; else None."""
    return None if is_photo(path) else _FOREIGN_SUFFIXES.get(_suffix(path))


def _suffix(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    dot = name.rfind(".")  # os.path.splitext takes three times as long
    return name[dot:].lower() if dot > 0 and name[dot - 1] != "/" else ""


def recognise(beginning: bytes) -> UnsupportedFormat | None:
    """The kind of a file by its first bytes (512 are enough), if they show one that Pillow cannot open; else None."""
    if beginning[4:8] == b"ftyp":
        brand = beginning[8:12]
        return HEIC if brand in _HEIC_BRANDS else RAW if brand == b"crx " else VIDEO
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"AVI ":
        return VIDEO
    kinds = (kind for kind, starts in _BEGINNINGS.items() if beginning.startswith(starts))
    text = beginning.lower()
    return next(kinds, None) or next((kind for tag, kind in _MARKUP.items() if tag in text), None)


def format_of(beginning: bytes) -> str | None:
    """Pillow's name of a usual photo format by its signature in the first 12 bytes; None for others."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "WEBP"
    if beginning[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return next((name for name, starts in _SIGNATURES.items() if beginning.startswith(starts)), None)


def with_article(name: str) -> str:
    """``"an archive"``, ``"a video"``."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


class UnreadablePhoto(Exception):
    """A reason not to open a photo; its message is passed on as it is."""


def identify(source: BinaryIO, formats: Sequence[str] | None) -> Image.Image:
    """The image in a file, its header read by the one reader of ``formats`` (None: all) that will decode it.

    Raises `UnreadablePhoto` where none of them takes it.
    """
    if _first_bytes(source).startswith(_BEGINNINGS[DRAWING]):  # which Pillow would read byte by byte
        raise UnreadablePhoto(_unidentified(source, formats))
    try:
        return _identify(source, formats)
    except UnidentifiedImageError:
        raise UnreadablePhoto(_unidentified(source, formats)) from None


def _identify(source: BinaryIO, formats: Sequence[str] | None) -> Image.Image:
    try:
        image = Image.open(source, formats=None if formats is None else list(formats))
    except Image.DecompressionBombError:
        # How many pixels it may have depends on how many are decoded, which its reader knows.
        images = (item for item in _read_headers(source, formats) if isinstance(item, Image.Image))
        if (large := next(images, None)) is None:
            raise
        return large
    except UnidentifiedImageError:
        allowed = formats is None or "HEIF" in formats
        if not allowed or recognise(_first_bytes(source)) is not HEIC or not _register_heic():
            raise
        return Image.open(source, formats=["HEIF"])
    _, accepts = Image.OPEN.get(image.format or "", (None, format_of))
    if accepts is None and (signed := format_of(_first_bytes(source))):
        # Readers of formats without a signature come before some with one, and may take a file of those for theirs: a
        # WebP photo with "PCD_" at byte 2048 is no Photo CD.
        with image:
            pass
        if formats is not None and signed not in formats:
            raise UnidentifiedImageError
        image = Image.open(source, formats=[signed])
    return image


@functools.cache
def _register_heic() -> bool:
    """Let Pillow open HEIC photos, if pillow-heif is installed; returns whether it is."""
    if not heic_is_read():
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def reason(error: Exception) -> str:
    """Why a photo cannot be read, as one phrase, from what was raised while it was opened or decoded."""
    if isinstance(error, (UnreadablePhoto, SightlineError)):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a photo"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory; scale the photo down first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if re.search("null (byte|character)", str(error)):
        return "no file has such a name, with a NUL byte in it"
    return _damaged_or_unsupported(error)


def _unidentified(source: BinaryIO, formats: Sequence[str] | None) -> str:
    """What a file is that Pillow's readers of ``formats`` (None: all) do not take, where its first bytes tell."""
    beginning = _first_bytes(source)
    if not beginning:
        return "an empty file"
    kind = recognise(beginning)
    if kind is HEIC and formats is not None:
        return f"{with_article(HEIC.name)}; save it as JPEG"  # who sent it can install nothing here
    if kind is HEIC and heic_is_read():
        return "damaged or truncated HEIC photo"
    if kind:
        return kind.refusal
    otherwise = f"not a photo that is read here: {', '.join(formats)}" if formats else "not an image that can be read"
    complaints = (item for item in _read_headers(source, formats) if isinstance(item, Exception))
    return next(map(_damaged_or_unsupported, complaints), otherwise)


def _first_bytes(source: BinaryIO) -> bytes:
    source.seek(0)
    return source.read(512)


def size_of(source: BinaryIO) -> int:
    """The size in bytes; the position is left where it was, which a JPEG's reader goes on from."""
    position = source.tell()
    size = source.seek(0, io.SEEK_END)
    source.seek(position)
    return size


def _damaged_or_unsupported(error: Exception) -> str:
    message = _message(error)
    # A NotImplementedError, or a KeyError in a table of the reader, is a kind of file that the reader does not know.
    unknown_kind = isinstance(error, (NotImplementedError, KeyError)) or isinstance(error.__cause__, KeyError)
    if unknown_kind or _UNSUPPORTED.search(message):
        return f"an image of a kind that is not supported ({message}); save it as JPEG or PNG"
    return f"damaged or truncated image ({message})"


def _message(error: Exception) -> str:
    """The exception's message, or another phrase where it was not written for people."""
    message = " ".join(str(error).split())
    if re.fullmatch(r"decoder error -?\d+", message):
        return "its data cannot be decoded"
    worded = isinstance(error, (OSError, SyntaxError, ValueError, NotImplementedError)) and error.__cause__ is None
    return message if worded and message else "its data make no sense"


def _read_headers(source: BinaryIO, formats: Sequence[str] | None) -> Iterator[Image.Image | Exception]:
    """What the readers return or raise that recognise the first bytes."""
    beginning = _first_bytes(source)[:16].ljust(16, b"\0")
    for name in Image.OPEN if formats is None else formats:
        reader, accepts = Image.OPEN[name]
        if accepts and accepts(beginning) is True:
            try:
                source.seek(0)
                yield reader(source, "")
            except Exception as error:
                yield error
