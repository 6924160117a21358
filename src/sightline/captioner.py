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
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sightline.caption import PHOTO, Caption, read_captions
from sightline.errors import SightlineError
from sightline.images.formats import with_article
from sightline.model_folder import CONFIG, ONNX, VOCABULARY, identity, load_description
from sightline.preprocess import Photo, is_blank, preprocess_with_note
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY, Pixels, Sessions, available_cores, run_search

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_Options: TypeAlias = tuple[int, float, bool, bool]  # beam size, length penalty, evidence, allow repeats

# Scores of a step of the search that are in memory at once, over photos, beams and words: 350 MB with all that goes
# with them. A beam size that asks for more is refused; photos are searched some at a time.
_SCORES = 1 << 22

BUNDLED_MODEL = Path(__file__).parent / "model"
BLANK = "the photo is blank, one colour all over: the caption says nothing about it"
NO_PHOTO = "this seems to be no photo ({}): the caption can hardly be right"


def load(model: str | os.PathLike[str] | None = None, threads: int | None = None, device: str = "cpu") -> Captioner:
    """Load a model for captioning.

    Args:
        model: a model folder, or ``hf://USER/NAME[@REVISION]`` on the Hugging Face Hub; by default the model that comes
            with the package.
        threads: how many cores it uses, for one photo as for a stream; by default all that this process may use. Give 1
            if photos come from many threads at once, or if an engine gives each of its workers a core.
        device: ``"cpu"``; ``"cuda"``, for which onnxruntime-gpu must be installed; or ``"auto"``, CUDA if it is
            available. If CUDA is asked for and not available, the processor is used, and one line is logged.

    Raises:
        SightlineError: there is no such folder or device, the folder is no usable model, or ``threads`` is impossible.

    Example:
        >>> import sightline
        >>> captioner = sightline.load(threads=1)
        >>> captioner.device, captioner.config.grid
        ('cpu', (7, 7))
    """
    return Captioner(model_folder(model), threads, device)


def model_folder(model: str | os.PathLike[str] | None) -> Path:
    """The folder of what `load` takes as ``model``, maybe downloaded first; `SightlineError` if there is none."""
    if model is not None and os.fspath(model).startswith("hf:/"):  # `Path` makes one slash of two
        from sightline.hub.fetch import fetch

        return fetch(os.fspath(model))
    if model is None and not BUNDLED_MODEL.is_dir():
        raise SightlineError("no model came with this installation; name a model folder: --model PATH, or load(PATH)")
    return Path(BUNDLED_MODEL if model is None else model)


