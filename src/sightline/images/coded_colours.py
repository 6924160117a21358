"""Colours that a file tells by numbers -> an ICC profile: AVIF's and HEIC's nclx, PNG's cICP, gAMA and cHRM.

The numbers of nclx and cICP are those of ITU-T H.273. Of high dynamic range (PQ, HLG), diffuse white, at 203 cd/m2 as
ITU-R BT.2408 has it, becomes white; what is brighter is clipped.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Values: TypeAlias = NDArray[np.float64]
_Points: TypeAlias = tuple[float, ...]  # x and y of white, red, green and blue

_D65, _D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
_SRGB: _Points = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_SMPTE: _Points = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_BT2020: _Points = (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
_PRIMARIES: dict[int, _Points] = {
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _SMPTE,
    7: _SMPTE,
    9: _BT2020,
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
# A power, or a name; all others, such as BT.709's, are shown as sRGB's is.
_CURVES: dict[int, float | str] = {4: 2.2, 5: 2.8, 8: 1.0, 16: "PQ", 17: 2.6, 18: "HLG"}
_WHITE = 203  # cd/m2
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_STEPS = 4096  # of a curve


def coded_profile(image: Any, file: IO[bytes]) -> bytes | None:
    """The ICC profile of the colours that an opened image's file tells by numbers; None if it tells none, or sRGB's.

    Where the file has a profile, that counts, unless a PNG has cICP; that of sRGB is an empty profile.
    """
    if image.format not in ("PNG", "AVIF", "HEIF"):
        return None
    position = file.tell()
    try:
        return _png_profile(image, file) if image.format == "PNG" else _nclx_profile(image, file)
    finally:
        file.seek(position)


def _png_profile(image: Any, file: IO[bytes]) -> bytes | None:
    is_gray = image.mode[0] in "1LI"
    coded = next((content for name, content in png_chunks(file) if name == b"cICP"), b"")
    if coded[2:] == b"\0\1":  # red, green and blue, of full range
        return _coded(coded[0], coded[1], is_gray) or b""
    gamma, points = image.info.get("gamma", 0), image.info.get("chromaticity", _SRGB)
    if "icc_profile" in image.info or "srgb" in image.info or gamma < 0:
        return None
    # 1 / 2.2 is what is written for sRGB, beside its own chunk or instead.
    is_usual = abs(gamma - 1 / 2.2) < 0.01 and np.abs(np.subtract(points, _SRGB)).max() < 2e-3
    return _profile("sRGB" if is_usual or not gamma else 1 / gamma, points, is_gray)


def _nclx_profile(image: Any, file: IO[bytes]) -> bytes | None:
    if "icc_profile" in image.info:
        return None
    is_gray = image.mode == "L"
    if nclx := image.info.get("nclx_profile"):  # of pillow-heif
        return _coded(nclx["color_primaries"], nclx["transfer_characteristics"], is_gray)
    file.seek(0)
    box = re.search(rb"colrnclx(..)(..)", file.read(1 << 16), re.DOTALL)
    return _coded(int.from_bytes(box[1], "big"), int.from_bytes(box[2], "big"), is_gray) if box else None


def png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of a PNG's small chunks before its pixels; of larger ones, the first bytes."""
    at = 8
    while file.seek(at) and len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        size = int.from_bytes(head[:4], "big")
        yield head[4:], file.read(min(size, 64))
        at += 12 + size


def _coded(primaries: int, transfer: int, is_gray: bool) -> bytes | None:
    curve = _CURVES.get(transfer, "sRGB")
    usual = _BT2020 if curve in ("PQ", "HLG") else _SRGB
    return _profile(curve, _SRGB if primaries == 1 else _PRIMARIES.get(primaries, usual), is_gray)


@functools.lru_cache(maxsize=32)
def _profile(curve: float | str, points: _Points, is_gray: bool) -> bytes | None:
    if curve == "sRGB" and (is_gray or np.abs(np.subtract(points, _SRGB)).max() < 2e-3):
        return None
    levels = (_light(curve, np.linspace(0, 1, _STEPS)).clip(0, 1) * 65535).round().astype(">u2")
    content = b"curv" + struct.pack(">II", 0, _STEPS) + levels.tobytes()
    if is_gray:
        return _icc(b"GRAY", {b"kTRC": content})
    try:
        with np.errstate(all="raise"):
            places = _adapted(np.reshape(points, (4, 2)))
        colours = {name + b"XYZ": _place(*place) for name, place in zip((b"r", b"g", b"b"), places.T, strict=True)}
    except (np.linalg.LinAlgError, FloatingPointError, struct.error):  # no colours can lie so
        return None
    return _icc(b"RGB ", colours | {name + b"TRC": content for name in (b"r", b"g", b"b")})


def _light(curve: float | str, values: _Values) -> _Values:
    """Stored values in [0, 1] -> light; white is 1."""
    if curve == "PQ":  # SMPTE ST 2084
        powers = values ** (32 / 2523)
        light = np.maximum(powers - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * powers)
        return 10_000 / _WHITE * light ** (8192 / 1305)
    if curve == "HLG":  # ITU-R BT.2100, on a display of 1000 cd/m2
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
        return 1000 / _WHITE * scene**1.2
    if curve == "sRGB":
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return values ** float(curve)


def _adapted(points: _Values) -> _Values:
    """x and y of white and three colours -> (3, 3), the colours' XYZ as columns, seen under D50 (by Bradford)."""
    white, *colours = ([x / y, 1, (1 - x - y) / y] for x, y in points)
    columns = np.transpose(colours)
    columns = columns * np.linalg.solve(columns, white)
    scale = np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white))
    return np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ columns


def _place(*xyz: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in xyz))


def _icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\2x\0" + bytes(78), b"cprt": b"text\0\0\0\0x\0", b"wtpt": _place(*_D50)} | tags
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytes(4) + bytes((2, 64, 0, 0)) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += _place(*_D50)[8:] + bytes(48)
    return struct.pack(">I", 4 + len(head) + len(table) + len(body)) + head + table + body
