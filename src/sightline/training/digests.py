"""The SHA-256 of photos' bytes, each taken once and remembered for as long as the photo's place, size and time stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.images.source import ImageSource

_BYTES = 32  # of a SHA-256
_TOGETHER = 64  # photos that a thread reads before it asks for more: to ask takes as long as to read a small one


class Digests:
    """Digests remembered in one file, which all encoders' features share.

    A row is the SHA-256 of a place's stamp, then that of its bytes. Rows are only added: half a row, as an interruption
    leaves it, is written over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, photos: Sequence[ImageSource], pool: ThreadPoolExecutor) -> list[str]:
        """The digests in hexadecimal; of photos that are known, nothing but size and time is looked at.

        Raises:
            SightlineError: a photo cannot be read.
        """
        stamps = np.array([_or_refused(photo, _stamp) for photo in photos], f"S{_BYTES}")
        known = self._known()
        order = np.argsort(known[:, 0], kind="stable")
        place = np.searchsorted(known[:, 0], stamps, sorter=order)
        row = order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(len(stamps), np.int64)
        there = known[row, 0] == stamps if len(order) else np.zeros(len(stamps), bool)
        digests = np.zeros(len(stamps), f"S{_BYTES}")
        digests[there] = known[row[there], 1]
        new = np.flatnonzero(~there)
        several = [new[start : start + _TOGETHER].tolist() for start in range(0, len(new), _TOGETHER)]
        parts = pool.map(lambda part: [_or_refused(photos[index], _content) for index in part], several)
        digests[new] = list(chain.from_iterable(parts))
        self._add(np.stack([stamps[new], digests[new]], axis=1))
        # Not by the array's own items: they lose zero bytes at their ends.
        return [bytes(row).hex() for row in digests.view(np.uint8).reshape(-1, _BYTES)]

    def _known(self) -> NDArray[np.bytes_]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        whole = len(content) // (2 * _BYTES)
        return np.frombuffer(content, f"S{_BYTES}", 2 * whole).reshape(whole, 2)

    def _add(self, rows: NDArray[np.bytes_]) -> None:
        if not len(rows):
            return
        with FileLock(f"{self.path}.lock"), self.path.open("ab") as file:
            file.truncate(file.tell() - file.tell() % (2 * _BYTES))
            file.write(rows.tobytes())


def _stamp(photo: ImageSource) -> bytes:
    return hashlib.sha256(photo.stamp().encode(errors="surrogatepass")).digest()


def _content(photo: ImageSource) -> bytes:
    return hashlib.sha256(photo.read()).digest()


def _or_refused(photo: ImageSource, digest: Callable[[ImageSource], bytes]) -> bytes:
    try:
        return digest(photo)
    except OSError as error:
        raise SightlineError(
            f"{photo.name}: cannot be read ({error.strerror}); `sightline data check` finds such photos"
        ) from None
