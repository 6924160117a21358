"""ONNX Runtime's sessions of a model.onnx: devices, threads, forks, and one run of the search inside it."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.model_folder import ALLOW_REPEATS, HEADS, OUTPUTS, SEARCHED

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Pixels: TypeAlias = NDArray[np.float32]

BEAM_SIZE: Final = 3
"""Sentences that the search keeps at every word, by default."""
LENGTH_PENALTY: Final = 1.0
"""By default, sentences are ranked by their mean log p of a word: by the sum, those that stop early would win."""

DEVICES = ("cpu", "cuda", "auto")
_CUDA = "CUDAExecutionProvider"
_FLOAT32 = np.finfo(np.float32).min, np.finfo(np.float32).max
# Without any logging set up, Python prints a warning as the one line that it is.
_log = logging.getLogger(__name__)


class Sessions:
    """The sessions of one model.onnx, one for each number of threads, opened when first needed; threads may share it.

    After a fork, the child process opens its own. ``device`` is where they run, ``metadata`` what model.onnx records.
    One on one core is opened at once; if another is needed before it, it is closed again, as each holds all weights.
    Raises `SightlineError` if ``device`` is none of `DEVICES`, and what `open_session` raises.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.device = _choose_device(device)
        self._path = path.absolute()  # for sessions opened after the working directory has changed
        self._forget()
        _all_sessions.add(self)
        session = open_session(self._path, 1, self.device)
        self._unused[1] = session
        if self.device == "cuda" and session.get_providers()[0] != _CUDA:
            _log.warning("sightline: CUDA could not be started; captions are computed on the processor")
            self.device = "cpu"
        self.metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map

    def get(self, threads: int) -> InferenceSession:
        """The session that runs on so many cores."""
        with self._opening:
            if threads not in self._opened:
                unused = self._unused.pop(threads, None)
                self._unused.clear()
                self._opened[threads] = unused or open_session(self._path, threads, self.device)
            return self._opened[threads]

    def _forget(self) -> None:
        self._opened: dict[int, InferenceSession] = {}
        self._unused: dict[int, InferenceSession] = {}
        self._opening = threading.Lock()

    def _after_fork(self) -> None:
        for session in (*self._opened.values(), *self._unused.values()):
            # Must never be freed: its destructor would wait for threads that the child does not have.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        self._forget()


_all_sessions: weakref.WeakSet[Sessions] = weakref.WeakSet()


def _after_fork() -> None:
    for sessions in list(_all_sessions):
        sessions._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def open_session(path: Path, threads: int, device: str = "cpu") -> InferenceSession:
    """A session of a model.onnx on so many cores; `SightlineError` if it is missing, damaged, or not sightline's."""
    if not path.is_file():
        raise SightlineError(f"{path.parent}: no {path.name}; `sightline export {path.parent} --out BUNDLE` makes one")
    try:
        session = start_session(path, threads, device)
    except Exception as error:  # ONNX Runtime raises a class for each of its statuses, and no common one
        reason = str(error).splitlines()[0]
        raise SightlineError(f"{path}: damaged or truncated ({reason}); copy it anew or export again") from None
    names = tuple(output.name for output in session.get_outputs())
    if names != (*OUTPUTS, *_heads(names)):
        raise SightlineError(f"{path}: not a model that this sightline exported; `sightline export` makes one")
    return session


def _heads(names: Sequence[str]) -> tuple[str, ...]:
    """Those of `HEADS` that a model.onnx has, by the names of its outputs."""
    return tuple(name for name in HEADS if name in names)


def start_session(path: Path, threads: int, device: str = "cpu") -> InferenceSession:
    """A session of any ONNX file; on ``"cuda"``, what CUDA lacks is computed by the processor."""
    import onnxruntime  # here, so that importing the package stays quick

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Threads that sleep at once wake too late for the next layer; threads that spin for long take cores from others.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    providers = [_CUDA, "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(path, options, providers=providers)


def forbids_repeats(session: InferenceSession) -> bool:
    """Whether a model.onnx says a thing once, if not told otherwise; earlier versions' do not."""
    return ALLOW_REPEATS in {value.name for value in session.get_overridable_initializers()}


def run_search(
    session: InferenceSession,
    pixels: Pixels,
    beam_size: int,
    length_penalty: float,
    evidence: bool = False,
    allow_repeats: bool = False,
) -> dict[str, Any]:
    """Run a model.onnx once, on preprocessed photos, float32 (B, 3, size, size); K is the beam size.

    Returns the outputs by name, best beam first: int64 ``tokens``, ``log_probs`` (B, K, T), ``lengths``, ``scores``
    (B, K), ``attention`` (B, K, T, L) and, if asked for, ``evidence`` (B, T, L); then what the model has of
    ``confidence`` (B, K), ``word_confidence`` (B, K, T), NaN at words that name no thing, and the probabilities
    ``kinds`` (B, C) and ``keywords`` (B, W).
    """
    first_scores = np.full(beam_size, -1e9, np.float32)
    first_scores[0] = 0
    feed = {
        "pixels": pixels,
        "first_scores": first_scores,
        "length_penalty": np.array(np.clip(length_penalty, *_FLOAT32), np.float32),
        "explain": np.array(evidence),
    }
    if allow_repeats and forbids_repeats(session):
        feed[ALLOW_REPEATS] = np.array(True)
    heads = _heads([output.name for output in session.get_outputs()])
    names = (*(OUTPUTS if evidence else SEARCHED), *heads)
    outputs = dict(zip(names, session.run(names, feed), strict=True))
    return outputs | {"scores": _scores(outputs, length_penalty)}


def _scores(outputs: dict[str, Any], length_penalty: float) -> NDArray[np.float32]:
    """float32 (B, K), the sentences' scores from their words alone; what is no sentence keeps its own.

    Models of earlier versions round them by the steps that the search took, which depend on the photos beside it.
    """
    with np.errstate(over="ignore"):
        divisors = np.clip(outputs["lengths"].astype(np.float64) ** length_penalty, 1e-25, 1e25)
    scores = (outputs["log_probs"].sum(axis=2, dtype=np.float64) / divisors).astype(np.float32)
    return np.where(outputs["scores"] > -1e8, scores, outputs["scores"])


def available_cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose_device(device: str) -> str:
    import onnxruntime

    if device not in DEVICES:
        raise SightlineError(f"device {device!r}: it must be one of {', '.join(DEVICES)}")
    if device != "cpu" and _CUDA in onnxruntime.get_available_providers():  # it may still fail to start
        return "cuda"
    if device == "cuda":
        _log.warning(
            "sightline: this ONNX Runtime has no CUDA (onnxruntime-gpu has); captions are computed on the processor"
        )
    return "cpu"
