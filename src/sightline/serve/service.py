"""Accepts requests up to a bound, captions their photos on one thread per core, answers them all before an exit."""

from __future__ import annotations

import asyncio
import io
import logging
import multiprocessing
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

from PIL import Image

from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.preprocess import TooManyPixels, is_costly
from sightline.serve.decoding import DecodingProcess
from sightline.serve.limits import Code, Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.schemas import CaptionOptions, Result
from sightline.serve.upload import UploadedPhoto
from sightline.serve.workers import Workers

# Pillow has many more; some of its readers start other programs or were never meant for untrusted files.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")

_SHARE = 3
# Four photos in one run of the model take a fifth less time than one after the other; eight gain nothing over four.
_AT_ONCE = 4

_log = logging.getLogger("uvicorn.error")


_WaitingPhoto: TypeAlias = tuple[UploadedPhoto, float]  # and since when, as `time.perf_counter` tells


class CaptionService:
    """One captioner, shared by ``cores`` threads; a photo's caption depends on the photo and the options only.

    Photos that are costly to decode have a thread and a process of their own, so that no other waits for them.
    Everything but the captioning runs on the event loop's thread, so nothing here needs a lock.

    Args:
        captioner: used by several threads at once; best loaded with ``threads=1``.
        cores: photos captioned at the same time.

    Attributes:
        captioner: as it was given.
        stopping: whether further requests are refused.
        requests: those accepted and not yet answered.
    """

    def __init__(self, captioner: Captioner, limits: Limits, metrics: Metrics, cores: int) -> None:
        self.stopping, self.requests = False, 0
        self._clients: Counter[str] = Counter()  # address -> how many of the requests are its
        self.captioner, self._limits, self._metrics = captioner, limits, metrics
        self._quick: Workers[CaptionOptions, _WaitingPhoto, Result | None] = Workers(
            cores, self._caption_quick, _AT_ONCE
        )
        # One after the other, so that they have no more than a part of a core and of the memory.
        self._costly: Workers[CaptionOptions, _WaitingPhoto, Result] = Workers(1, self._caption_costly)
        self._decoding: DecodingProcess | None = None
        # The first request must not wait for what is loaded on first use.
        grey = io.BytesIO()
        Image.new("RGB", (8, 8), "grey").save(grey, "PNG")
        self._results(CaptionOptions.model_validate({}), [UploadedPhoto("grey.png", bytearray(grey.getvalue()))])

    @contextmanager
    def accepted(self, client: str | None) -> Iterator[None]:
        """Count a request of a client's address as accepted within the block.

        Raises `Refused` if the service stops, the queue is full, or the client has its share of it; where the address
        is not known (None), there is no share.
        """
        if self.stopping:
            raise Refused(503, "stopping", "the service is stopping; ask again")
        free = self._limits.queue - self.requests
        if free <= 0:
            raise Refused(429, "queue_full", "too many requests at once; ask again")
        # The more clients there are the less each may have, and some places are left for the next.
        if client is not None and self._clients[client] >= _SHARE * free:
            raise Refused(429, "queue_full", "too many requests at once from this address; ask again")
        self.requests += 1
        self._clients[client or ""] += 1
        try:
            with self._metrics.accepted.track_inprogress():
                yield
        finally:
            self.requests -= 1
            self._clients[client or ""] -= 1
            self._clients = +self._clients  # without addresses that have none

    def close(self) -> None:
        """End what decodes costly photos; nobody may wait for one."""
        if self._decoding is not None:
            self._decoding.close()

    async def caption(self, photos: list[UploadedPhoto], options: CaptionOptions) -> list[Result]:
        """Each photo's caption or error, in their order; when cancelled, photos not yet begun are dropped."""
        now = time.perf_counter()
        self._metrics.waiting.inc(len(photos))
        return await asyncio.gather(*(self._captioned(options, (photo, now)) for photo in photos))

    async def _captioned(self, options: CaptionOptions, waiting: _WaitingPhoto) -> Result:
        job: Future[Any] = self._quick.submit(options, waiting)
        try:
            result: Result | None = await asyncio.wrap_future(job)
            if result is not None:
                return result
            job = self._costly.submit(options, waiting)
            return await asyncio.wrap_future(job)
        finally:
            # `cancel` returns True for a photo that was never begun.
            self._metrics.waiting.dec(job.cancel())

    def _caption_quick(self, options: CaptionOptions, waiting: Sequence[_WaitingPhoto]) -> list[Result | None]:
        """The results of those that are not costly, and None for the others."""
        costly = [is_costly(photo.content, FORMATS, self._limits.pixels) for photo, _ in waiting]
        quick = [item for item, is_slow in zip(waiting, costly, strict=True) if not is_slow]
        results = iter(self._caption(options, quick) if quick else ())
        return [None if is_slow else next(results) for is_slow in costly]

    def _caption_costly(self, options: CaptionOptions, waiting: Sequence[_WaitingPhoto]) -> list[Result]:
        return self._caption(options, waiting, self._decode)

    def _decode(self, photo: UploadedPhoto) -> None:
        """Replace a photo's bytes by its pixels, decoded in another process, or by the reason why it is refused."""
        if self._decoding is None:
            preprocessing, limits = self.captioner.config.preprocessing, self._limits
            self._decoding = DecodingProcess(preprocessing, FORMATS, limits.pixels, limits.seconds)
        try:
            photo.pixels, photo.note = self._decoding.decode(photo.content)
        except SightlineError as error:
            photo.refused = _refused(error)
        except Exception:  # no process could be started
            photo.refused = _failed()
        photo.content.clear()

    def _caption(
        self,
        options: CaptionOptions,
        waiting: Sequence[_WaitingPhoto],
        prepare: Callable[[UploadedPhoto], None] = lambda _: None,
    ) -> list[Result]:
        began = time.perf_counter()
        for _, since in waiting:
            self._metrics.waiting.dec()
            self._metrics.seconds.labels("waiting").observe(began - since)
        for photo, _ in waiting:
            prepare(photo)
        results = self._results(options, [photo for photo, _ in waiting])
        for result in results:
            self._metrics.photos.labels(result["error"]["code"] if "error" in result else "captioned").inc()
            self._metrics.seconds.labels("captioning").observe(time.perf_counter() - began)
        return [{"photo": photo.name, **result} for (photo, _), result in zip(waiting, results, strict=True)]

    def _results(self, options: CaptionOptions, photos: Sequence[UploadedPhoto]) -> list[Result]:
        try:
            captions = iter(
                self.captioner.caption_batch(
                    [
                        photo.content if photo.pixels is None else photo.pixels
                        for photo in photos
                        if photo.refused is None
                    ],
                    options.beam_size,
                    options.length_penalty,
                    options.evidence,
                    formats=FORMATS,
                    max_pixels=self._limits.pixels,
                )
            )
            return [
                photo.refused.as_dict() if photo.refused else _result(next(captions), options, photo.note)
                for photo in photos
            ]
        except Exception:
            if len(photos) > 1:
                # One photo's failure must not cost the other its caption.
                return [result for photo in photos for result in self._results(options, [photo])]
            return [_failed().as_dict()]


