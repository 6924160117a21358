"""The feature cache: a frozen encoder's annotation vectors, and the SHA-256 of photos by which they are found."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from io import FileIO
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.model_folder import naming_write_errors
from sightline.nn.encoder import Encoder, fused
from sightline.plugins import is_own
from sightline.preprocess import Preprocessing, preprocess
from sightline.training.data import unreadable_told
from sightline.training.distributed import SINGLE, Ranks

# Few photos at a time: the activations of larger batches leave the processor's caches, and encoding slows to a half.
_BATCH = 8

_NAME_BYTES = 65  # a SHA-256 in hexadecimal digits, and the end of its line
_DIGEST_BYTES = 32  # of a SHA-256
_PLAIN = (bool, int, float, str, tuple)  # attributes that options become
_PHOTOS_A_TASK = 64  # that a thread reads before it takes more: taking a task costs as much as reading a small photo


class FeatureCache:
    """Rows of float16 annotation vectors ``(L, D)``, one for each distinct photo content.

    A cache folder belongs to one encoder with one set of weights and one preprocessing: its name is a fingerprint of
    all three. A row belongs to the SHA-256 of a photo's bytes, which are read for it once, see `Digests`. So other
    weights and changed photos never meet a stale row. Rows are appended to ``rows.f16`` and only then named in
    ``rows.sha256``: what an interruption or a full disk leaves unnamed is written over by the next run, and what was
    named before stays.

    Raises `SightlineError` where no folder can be made in ``root``.
    """

    def __init__(self, root: Path, encoder: Encoder) -> None:
        self.encoder = encoder
        self.shape = (encoder.grid[0] * encoder.grid[1], encoder.feature_size)
        self.row_bytes = 2 * self.shape[0] * self.shape[1]
        self.folder = root / fingerprint(encoder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"no features can be kept there ({error.strerror})"
            raise SightlineError(f"{self.folder}: {reason}; name another --cache") from None
        self._names = self.folder / "rows.sha256"
        self._data = self.folder / "rows.f16"

    def rows(
        self,
        photos: Sequence[ImageSource],
        progress: Callable[[int, int], None] = lambda done, total: None,
        ranks: Ranks = SINGLE,
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """A read-only memory map of all rows (R, L, D), and for each photo its row, int64 (len(photos),).

        Photos that have no row yet are encoded first; ``progress(done, total)`` is told of these. The processes of one
        training, ``ranks``, all ask for the same photos, and encode a share each. Others may ask at once, but wait.
        Raises `SightlineError` where a photo cannot be read, or the cache cannot be written.
        """
        if not os.access(self.folder, os.W_OK):
            raise SightlineError(f"{self.folder}: this cache cannot be written to; name another --cache")
        lock = FileLock(self.folder / "lock") if ranks.is_rank_zero else nullcontext()
        threads = ThreadPoolExecutor(os.cpu_count())  # more of them get in each other's way where photos are small
        with naming_write_errors(self.folder), threads as pool, lock:
            digests = Digests(self.folder.parent / "photos.sha256").of(photos, pool)
            distinct = dict(zip(digests, photos, strict=True))
            for number, among in ranks.shares():
                known = self._known()
                ranks.meet()  # every process has looked at what is there before the first adds to it
                share = {digest: distinct[digest] for digest in list(distinct)[number::among] if digest not in known}
                total = len(distinct.keys() - known)
                new = iter(share)
                for block in self._encode(list(share.values()), pool):
                    with FileLock(self.folder / "writing"):
                        self._write(block, list(islice(new, len(block))))
                    progress(self._count() - len(known), total)
                    ranks.check()
                ranks.meet()
                if total:
                    progress(total, total)
            known = self._known()
        rows = np.memmap(self._data, np.float16, "r", shape=(len(known), *self.shape))
        return rows, np.array([known[digest] for digest in digests], np.int64)

    def has_room(self, photos: int) -> bool:
        """Whether so many photos' rows, were all of them new, would leave half of the disk's free space."""
        used = self._data.stat().st_size if self._data.exists() else 0
        return photos * self.row_bytes <= (shutil.disk_usage(self.folder).free + used) / 2

    def _known(self) -> dict[str, int]:
        whole = self._count()
        names = self._names.read_text().split("\n")[:whole] if whole else []
        return {name: row for row, name in enumerate(names)}

    def _count(self) -> int:
        """Whole rows that have whole names."""
        if not (self._names.exists() and self._data.exists()):
            return 0
        return min(self._data.stat().st_size // self.row_bytes, self._names.stat().st_size // _NAME_BYTES)

    def _write(self, block: NDArray[np.float16], digests: Sequence[str]) -> None:
        self._data.touch()
        self._names.touch()
        rows = self._count()
        # Unbuffered: what does not fit on the disk is not tried again when the files are closed.
        with self._data.open("r+b", buffering=0) as data, self._names.open("r+b", buffering=0) as names:
            for file, row_bytes in ((data, self.row_bytes), (names, _NAME_BYTES)):
                file.truncate(rows * row_bytes)
                file.seek(0, os.SEEK_END)
            _write_all(data, block.tobytes())
            _write_all(names, "".join(f"{digest}\n" for digest in digests).encode())

    @torch.inference_mode()
    def _encode(self, photos: Sequence[ImageSource], pool: ThreadPoolExecutor) -> Iterator[NDArray[np.float16]]:
        # Convolutions are quicker on channels that lie together.
        encoder = fused(self.encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        device = next(encoder.parameters()).device
        decoded = _decoded(pool, self.encoder.preprocessing, photos, 8 * _BATCH)
        while batch := list(islice(decoded, _BATCH)):
            pixels = torch.from_numpy(np.stack(batch)).to(device)
            yield encoder(pixels).to(torch.float16).cpu().numpy()


class Digests:
    """The SHA-256 of photos' bytes, taken once for as long as path, size and time of a photo stay the same.

    All encoders' caches share the file. A row is the SHA-256 of `ImageSource.stamp`, then that of the bytes. Rows are
    only appended; half a row, as an interruption leaves it, is overwritten.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, photos: Sequence[ImageSource], pool: ThreadPoolExecutor) -> list[str]:
        """The digests in hexadecimal. Raises `SightlineError` where a photo cannot be read."""
        stamps = np.array([_sha256(photo, content=False) for photo in photos], f"S{_DIGEST_BYTES}")
        known = self._known()
        order = np.argsort(known[:, 0], kind="stable")
        position = np.searchsorted(known[:, 0], stamps, sorter=order)
        row = order[np.minimum(position, len(order) - 1)] if len(order) else np.zeros(len(stamps), np.int64)
        is_known = known[row, 0] == stamps if len(order) else np.zeros(len(stamps), bool)
        digests = np.zeros(len(stamps), f"S{_DIGEST_BYTES}")
        digests[is_known] = known[row[is_known], 1]
        new = np.flatnonzero(~is_known)
        tasks = [new[start : start + _PHOTOS_A_TASK].tolist() for start in range(0, len(new), _PHOTOS_A_TASK)]
        parts = pool.map(lambda part: [_sha256(photos[index], content=True) for index in part], tasks)
        digests[new] = list(chain.from_iterable(parts))
        if len(new):
            with FileLock(f"{self.path}.lock"), self.path.open("ab") as file:
                file.truncate(file.tell() - file.tell() % (2 * _DIGEST_BYTES))
                file.write(np.stack([stamps[new], digests[new]], axis=1).tobytes())
        # Not by the array's items, which lose trailing zero bytes.
        return [bytes(row).hex() for row in digests.view(np.uint8).reshape(-1, _DIGEST_BYTES)]

    def _known(self) -> NDArray[np.bytes_]:
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = len(content) // (2 * _DIGEST_BYTES)
        return np.frombuffer(content, f"S{_DIGEST_BYTES}", 2 * whole).reshape(whole, 2)