class Captioner:
    """Captions photos with one model folder's model.onnx.

    Threads may share it. It can be pickled, and used after a fork: the other process opens the folder again.

    Attributes:
        folder, config, vocabulary: the model folder, its `ModelConfig` and its `Vocabulary`.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``, how the weights are stored.
        device: ``"cpu"`` or ``"cuda"``, where it runs.
        max_beam_size: the largest beam size: the vocabulary's, or less where memory would not do.
    """

    def __init__(self, folder: Path, threads: int | None = None, device: str = "cpu") -> None:
        self.folder = folder
        self.config, self.vocabulary = load_description(folder)
        words = len(self.vocabulary)
        self.max_beam_size = min(words, max(1, _SCORES // words))
        self._arguments = (folder.absolute(), threads, device)
        self._cores = available_cores() if threads is None else _whole("threads", threads)
        self._sessions = Sessions(folder / ONNX, device)
        self.device = self._sessions.device
        recorded = self._sessions.metadata
        for key, value in identity(self.config, self.vocabulary).items():
            if recorded.get(key, "") != value:
                raise SightlineError(
                    f"{folder / ONNX}: made for another {CONFIG} or {VOCABULARY} ({key.removeprefix('sightline.')}:"
                    f" {recorded.get(key)}, here {value}); export the model again"
                )
        self.precision = recorded.get("sightline.precision", "unknown")

    def __reduce__(self) -> tuple[type[Captioner], tuple[Path, int | None, str]]:
        return type(self), self._arguments

    def __call__(
        self,
        photo: Photo,
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        evidence: bool = False,
        *,
        max_pixels: int | None = None,
        allow_repeats: bool = False,
    ) -> Caption:
        """Caption one photo on all cores; `stream` captions many photos faster.

        Args:
            photo: a path, an image file's bytes, an open file, a PIL image, or an array (H, W[, 3 or 4]); see
                `sightline.preprocess.open_photo`.
            beam_size: sentences kept at every word, 1 to `max_beam_size`; 1 is greedy decoding.
            length_penalty: sentences are ranked by ``sum(log p) / length ** length_penalty``.
            evidence: whether to compute `Caption.evidence` too, which takes several times as long.
            max_pixels: the most that are decoded, see `sightline.preprocess.open_photo`.
            allow_repeats: whether a sentence may have a pair of words twice, and a noun again after "with", "and" or
                "of". Sentences of characters or pieces, and models exported by earlier versions, always may.

        Raises:
            SightlineError: the photo cannot be read, or an option is impossible.

        Example:
            >>> import numpy, sightline
            >>> photo = numpy.zeros((240, 320, 3), numpy.uint8)  # or the path of an image file
            >>> caption = sightline.load()(photo, beam_size=2)
            >>> len(caption.words) == len(caption.log_probs), len(caption.alternatives)
            (True, 1)
        """
        options = self._checked(beam_size, length_penalty, evidence, allow_repeats)
        pixels, note = preprocess_with_note(photo, self.config.preprocessing, max_pixels=max_pixels)
        (caption,) = self._search(self._sessions.get(self._cores), pixels[None], [note], options)
        return caption.with_photo(photo)

    def stream(
        self,
        photos: Iterable[Photo],
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        batch_size: int = 8,
        evidence: bool = False,
        *,
        max_pixels: int | None = None,
        allow_repeats: bool = False,
    ) -> Iterator[Caption | SightlineError]:
        """Caption many photos, in order; every core decodes a batch of photos, then runs the model on it.

        A photo that cannot be read gives its `SightlineError` instead of a caption. Every result, caption or error,
        has its photo as ``result.photo``; to keep thousands of captions of photos given as pixels, keep
        ``caption.with_photo(None)``. At most ``batch_size * (cores + 1)`` photos are taken from ``photos`` ahead of the
        results, so memory does not grow with their number.

        Raises:
            SightlineError: an option is impossible, or ``photos`` is a single photo.

        Example:
            >>> import numpy, sightline
            >>> photos = [numpy.eye(64), "no-such-file.jpg"]
            >>> for result in sightline.load().stream(photos):
            ...     if isinstance(result, sightline.SightlineError):
            ...         print("error:", result)
            ...     else:
            ...         print(result.photo is photos[0], len(result.words) > 0)
            True True
            error: no-such-file.jpg: no such file
        """
        options = self._checked(beam_size, length_penalty, evidence, allow_repeats)
        return self._stream(_many(photos), _whole("batch size", batch_size), options, max_pixels)

    def caption_batch(
        self,
        photos: Sequence[Photo],
        beam_size: int = BEAM_SIZE,
        length_penalty: float = LENGTH_PENALTY,
        evidence: bool = False,
        *,
        formats: Sequence[str] | None = None,
        max_pixels: int | None = None,
        allow_repeats: bool = False,
    ) -> list[Caption | SightlineError]:
        """Caption some photos in one run on one core, for programs with threads or processes of their own.

        Together they take less time than one after the other, and memory in proportion to their number. The results are
        as those of `stream`. ``formats`` and ``max_pixels`` limit what is decoded of photos from strangers, see
        `sightline.preprocess.open_photo`; over ``max_pixels``, the error is a `sightline.preprocess.TooManyPixels`.

        Raises:
            SightlineError: an option is impossible, or ``photos`` is a single photo.
        """
        options = self._checked(beam_size, length_penalty, evidence, allow_repeats)
        return self._batch(list(_many(photos)), options, formats=formats, max_pixels=max_pixels)

    def _stream(
        self, photos: Iterator[Photo], batch_size: int, options: _Options, max_pixels: int | None
    ) -> Iterator[Caption | SightlineError]:
        waiting: deque[Future[list[Caption | SightlineError]]] = deque()
        with ThreadPoolExecutor(self._cores) as pool:
            try:
                while batch := list(islice(photos, batch_size)):
                    waiting.append(pool.submit(self._batch, batch, options, max_pixels=max_pixels))
                    if len(waiting) > self._cores:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _batch(self, photos: Sequence[Photo], options: _Options, **limits: Any) -> list[Caption | SightlineError]:
        decoded = [self._decode(photo, **limits) for photo in photos]
        readable = [item for item in decoded if not isinstance(item, SightlineError)]
        # One thread a batch: cores that share a batch spend much of their time waiting for each other.
        session = self._sessions.get(threads=1)
        pixels, notes = zip(*readable, strict=True) if readable else ((), ())
        captions = iter(self._search(session, np.stack(pixels), notes, options) if readable else ())
        return [
            item if isinstance(item, SightlineError) else next(captions).with_photo(photo)
            for photo, item in zip(photos, decoded, strict=True)
        ]

    def _decode(self, photo: Photo, **limits: Any) -> tuple[Pixels, str] | SightlineError:
        try:
            return preprocess_with_note(photo, self.config.preprocessing, **limits)
        except SightlineError as error:
            error.photo = photo
            return error.with_traceback(None)  # its frames would keep the pixels of the whole batch alive

    def _search(
        self, session: InferenceSession, pixels: Pixels, notes: Sequence[str], options: _Options
    ) -> list[Caption]:
        at_once = max(1, _SCORES // (options[0] * len(self.vocabulary)))
        captions: list[Caption] = []
        for start in range(0, len(pixels), at_once):
            outputs = run_search(session, pixels[start : start + at_once], *options)
            del outputs["lengths"]
            captions += read_captions(self.vocabulary, self.config.grid, **outputs, heads=self.config.heads)
        return [
            replace(caption, note=self._note(caption, photo, note))
            for caption, photo, note in zip(captions, pixels, notes, strict=True)
        ]

    def _note(self, caption: Caption, photo: Pixels, note: str) -> str:
        """The caption's note, with the ``note`` from reading the photo, which was preprocessed to ``photo``."""
        if is_blank(photo, self.config.preprocessing):
            return BLANK
        no_photo = NO_PHOTO.format(caption.kind) if caption.kind not in (None, PHOTO) else ""
        return "; ".join(filter(None, (no_photo, note)))

    def _checked(self, beam_size: int, length_penalty: float, evidence: bool, allow_repeats: bool) -> _Options:
        """The options as plain numbers, of whatever kind they came; `SightlineError` if they are impossible."""
        if not isinstance(length_penalty, numbers.Real) or not math.isfinite(length_penalty):
            raise SightlineError(f"length penalty {length_penalty!r}: it must be a finite number")
        if (size := _whole("beam size", beam_size)) > self.max_beam_size:
            raise SightlineError(f"beam size {size}: this model's largest is {self.max_beam_size}")
        return size, float(length_penalty), evidence, allow_repeats


def _whole(name: str, number: int) -> int:
    if not isinstance(number, numbers.Integral) or isinstance(number, bool) or number < 1:
        raise SightlineError(f"{name} {number!r}: it must be a whole number, 1 or more")
    return int(number)


def _many(photos: Iterable[Photo]) -> Iterator[Photo]:
    one = isinstance(photos, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(photos, "read")
    if isinstance(photos, np.ndarray):
        one = photos.ndim < 3 or (photos.ndim == 3 and photos.shape[2] in (3, 4))
    if one or not isinstance(photos, Iterable):
        kind = with_article(type(photos).__name__)
        raise SightlineError(f"photos must be a list or other iterable; this is {kind}: put a single photo in a list")
    return iter(photos)
