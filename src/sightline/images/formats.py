"""Which files are photos, and what would help with those that are none that can be read."""

from __future__ import annotations

import functools
import importlib.util
import os
from dataclasses import dataclass

# What Pillow knows by name but cannot decode by itself, or what is no picture.
_NO_PHOTOS = frozenset({"BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"})
# Suffixes of formats that Pillow opens as a kind of another one.
_KINDS_OF_JPEG = frozenset({".mpo"})


@dataclass(frozen=True)
class UnsupportedFormat:
    """A kind of file that is not read here.

    Attributes:
        name: what one of them is called, e.g. ``"HEIC photo"``; more are this and an ``s``.
        advice: what would help, as an order.
    """

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
    b"FUJIFILMCCD-RAW": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"IIU\0": RAW,
    b"FOVb": RAW,
    b"\xff\x0a": JPEG_XL,
    b"\0\0\0\x0cJXL ": JPEG_XL,
    b"%!PS": DRAWING,
    b"\xc5\xd0\xd3\xc6": DRAWING,
    b"\xd7\xcd\xc6\x9a": DRAWING,
    b"%PDF": PDF,
    b"\x1aE\xdf\xa3": VIDEO,
    b"\0\0\x01\xba": VIDEO,
    b"\0\0\x01\xb3": VIDEO,
    b"PK\3\4": ARCHIVE,
    b"\x1f\x8b": ARCHIVE,
    b"version https://git-lfs": POINTER,
}
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
# In lower case, anywhere in the first lines of a text.
_MARKUP = {b"<svg": DRAWING, b"<!doctype html": WEB_PAGE, b"<html": WEB_PAGE}
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})


def heic_is_read() -> bool:
    """Whether pillow-heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


@functools.cache
def photo_suffixes() -> frozenset[str]:
    """Suffixes of the photos that can be read, in lower case, e.g. ``".jpg"``: what Pillow opens, as installed here.

    The first call loads all of Pillow's readers, which takes about a tenth of a second.
    """
    from PIL import Image, features

    Image.init()
    absent = {
        name
        for name, part in {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000", "JPEG": "jpg"}.items()
        if not features.check(part)
    }
    opened = Image.OPEN.keys() - _NO_PHOTOS - absent
    found = {suffix for suffix, kind in Image.EXTENSION.items() if kind in opened}
    return frozenset(found | _KINDS_OF_JPEG | (_HEIC_SUFFIXES if heic_is_read() else set()))


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a photo that can be read; the file itself is not looked at."""
    return _suffix(path) in photo_suffixes()


def unsupported_format(path: str | os.PathLike[str]) -> UnsupportedFormat | None:
    """What a file is by its name, where that is a kind of picture that cannot be read here; else None."""
    return None if is_photo(path) else _FOREIGN_SUFFIXES.get(_suffix(path))


def recognise(beginning: bytes) -> UnsupportedFormat | None:
    """What a file is by its first bytes (512 are enough), where they tell; None for whatever Pillow opens."""
    if beginning[4:8] == b"ftyp":
        brand = beginning[8:12]
        return HEIC if brand in _HEIC_BRANDS else RAW if brand == b"crx " else VIDEO
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"AVI ":
        return VIDEO
    kinds = (kind for start, kind in _BEGINNINGS.items() if beginning.startswith(start))
    text = beginning.lower()
    return next(kinds, None) or next((kind for mark, kind in _MARKUP.items() if mark in text), None)


def format_of(beginning: bytes) -> str | None:
    """Pillow's name of a usual photo format by its signature in the first bytes (12 are enough); None for others."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "WEBP"
    if beginning[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return next((name for signature, name in _SIGNATURES.items() if beginning.startswith(signature)), None)


def with_article(name: str) -> str:
    """``"an archive"``, ``"a video"``."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _suffix(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    dot = name.rfind(".")  # os.path.splitext takes three times as long
    return name[dot:].lower() if dot > 0 and name[dot - 1] != "/" else ""
