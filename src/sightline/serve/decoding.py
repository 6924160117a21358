"""A process of its own that decodes the photos that are costly, one after the other.

In the service's own process every other photo would wait for them: for the interpreter's lock, and for the memory map
while hundreds of megabytes come and go. A process can also be ended, whatever a decoder is doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing, TooManyPixels, give_memory_back, open_resized, silence_pillow

_LENGTH = 8  # bytes that say how many follow
# Above the service's threads (workers.py): they are served first, and this process still gets its part of a busy core.
_NICENESS = 10


class DecodingProcess:
    """Decodes photos in another process, which starts with the first of them; for one thread.

    Args:
        preprocessing: the model's; photos come as the size it asks for.
        formats, max_pixels: as `sightline.preprocess.open_photo` takes them.
        seconds: after which the process is ended, and the photo refused.
    """

    def __init__(self, preprocessing: Preprocessing, formats: Sequence[str], max_pixels: int, seconds: float) -> None:
        self._side, self._seconds = preprocessing.size, seconds
        self._arguments = preprocessing.as_dict(), list(formats), max_pixels
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, content: bytes | bytearray) -> tuple[NDArray[np.uint8], str]:
        """An image file's bytes -> the photo, uint8 (size, size, 3), and its note, mostly empty.

        Raises what `sightline.preprocess.open_photo` raises; and `SightlineError` if decoding takes too long or ends
        the process, as where memory does not do.
        """
        process = self._running()
        assert process.stdin and process.stdout
        # ValueError: the answer was cut off, or another thread has closed the process.
        with _ended_after(process, self._seconds), contextlib.suppress(OSError, ValueError):
            process.stdin.write(len(content).to_bytes(_LENGTH, "big"))
            process.stdin.write(content)
            process.stdin.flush()
            told = json.loads(process.stdout.readline() or "{}")
            if "error" in told:
                raise (TooManyPixels if told["too_many_pixels"] else SightlineError)(told["error"])
            if len(pixels := process.stdout.read(3 * self._side**2) if told else b"") == 3 * self._side**2:
                return np.frombuffer(pixels, np.uint8).reshape(self._side, self._side, 3), told["note"]
        self.close()
        raise SightlineError("photo: took too much time or memory to decode; save it smaller, as JPEG")

    def close(self) -> None:
        """End the process; another one starts with the next photo."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError), process:  # closes its pipes, maybe with bytes unread, and waits
                pass

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            # With the paths of this process, and without its main module, which `multiprocessing` would run again.
            # Its priority is lowered first, as its imports take as long as many a photo.
            code = (
                f"import os, sys; hasattr(os, 'nice') and os.nice({_NICENESS}); sys.path[:] = {sys.path!r}\n"
                "from sightline.serve.decoding import answer\nanswer()"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", code, json.dumps(self._arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # a terminal's Ctrl-C is for the service
            )
        return self._process


@contextlib.contextmanager
def _ended_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def answer() -> None:
    """The process's own part: photos from stdin to stdout, until stdin ends, as it does with the service."""
    described, formats, max_pixels = json.loads(sys.argv[1])
    preprocessing = Preprocessing.from_dict(described)
    photos, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no photo
    silence_pillow()
    while len(length := photos.read(_LENGTH)) == _LENGTH:
        _answer_one(photos.read(int.from_bytes(length, "big")), answers, preprocessing, formats, max_pixels)
        give_memory_back()


def _answer_one(
    content: bytes, answers: IO[bytes], preprocessing: Preprocessing, formats: list[str], max_pixels: int
) -> None:
    pixels, told = b"", dict[str, object]()
    try:
        image, note = open_resized(content, preprocessing, formats=formats, max_pixels=max_pixels)
        pixels, told = image.tobytes(), {"note": note}
    except SightlineError as error:
        told = {"error": str(error), "too_many_pixels": isinstance(error, TooManyPixels)}
    answers.write(json.dumps(told).encode() + b"\n" + pixels)
    answers.flush()