def _failed() -> Refused:
    """Log the exception that is handled; what the client is told of it."""
    _log.exception("a photo could not be captioned")
    return Refused(500, "failed", "the service failed on this photo; its log says why")


def _refused(error: SightlineError) -> Refused:
    code: Code = "too_many_pixels" if isinstance(error, TooManyPixels) else "unreadable"
    return Refused(422, code, str(error).removeprefix("photo: "))


def _result(caption: Caption | SightlineError, options: CaptionOptions, note: str) -> Result:
    if isinstance(caption, SightlineError):
        return _refused(caption).as_dict()
    caption = replace(caption, note=caption.note or note)
    return {key: value for key, value in caption.as_dict().items() if key != "attention" or options.attention}


def end_on_hangup() -> None:
    """SIGHUP, which comes when a terminal closes, counts as SIGTERM from here on, unless it is ignored as by nohup."""
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


@contextmanager
def finish_before_exit(service: CaptionService) -> Iterator[None]:
    """Within this block the first signal stops the service, and is raised again once every request is answered.

    Uvicorn alone would close the port at once: clients that connected a moment earlier would get no answer, and new
    ones could not tell a stopping service from a broken one. A second signal goes to uvicorn at once. In a worker, the
    end of the process that started it counts as a signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers
        return
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore_handlers() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def raise_once_idle(number: int) -> None:
        if service.requests:
            loop.call_later(0.02, raise_once_idle, number)
        else:
            signal.raise_signal(number)

    def stop(number: int, _: object) -> None:
        restore_handlers()
        service.stopping = True
        loop.call_soon_threadsafe(raise_once_idle, number)

    def stop_as_orphan(sentinel: int) -> None:
        loop.remove_reader(sentinel)
        signal.raise_signal(signal.SIGTERM)

    for number in handlers:
        signal.signal(number, stop)
    if parent := multiprocessing.parent_process():
        loop.add_reader(parent.sentinel, stop_as_orphan, parent.sentinel)
    try:
        yield
    finally:
        restore_handlers()
