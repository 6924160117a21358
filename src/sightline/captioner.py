"""Photos -> Captions through ONNX Runtime. The search is inside model.onnx: nothing here chooses a word."""

from __future__ import annotations

import ctypes
import logging
import math
import numbers
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption, read_captions
from sightline.decoding import BEAM_SIZE, LENGTH_PENALTY
from sightline.errors import SightlineError
from sightline.images.formats import with_article
from sightline.model_folder import CONFIG, ONNX, OUTPUTS, SEARCHED, VOCABULARY, identity, load_description
from sightline.preprocess import Photo, is_blank, preprocess

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Pixels: TypeAlias = NDArray[np.float32]

_FLOAT32 = np.finfo(np.float32).min, np.finfo(np.float32).max
BUNDLED_MODEL = Path(__file__).parent / "model"

DEVICES = ("cpu", "cuda", "auto")
_CUDA = "CUDAExecutionProvider"
# Without any logging set up, Python prints a warning as the one line that it is.
_log = logging.getLogger(__name__)

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
        explains: whether it can find evidence; models exported before there was any cannot.
    """

    def __init__(self, folder: Path, threads: int | None = None, device: str = "cpu") -> None:
        self.folder = folder
        self._path = folder.absolute() / ONNX  # found again by later sessions, wherever the process then is
        self.config, self.vocabulary = load_description(folder)
        if threads is not None and (not _is_whole(threads) or threads < 1):
            raise SightlineError(f"threads {threads!r}: it must be a whole number, 1 or more, or None for all cores")
        self._asked = (threads, device)
        self._cores = threads or available_cores()
        self.device = _device(device)
        self._forget_sessions()
        _captioners.add(self)
        session = self._session(threads=1)
        if self.device == "cuda" and session.get_providers()[0] != _CUDA:
            _log.warning("sightline: CUDA could not be started; captions are computed on the processor")
            self.device = "cpu"
        self.explains = explains(session)
        recorded = session.get_modelmeta().custom_metadata_map
        for key, value in identity(self.config, self.vocabulary).items():
            if recorded.get(key) != value:
                what = key.removeprefix("sightline.")
                raise SightlineError(
                    f"{folder / ONNX}: made for another {CONFIG} or {VOCABULARY} ({what}: {recorded.get(key)}, here"
                    f" {value}); export the model again"
                )
        self.precision = recorded.get("sightline.precision", "unknown")

    def __reduce__(self) -> tuple[type[Captioner], tuple[Path, int | None, str]]:
        return type(self), (self._path.parent, *self._asked)

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
        beam_size, length_penalty = self._check(beam_size, length_penalty, evidence)
        pixels = preprocess(photo, self.config.preprocessing)[None]
        found = self._search(self._session(self._cores), pixels, beam_size, length_penalty, evidence)
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
        beam_size, length_penalty = self._check(beam_size, length_penalty, evidence)
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
        beam_size, length_penalty = self._check(beam_size, length_penalty, evidence)
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
        session = self._session(threads=1)
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

    def _check(self, beam_size: int, length_penalty: float, evidence: bool) -> tuple[int, float]:
        """The options as plain numbers, whatever kind of numbers they came as."""
        if not _is_whole(beam_size) or beam_size < 1:
            raise SightlineError(f"beam size {beam_size!r}: it must be a whole number, 1 (greedy) or more")
        if not isinstance(length_penalty, numbers.Real) or not math.isfinite(length_penalty):
            raise SightlineError(f"length penalty {length_penalty!r}: it must be a finite number")
        if evidence and not self.explains:
            raise SightlineError(
                f"{self.folder / ONNX}: made before there was evidence; `sightline export` makes one that has it"
            )
        return int(beam_size), float(length_penalty)

    def _session(self, threads: int) -> InferenceSession:
        with self._opening:
            if threads not in self._sessions:
                self._sessions[threads] = open_session(self._path, threads, self.device)
            return self._sessions[threads]

    def _forget_sessions(self) -> None:
        self._sessions: dict[int, InferenceSession] = {}
        self._opening = threading.Lock()


_captioners: weakref.WeakSet[Captioner] = weakref.WeakSet()


def _after_fork() -> None:
    for captioner in list(_captioners):
        for session in captioner._sessions.values():
            # Never to be freed: a session's end waits for its threads, and the fork has left them behind.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        captioner._forget_sessions()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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


def _device(asked: str) -> str:
    """The device to open sessions on; `SightlineError` where there is no such kind."""
    if asked not in DEVICES:
        raise SightlineError(f"device {asked!r}: it must be one of {', '.join(DEVICES)}")
    if asked == "cpu":
        return "cpu"
    if cuda_is_offered():
        return "cuda"
    if asked == "cuda":
        _log.warning(
            "sightline: this ONNX Runtime has no CUDA (onnxruntime-gpu has); captions are computed on the processor"
        )
    return "cpu"


def cuda_is_offered() -> bool:
    """Whether the ONNX Runtime that is installed was built with CUDA; whether it starts is another matter."""
    import onnxruntime

    return _CUDA in onnxruntime.get_available_providers()


def open_session(path: Path, threads: int, device: str = "cpu") -> InferenceSession:
    """ONNX Runtime's session of a model.onnx; raises `SightlineError` where there is none, or a bad one."""
    if not path.is_file():
        raise SightlineError(f"{path.parent}: no {path.name}; `sightline export {path.parent} --out BUNDLE` makes one")
    try:
        session = start_session(path, threads, device)
    except Exception as error:  # ONNX Runtime raises a class for each of its statuses, and no common one
        reason = str(error).splitlines()[0]
        raise SightlineError(f"{path}: damaged or truncated ({reason}); copy it anew or export again") from None
    if tuple(output.name for output in session.get_outputs()) not in (SEARCHED, OUTPUTS):
        raise SightlineError(f"{path}: not a model that sightline exported; `sightline export` makes one")
    return session


def start_session(path: Path, threads: int, device: str = "cpu") -> InferenceSession:
    """ONNX Runtime on ``threads`` of the processor's cores, for any ONNX file; raises what ONNX Runtime raises.

    ``device`` ``"cuda"`` is tried first, and what it lacks is computed by the processor.
    """
    # Imported here, so that importing the package stays quick.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Threads that sleep at once wake too late for the next layer; threads that spin on take the cores from others.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    providers = [_CUDA] if device == "cuda" else []
    return onnxruntime.InferenceSession(path, options, providers=[*providers, "CPUExecutionProvider"])


def run_search(
    session: InferenceSession, pixels: Pixels, beam_size: int, length_penalty: float, evidence: bool = False
) -> dict[str, Any]:
    """One run of a model.onnx: ``pixels`` (B, 3, size, size) -> what was searched, best beam first, by name.

    ``evidence``, for a session that `explains`, adds the best beam's.
    """
    first_scores = np.full(beam_size, -1e9, np.float32)
    first_scores[0] = 0
    penalty = np.array(np.clip(length_penalty, *_FLOAT32), np.float32)
    feed = {"pixels": pixels, "first_scores": first_scores, "length_penalty": penalty}
    if explains(session):
        feed["explain"] = np.array(evidence)
    names = OUTPUTS if evidence else SEARCHED
    return dict(zip(names, session.run(names, feed), strict=True))


def explains(session: InferenceSession) -> bool:
    """Whether a model.onnx can find evidence; those made before there was any cannot."""
    return len(session.get_outputs()) == len(OUTPUTS)


def available_cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
