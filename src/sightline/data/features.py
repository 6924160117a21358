"""A frozen encoder's annotation vectors, computed once and kept in a memory-mapped file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.nn.encoder import Encoder, fused
from sightline.preprocess import preprocess

# Few photos at a time: the activations of larger batches leave the processor's caches, and encoding slows to a half.
_BATCH = 8


class FeatureCache:
    """Rows of float16 annotation vectors ``(L, D)``, one for each distinct photo content.

    A cache folder belongs to one encoder with one set of weights and one preprocessing: its name is a fingerprint of
    all three. A row belongs to the SHA-256 of a photo's bytes. So other weights and changed photos never meet a stale
    row. Rows are appended to ``rows.f16`` and only then named in ``rows.sha256``: what an interruption leaves
    unnamed is written over by the next run.
    """

    def __init__(self, root: Path, encoder: Encoder) -> None:
        self.encoder = encoder
        self.shape = (encoder.grid[0] * encoder.grid[1], encoder.feature_size)
        self.folder = root / fingerprint(encoder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._names = self.folder / "rows.sha256"
        self._data = self.folder / "rows.f16"

    def rows(
        self, photos: Sequence[Path], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """A read-only memory map of all rows (R, L, D), and for each photo its row, int64 (len(photos),).

        Photos that have no row yet are encoded first; ``progress(done, total)`` is told of these. Several processes
        may ask at once: one encodes, the others wait.

        Raises:
            SightlineError: a photo cannot be read.
        """
        with ThreadPoolExecutor() as pool, FileLock(self.folder / "lock"):
            digests = list(pool.map(_digest, photos))
            known = self._known()
            missing = {digest: path for digest, path in zip(digests, photos, strict=True) if digest not in known}
            self._append(missing, known, pool, progress)
        rows = np.memmap(self._data, np.float16, "r", shape=(len(known), *self.shape))
        return rows, np.array([known[digest] for digest in digests], np.int64)

    def _known(self) -> dict[str, int]:
        names = self._names.read_text().split("\n")[:-1] if self._names.exists() else []
        return {name: row for row, name in enumerate(names)}

    def _append(
        self,
        missing: dict[str, Path],
        known: dict[str, int],
        pool: ThreadPoolExecutor,
        progress: Callable[[int, int], None],
    ) -> None:
        row_bytes = 2 * self.shape[0] * self.shape[1]
        paths, digests = list(missing.values()), list(missing)
        self._data.touch()
        self._names.write_text("".join(f"{name}\n" for name in known))
        with self._data.open("r+b") as data, self._names.open("a") as names:
            data.truncate(len(known) * row_bytes)
            data.seek(0, 2)
            for block in self._encode(paths, pool):
                data.write(block.tobytes())
                data.flush()
                for digest in digests[: len(block)]:
                    names.write(f"{digest}\n")
                    known[digest] = len(known)
                names.flush()
                del digests[: len(block)]
                progress(len(paths) - len(digests), len(paths))

    @torch.inference_mode()
    def _encode(self, paths: Sequence[Path], pool: ThreadPoolExecutor) -> Iterator[NDArray[np.float16]]:
        # Convolutions are quicker on channels that lie together.
        encoder = fused(self.encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        device = next(encoder.parameters()).device
        decoded = _ahead(pool, lambda path: preprocess(path, self.encoder.preprocessing), paths, 8 * _BATCH)
        while batch := list(islice(decoded, _BATCH)):
            pixels = torch.from_numpy(np.stack(batch)).to(device)
            yield encoder(pixels).to(torch.float16).cpu().numpy()


def fingerprint(encoder: Encoder) -> str:
    """Twenty hexadecimal digits that change with the encoder's weights, its kind and its preprocessing."""
    digest = hashlib.sha256(json.dumps([type(encoder).__name__, encoder.preprocessing.as_dict()]).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:20]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SightlineError(
            f"{path}: cannot be read ({error.strerror}); `sightline data check` finds such photos"
        ) from None


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Path], NDArray[np.float32]], paths: Iterable[Path], depth: int
) -> Iterator[NDArray[np.float32]]:
    """``map``, in order, with at most ``depth`` results waiting."""
    waiting: list[Future[NDArray[np.float32]]] = []
    for path in paths:
        waiting.append(pool.submit(function, path))
        if len(waiting) >= depth:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()