def _sha256(photo: ImageSource, content: bool) -> bytes:
    """Of the photo's bytes, or of its stamp."""
    try:
        return hashlib.sha256(photo.read() if content else photo.stamp().encode(errors="surrogatepass")).digest()
    except OSError as error:
        raise SightlineError(
            f"{photo.name}: cannot be read ({error.strerror}); `sightline data check` finds such photos"
        ) from None


def fingerprint(encoder: Encoder) -> str:
    """Twenty hexadecimal digits that change with the encoder's weights, its kind and its preprocessing.

    A plugin's kind is its code and its options too: whoever writes an encoder changes it between two trainings.
    """
    digest = hashlib.sha256(json.dumps([type(encoder).__name__, encoder.preprocessing.as_dict()]).encode())
    if not is_own(type(encoder).__module__):
        options = {name: value for name, value in sorted(vars(encoder).items()) if isinstance(value, _PLAIN)}
        digest.update(f"{encoder!r}{encoder.grid}{options | {'training': None}}".encode())
        digest.update(_code(type(encoder)))
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:20]


def _code(kind: type) -> bytes:
    """The file of a class; of one that is in no file, as in a notebook, something that no other process has."""
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(path).read_bytes() if path and Path(path).is_file() else secrets.token_bytes()


def _write_all(file: FileIO, content: bytes) -> None:
    # A file without a buffer takes a part of it where the disk has no room for the whole.
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _decoded(
    pool: ThreadPoolExecutor, preprocessing: Preprocessing, photos: Iterable[ImageSource], depth: int
) -> Iterator[NDArray[np.float32]]:
    """Pixels of the photos, in order, with at most ``depth`` results waiting."""
    waiting: list[Future[NDArray[np.float32]]] = []
    for photo in photos:
        waiting.append(pool.submit(preprocess, photo, preprocessing))
        if len(waiting) >= depth:
            with unreadable_told():
                pixels = waiting.pop(0).result()
            yield pixels
    for future in waiting:
        with unreadable_told():
            pixels = future.result()
        yield pixels
