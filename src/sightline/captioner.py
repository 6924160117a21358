"""Photos -> Captions through ONNX Runtime. The search is inside model.onnx: nothing here chooses a word."""

from __future__ import annotations

import math
import numbers
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.caption import Caption, read_captions
from sightline.errors import SightlineError
from sightline.images.formats import with_article
from sightline.model_folder import CONFIG, ONNX, VOCABULARY, identity, load_description
from sightline.preprocess import Photo, is_blank, preprocess
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY, Pixels, Sessions, available_cores, run_search

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BUNDLED_MODEL = Path(__file__).parent / "model"
BLANK = "the photo is blank, one colour all over: the caption says nothing about it"


def load(model: str | os.PathLike[str] | None = None, threads: int | None = None, device: str = "cpu") -> Captioner:
    """The captioner of a model folder, of ``hf://USER/NAME[@REVISION]``, or of the model that came with the package.

    Args:
        model: the model's folder.
        threads: how many cores it uses, for one photo as for a stream; by default all that this process may. 1 where
            photos come on many threads at once, or where an engine gives each of its workers a core.
        device: ``"cpu"``; ``"cuda"``, where onnxruntime-gpu is installed; or ``"auto"``, CUDA where it is offered.
            Where it is asked for and cannot be had, the processor captions, and one line is logged.

    Raises:
        SightlineError: there is no such folder or device, it is no usable bundle, or ``threads`` is impossible; the
            message says what would help.
    """
    return Captioner(model_folder(model), threads, device)


def model_folder(model: str | os.PathLike[str] | None) -> Path:
    """``model``, or where it lies on the Hub, its copy here; where None, the folder of the model in the package.

    Raises `SightlineError` if there is none.
    """
    if model is not None and os.fspath(model).startswith("hf:/"):  # of two slashes, a path keeps one
        from sightline.hub.fetch import fetch

        return fetch(os.fspath(model))
    if model is None and not BUNDLED_MODEL.is_dir():
        raise SightlineError("no model came with this installation; name a model folder: --model PATH, or load(PATH)")
    return Path(BUNDLED_MODEL if model is None else model)


