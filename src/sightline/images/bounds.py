"""How much work a photo may ask for: files that count what is read of them, and what a JPEG's decoder would do."""

from __future__ import annotations

import contextlib
import io
import re
import zlib
from typing import Any, TypeAlias

from PIL import Image

from sightline.images.formats import UnreadablePhoto

# Pillow's readers take chunks, segments, directories and frames one by one, with a few reads each. Usual photos ask for
# some hundred reads; their data come in pieces of thousands of bytes. These many take a fraction of a second.
_READS = 50_000
_BYTES_A_READ = 32
_EXIF_SEGMENTS = 8  # of 64 kB: a directory in more of them may name its megabytes once for each of 65,535 tags
_BYTES = 1 << 32

# Usual progressive JPEGs have 10 or so scans. Every scan passes over all pixels, whatever it says about them.
_SCANS = 32
_SCANNED_PIXELS = 1_000_000_000
_COSTLY_PIXELS, _COSTLY_SCANNED = 4_000_000, 60_000_000  # a tenth of a second, ten times what captioning takes
_READS_IN_PYTHON = 8_000_000  # of decoders that read byte by byte, such as QOI's; seconds

_TEXT, _PROFILE, _TEXTS = 1 << 20, 1 << 24, 64  # the most bytes of a PNG's text and profile, and how many are read


class _Counted:
    """Refuses to be read in too many pieces, or too often."""

    _reads, _bytes, _exif = 0, 0, 0
    max_reads = _READS

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = super().read(size)  # type: ignore[misc]
        self._reads += 1
        self._bytes += len(data)
        self._exif += data[:6] == b"Exif\0\0"
        if self._reads > self.max_reads or self._bytes > _BYTES or self._exif > _EXIF_SEGMENTS:
            raise UnreadablePhoto(
                "made of so many parts (chunks, segments, directories or frames) that it takes too long to read;"
                " save it anew as JPEG or PNG"
            )
        return data


class _CountedBytes(_Counted, io.BytesIO):
    """A file in memory."""


class _CountedReader(_Counted, io.BufferedReader):
    """A file on the disk, or over a buffer."""


CountedFile: TypeAlias = _CountedBytes | _CountedReader


def counted(data: bytes | io.RawIOBase) -> CountedFile:
    """The file that Pillow is to open instead; reading it raises `UnreadablePhoto` once it takes too long."""
    file: CountedFile = _CountedBytes(data) if isinstance(data, bytes) else _CountedReader(data, 65536)
    file.max_reads = _READS + file.seek(0, io.SEEK_END) // _BYTES_A_READ
    file.seek(0)
    return file


def check_work(image: Any) -> None:
    """Raise `UnreadablePhoto` where an opened JPEG has so many scans that it would take too long to decode."""
    tiles = getattr(image, "tile", None)
    if tiles and tiles[0][0] in Image.DECODERS and isinstance(image.fp, _Counted):
        image.fp.max_reads = max(image.fp.max_reads, _READS_IN_PYTHON)
    if image.format in ("JPEG", "MPO") and not has_one_scan(image) and _scans_are_many(image, _SCANNED_PIXELS, _SCANS):
        raise UnreadablePhoto("a progressive JPEG of so many scans that it takes too long to decode; save it anew")


def takes_long(image: Any) -> bool:
    """Whether an opened image takes several times as long to decode as to caption."""
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        return pixels > _COSTLY_SCANNED or (not has_one_scan(image) and _scans_are_many(image, _COSTLY_SCANNED))
    return pixels > _COSTLY_PIXELS or any(tile[0] in Image.DECODERS for tile in image.tile[:1])


def has_one_scan(image: Any) -> bool:
    """Whether a JPEG is decoded in one pass, row by row, without memory for the whole picture."""
    if "progressive" in image.info or image.fp is None:
        return False
    # Pillow stops behind the first scan's header. All channels are in it, or there are others.
    channels = len(image.layer)
    after = image.fp.tell()
    if after < 6 + 2 * channels:  # of several pictures in one file, MPO
        return False
    image.fp.seek(after - 6 - 2 * channels)
    head = image.fp.read(3)
    image.fp.seek(after)
    return head == bytes((0, 6 + 2 * channels, channels))


def _scans_are_many(image: Any, scanned_pixels: int, usual: int = 1) -> bool:
    pixels = image.width * image.height
    limit = max(usual, scanned_pixels // (pixels + 10_000))
    after, scans, last = image.fp.tell(), 1, b""
    while scans <= limit and (data := image.fp.read(1 << 20)):
        scans += data.count(b"\xff\xda") + (last + data[:1] == b"\xff\xda")
        last = data[-1:]
    image.fp.seek(after)
    return scans > limit


def jpeg_2000_levels(file: Any) -> int:
    """How many times a JPEG 2000 may be halved while it is decoded, by its COD segment."""
    position = file.tell()
    file.seek(0)
    segment = re.search(rb"\xff\x52.{7}(.)", file.read(1 << 16), re.DOTALL)
    file.seek(position)
    return segment[1][0] if segment else 0


def without_large_metadata(file: CountedFile) -> tuple[CountedFile, bytes | None]:
    """A PNG without the texts and profiles for which Pillow would refuse it or unpack megabytes; its profile, if large.

    Pillow's own limit on them is the whole process's.
    """
    kept, start, texts, profile = bytearray(), 0, 0, None
    end = 8
    file.seek(end)
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        at, end = end, end + 12 + int.from_bytes(head[:4], "big")
        if head[4:] in (b"iCCP", b"zTXt", b"iTXt"):
            texts += 1
            unpacked = _unpacked(head[4:], file.read(end - at - 12)) if texts <= _TEXTS else None
            if unpacked is None or len(unpacked) >= _TEXT:
                profile = unpacked if head[4:] == b"iCCP" and profile is None else profile
                file.seek(start)
                kept += file.read(at - start)
                start = end
        file.seek(end)
    file.seek(start)
    if not start:
        return file, None
    return counted(bytes(kept + file.read())), profile


def _unpacked(kind: bytes, content: bytes) -> bytes | None:
    """A text's or profile's bytes, up to a limit; None where they are more."""
    packed = content.partition(b"\0")[2]
    if kind == b"iTXt":
        if packed[:1] == b"\0":
            return content
        packed = packed[1:].split(b"\0", 2)[-1]  # behind the language and the translated keyword
    unpacker = zlib.decompressobj()
    with contextlib.suppress(zlib.error):
        content = unpacker.decompress(packed[1:], _PROFILE if kind == b"iCCP" else _TEXT)
    return None if unpacker.unconsumed_tail else content
