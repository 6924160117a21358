"""Pictures to open, and how two are compared, for the tests of decoding and of colours."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw


def four_corners() -> Image.Image:
    """Every corner another colour, so that no turning or mirroring goes unnoticed."""
    image = Image.new("RGB", (60, 40), (200, 200, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 29, 19), (250, 10, 10))
    draw.rectangle((30, 0, 59, 19), (10, 240, 10))
    draw.rectangle((0, 20, 29, 39), (10, 10, 230))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def assert_alike(image: Image.Image, expected: Image.Image, within: float = 3) -> None:
    assert (image.mode, image.size) == ("RGB", expected.size)
    difference = np.abs(np.asarray(image, float) - np.asarray(expected.convert("RGB"), float))
    assert difference.mean() <= within


SCENE = (np.linspace(20, 235, 96)[None] * np.linspace(0.4, 1, 64)[:, None]).astype(np.float64)  # as 8 bits show it


def tiff(values: np.ndarray, **tags: int) -> bytes:
    """A TIFF as other programs write it, of one uncompressed strip."""
    numbers = {"ImageWidth": (256, values.shape[1]), "ImageLength": (257, values.shape[0])}
    numbers |= {"BitsPerSample": (258, 8 * values.itemsize), "Compression": (259, 1), "Photometric": (262, 1)}
    numbers |= {
        "StripOffsets": (273, 8),
        "RowsPerStrip": (278, values.shape[0]),
        "StripByteCounts": (279, values.nbytes),
    }
    numbers |= {"SampleFormat": (339, {"u": 1, "i": 2, "f": 3}[values.dtype.kind])}
    entries = dict(numbers.values()) | {281: tags["MaxSampleValue"]} if tags else dict(numbers.values())
    order = ">" if values.dtype.byteorder == ">" else "<"
    directory = struct.pack(f"{order}H", len(entries))
    directory += b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8 + values.nbytes)
    return head + values.tobytes() + directory + b"\0\0\0\0"


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG of (H, W, channels), uint8 or uint16, with more chunks before its pixels."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(values.dtype.newbyteorder(">")))
    parts = (png_chunk(b"IHDR", head), *chunks, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
