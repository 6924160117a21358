"""Photos -> Captions through ONNX Runtime. The search is inside model.onnx: nothing here chooses a word."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.bundle import CONFIG, ONNX, OUTPUTS, SEARCHED, VOCABULARY, identity, load_description
from sightline.caption import Caption, read_captions
from sightline.errors import SightlineError
from sightline.preprocess import Photo, preprocess

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Pixels: TypeAlias = NDArray[np.float32]

_FLOAT32 = np.finfo(np.float32).min, np.finfo(np.float32).max
BUNDLED_MODEL = Path(__file__).parent / "model"


def load(model: str | os.PathLike[str] | None = None) -> Captioner:
    """The captioner of a model folder, or of the model that came with the package.

    Raises:
        SightlineError: there is no such folder, or it is no usable bundle; the message says what would help.
    """
    return Captioner(model_folder(model))


def model_folder(model: str | os.PathLike[str] | None) -> Path:
    """``model``, or where None, the folder of the model in the package; raises `SightlineError` if there is none."""
    if model is None and not BUNDLED_MODEL.is_dir():
        raise SightlineError("no model came with this installation; name a model folder: --model PATH, or load(PATH)")
    return Path(BUNDLED_MODEL if model is None else model)


class Captioner:
    """Captions photos with one model folder's model.onnx.

    Threads may share it.

    Attributes:
        folder: the model folder.
        config: its `ModelConfig`.
        vocabulary: its `Vocabulary`.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``, how the weights are stored.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.vocabulary = load_description(folder)
        self._cores = available_cores()
        self._opening = threading.Lock()
        self._sessions: dict[int, InferenceSession] = {}
        session = self._session(threads=1)
        self.explains = explains(session)
        recorded = session.get_modelmeta().custom_metadata_map
        for key, value in identity(self.config, self.vocabulary).items():
            if recorded.get(key) != value:
                what = key.removeprefix("sightline.")
                raise SightlineError(
                    f"{folder / ONNX}: made for another {CONFIG} or {VOCABULARY} ({what}: {recorded.get(key)}, here"
                    f" {value}); export the model again"
                )
        self.precision = recorded["sightline.precision"]

    def __call__(
        self, photo: Photo, beam_size: int = 3, length_penalty: float = 0.0, evidence: bool = False
    ) -> Caption:
        """Caption one photo: a path, an image file's bytes, a PIL image, or a uint8 array (H, W[, 3 or 4]).

        All cores work on the one photo; many photos are captioned faster by `stream`.

        Args:
            photo: what to caption.
            beam_size: sentences kept at every word, 1 or more; 1 is greedy decoding.
            length_penalty: sentences are ranked by ``sum(log p) / length ** length_penalty``.
            evidence: whether to find out what each word rests on, which takes some times as long; see `Caption`.

        Raises:
            SightlineError: the photo cannot be read, or an option is impossible.
        """
        self._check(beam_size, length_penalty, evidence)
        pixels = preprocess(photo, self.config.preprocessing)[None]
        return self._search(self._session(threads=self._cores), pixels, beam_size, length_penalty, evidence)[0]

    def stream(
        self,
        photos: Iterable[Photo],
        beam_size: int = 3,
        length_penalty: float = 0.0,
        batch_size: int = 8,
        evidence: bool = False,
    ) -> Iterator[Caption | SightlineError]:
        """Caption many photos, in their order: every core decodes a batch of photos, then runs the model on them.

        A photo that cannot be read gives its error in its place. At most ``batch_size * (cores + 1)`` photos more than
        were asked for are taken from ``photos``, so memory does not grow with their number.

        Raises:
            SightlineError: an option is impossible.
        """
        self._check(beam_size, length_penalty, evidence)
        if batch_size < 1:
            raise SightlineError(f"batch size {batch_size}: it must be 1 or more")
        return self._stream(iter(photos), batch_size, beam_size, length_penalty, evidence)

    def _stream(
        self, photos: Iterator[Photo], batch_size: int, beam_size: int, length_penalty: float, evidence: bool
    ) -> Iterator[Caption | SightlineError]:
        batches = iter(lambda: list(islice(photos, batch_size)), [])
        waiting: deque[Future[list[Caption | SightlineError]]] = deque()
        with ThreadPoolExecutor(self._cores) as pool:
            try:
                for batch in batches:
                    waiting.append(pool.submit(self._caption_batch, batch, beam_size, length_penalty, evidence))
                    if len(waiting) > self._cores:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _caption_batch(
        self, photos: Sequence[Photo], beam_size: int, length_penalty: float, evidence: bool
    ) -> list[Caption | SightlineError]:
        decoded = [self._decode(photo) for photo in photos]
        readable = [pixels for pixels in decoded if not isinstance(pixels, SightlineError)]
        # A thread for each batch: cores that share one batch spend much of their time waiting for each other.
        session = self._session(threads=1)
        captions = iter(
            self._search(session, np.stack(readable), beam_size, length_penalty, evidence) if readable else ()
        )
        return [item if isinstance(item, SightlineError) else next(captions) for item in decoded]

    def _decode(self, photo: Photo) -> Pixels | SightlineError:
        try:
            return preprocess(photo, self.config.preprocessing)
        except SightlineError as error:
            return error

    def _search(
        self, session: InferenceSession, pixels: Pixels, beam_size: int, length_penalty: float, evidence: bool
    ) -> list[Caption]:
        found = run_search(session, pixels, beam_size, length_penalty, evidence)
        return read_captions(
            self.vocabulary,
            self.config.grid,
            found["tokens"],
            found["log_probs"],
            found["attention"],
            found["scores"],
            found.get("evidence"),
        )

    def _check(self, beam_size: int, length_penalty: float, evidence: bool) -> None:
        if beam_size < 1:
            raise SightlineError(f"beam size {beam_size}: it must be 1 (greedy) or more")
        if not math.isfinite(length_penalty):
            raise SightlineError(f"length penalty {length_penalty}: it must be a finite number")
        if evidence and not self.explains:
            raise SightlineError(
                f"{self.folder / ONNX}: made before there was evidence; `sightline export` makes one that has it"
            )

    def _session(self, threads: int) -> InferenceSession:
        with self._opening:
            if threads not in self._sessions:
                self._sessions[threads] = open_session(self.folder / ONNX, threads)
            return self._sessions[threads]


def open_session(path: Path, threads: int) -> InferenceSession:
    """ONNX Runtime's session of a model.onnx; raises `SightlineError` where there is none, or a bad one."""
    if not path.is_file():
        raise SightlineError(f"{path.parent}: no {path.name}; `sightline export {path.parent} --out BUNDLE` makes one")
    try:
        session = start_session(path, threads)
    except Exception as error:  # ONNX Runtime raises a class for each of its statuses, and no common one
        reason = str(error).splitlines()[0]
        raise SightlineError(f"{path}: damaged or truncated ({reason}); copy it anew or export again") from None
    if tuple(output.name for output in session.get_outputs()) not in (SEARCHED, OUTPUTS):
        raise SightlineError(f"{path}: not a model that sightline exported; `sightline export` makes one")
    return session


def start_session(path: Path, threads: int) -> InferenceSession:
    """ONNX Runtime on ``threads`` of the processor's cores, for any ONNX file; raises what ONNX Runtime raises."""
    # Imported here, so that importing the package stays quick.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Threads that sleep at once wake too late for the next layer; threads that spin on take the cores from others.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


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