class Captioner:
    """Captions photos with one model folder's model.onnx.

    Threads may share it. It can be pickled, and used after a fork: in the other process it opens its folder anew.

    Attributes:
        folder: the model folder.
        config: its `ModelConfig`.
        vocabulary: its `Vocabulary`.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``, how the weights are stored.
        device: ``"cpu"`` or ``"cuda"``, where it runs.
    """

    def __init__(self, folder: Path, threads: int | None = None, device: str = "cpu") -> None:
        self.folder = folder
        self.config, self.vocabulary = load_description(folder)
        if threads is not None and (not _is_whole(threads) or threads < 1):
            raise SightlineError(f"threads {threads!r}: it must be a whole number, 1 or more, or None for all cores")
        self._arguments = (folder.absolute(), threads, device)
        self._cores = threads or available_cores()
        self._sessions = Sessions(folder / ONNX, device)
        self.device = self._sessions.device
        recorded = self._sessions.metadata
        for key, value in identity(self.config, self.vocabulary).items():
            if recorded.get(key) != value:
                what = key.removeprefix("sightline.")
                raise SightlineError(
                    f"{folder / ONNX}: made for another {CONFIG} or {VOCABULARY} ({what}: {recorded.get(key)}, here"
                    f" {value}); export the model again"
                )
        self.precision = recorded.get("sightline.precision", "unknown")

    def __reduce__(self) -> tuple[type[Captioner], tuple[Path, int | None, str]]:
        return type(self), self._arguments

    def __call__(
        self, photo: Photo, beam_size: int = BEAM_SIZE, length_penalty: float = LENGTH_PENALTY, evidence: bool = False
    ) -> Caption:
        """Caption one photo: a path, an image file's bytes, an open file, a PIL image, or an array (H, W[, 3 or 4]).

        All its cores work on the one photo; many photos are captioned faster by `stream`.

        Args:
            photo: what to caption; see `sightline.preprocess.open_photo`.
            beam_size: sentences kept at every word, 1 or more; 1 is greedy decoding.
            length_penalty: sentences are ranked by ``sum(log p) / length ** length_penalty``.
            evidence: whether to find out what each word rests on, which takes some times as long; see `Caption`.

        Raises:
            SightlineError: the photo cannot be read, or an option is impossible.
        """
        beam_size, length_penalty = _check(beam_size, length_penalty)
        pixels = preprocess(photo, self.config.preprocessing)[None]
        found = self._search(self._sessions.get(self._cores), pixels, beam_size, length_penalty, evidence)
        return found[0].with_photo(photo)

    def stream(
        self,
        photos: Iterable[Photo],
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        batch_size: int = 8,
        evidence: bool = False,
    ) -> Iterator[Caption | SightlineError]:
        """Caption many photos, in their order: every core decodes a batch of photos, then runs the model on them.

        A photo that cannot be read gives its `SightlineError` instead of a caption. Every result, caption or error,
        has its photo as ``result.photo``; to keep thousands of captions of photos given as pixels, keep
        ``caption.with_photo(None)``. At most ``batch_size * (cores + 1)`` photos are taken from ``photos`` ahead of the
        results, so memory does not grow with their number.

        Raises:
            SightlineError: an option is impossible, or ``photos`` is a single photo.
        """
        beam_size, length_penalty = _check(beam_size, length_penalty)
        if not _is_whole(batch_size) or batch_size < 1:
            raise SightlineError(f"batch size {batch_size!r}: it must be a whole number, 1 or more")
        return self._stream(_many(photos), int(batch_size), beam_size, length_penalty, evidence)

    def caption_batch(
        self,
        photos: Sequence[Photo],
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        evidence: bool = False,
        *,
        formats: Sequence[str] | None = None,
        max_pixels: int | None = None,
    ) -> list[Caption | SightlineError]:
        """Caption some photos in one run on one core, for programs with threads or processes of their own.

        Together they take less time than one after the other, and memory in proportion to their number. Each has the
        caption that it has alone, or its error; either has the photo as ``result.photo``. ``formats``
        and ``max_pixels`` limit what is decoded of photos from strangers, see `sightline.preprocess.open_photo`; over
        ``max_pixels``, the error is a `sightline.preprocess.TooManyPixels`.

        Raises:
            SightlineError: an option is impossible, or ``photos`` is a single photo.
        """
        beam_size, length_penalty = _check(beam_size, length_penalty)
        return self._batch(list(_many(photos)), beam_size, length_penalty, evidence, formats, max_pixels)

    def _stream(
        self, photos: Iterator[Photo], batch_size: int, beam_size: int, length_penalty: float, evidence: bool
    ) -> Iterator[Caption | SightlineError]:
        batches = iter(lambda: list(islice(photos, batch_size)), [])
        waiting: deque[Future[list[Caption | SightlineError]]] = deque()
        with ThreadPoolExecutor(self._cores) as pool:
            try:
                for batch in batches:
                    waiting.append(pool.submit(self._batch, batch, beam_size, length_penalty, evidence))
                    if len(waiting) > self._cores:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _batch(
        self,
        photos: Sequence[Photo],
        beam_size: int,
        length_penalty: float,
        evidence: bool,
        formats: Sequence[str] | None = None,
        max_pixels: int | None = None,
    ) -> list[Caption | SightlineError]:
        decoded = [self._decode(photo, formats, max_pixels) for photo in photos]
        readable = [pixels for pixels in decoded if not isinstance(pixels, SightlineError)]
        # A thread for each batch: cores that share one batch spend much of their time waiting for each other.
        session = self._sessions.get(threads=1)
        captions = iter(
            self._search(session, np.stack(readable), beam_size, length_penalty, evidence) if readable else ()
        )
        return [
            item if isinstance(item, SightlineError) else next(captions).with_photo(photo)
            for photo, item in zip(photos, decoded, strict=True)
        ]

    def _decode(self, photo: Photo, formats: Sequence[str] | None, max_pixels: int | None) -> Pixels | SightlineError:
        try:
            return preprocess(photo, self.config.preprocessing, formats=formats, max_pixels=max_pixels)
        except SightlineError as error:
            error.photo = photo
            return error.bare()

    def _search(
        self, session: InferenceSession, pixels: Pixels, beam_size: int, length_penalty: float, evidence: bool
    ) -> list[Caption]:
        found = run_search(session, pixels, beam_size, length_penalty, evidence)
        captions = read_captions(
            self.vocabulary,
            self.config.grid,
            found["tokens"],
            found["log_probs"],
            found["attention"],
            found["scores"],
            found.get("evidence"),
        )
        return [
            replace(caption, note=BLANK) if is_blank(photo, self.config.preprocessing) else caption
            for caption, photo in zip(captions, pixels, strict=True)
        ]


def _check(beam_size: int, length_penalty: float) -> tuple[int, float]:
    """The options as plain numbers, whatever kind of numbers they came as; `SightlineError` if they are impossible."""
    if not _is_whole(beam_size) or beam_size < 1:
        raise SightlineError(f"beam size {beam_size!r}: it must be a whole number, 1 (greedy) or more")
    if not isinstance(length_penalty, numbers.Real) or not math.isfinite(length_penalty):
        raise SightlineError(f"length penalty {length_penalty!r}: it must be a finite number")
    return int(beam_size), float(length_penalty)


def _is_whole(number: object) -> bool:
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)


def _many(photos: Iterable[Photo]) -> Iterator[Photo]:
    one = isinstance(photos, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(photos, "read")
    if isinstance(photos, np.ndarray):
        one = photos.ndim < 3 or (photos.ndim == 3 and photos.shape[2] in (3, 4))
    if one or not isinstance(photos, Iterable):
        raise SightlineError(
            f"a stream is of many photos, a list or what else gives one after the other; this is"
            f" {with_article(type(photos).__name__)}: put a single photo in a list"
        )
    return iter(photos)
