"""Accepts requests up to a bound and captions their photos on one thread per core."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image

from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.preprocess import TooManyPixels
from sightline.serve.limits import Code, Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.schemas import CaptionOptions, Result
from sightline.serve.upload import UploadedPhoto
from sightline.serve.workers import Workers

# Pillow has many more; some of its readers start other programs or were never meant for untrusted files.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")

_log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class _WaitingPhoto:
    photo: UploadedPhoto
    since: float


class CaptionService:
    """One captioner, shared by ``cores`` threads; a photo's caption depends on the photo and the options only.

    Everything but the captioning runs on the event loop's thread, so nothing here needs a lock.

    Args:
        captioner: used by several threads at once; best loaded with ``threads=1``.
        cores: photos captioned at the same time.
    """

    def __init__(self, captioner: Captioner, limits: Limits, metrics: Metrics, cores: int) -> None:
        self.stopping = False
        self._captioner, self._limits, self._metrics = captioner, limits, metrics
        self._workers: Workers[CaptionOptions, _WaitingPhoto, Result] = Workers(cores, self._caption)
        self._accepted = 0

    def warm_up(self) -> None:
        """Caption a grey picture, so that the first request does not wait for what is loaded on first use."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "grey").save(picture, "PNG")
        grey = UploadedPhoto("grey.png", bytearray(picture.getvalue()))
        self._results(CaptionOptions.model_validate({}), [grey])

    @property
    def busy(self) -> bool:
        """Whether an accepted request has not been answered yet."""
        return self._accepted > 0

    def stop(self) -> None:
        """Refuse all further requests."""
        self.stopping = True

    @contextmanager
    def accepted(self) -> Iterator[None]:
        """Count a request as accepted within the block; raises `Refused` if the queue is full or the service stops."""
        if self.stopping:
            raise Refused(503, "stopping", "the service is stopping; ask again", {"Retry-After": "1"})
        if self._accepted >= self._limits.queue:
            raise Refused(429, "queue_full", "too many requests at once; ask again", {"Retry-After": "1"})
        self._accepted += 1
        self._metrics.accepted.set(self._accepted)
        try:
            yield
        finally:
            self._accepted -= 1
            self._metrics.accepted.set(self._accepted)

    def check(self, options: CaptionOptions) -> None:
        """Raise `Refused` where an option is over the limits."""
        if options.beam_size > self._limits.beam_size:
            raise Refused(422, "bad_option", f"beam_size: it may be {self._limits.beam_size} at most")

    async def caption(self, photos: list[UploadedPhoto], options: CaptionOptions) -> list[Result]:
        """Each photo's caption or error, in their order; when cancelled, photos not yet begun are dropped."""
        now = time.perf_counter()
        self._metrics.waiting.inc(len(photos))
        jobs = [self._workers.submit(options, _WaitingPhoto(photo, now)) for photo in photos]
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, jobs))
        finally:
            # `cancel` returns True for the photos that were never begun.
            self._metrics.waiting.dec(sum(job.cancel() for job in jobs))

    def _caption(self, options: CaptionOptions, waiting: Sequence[_WaitingPhoto]) -> list[Result]:
        began = time.perf_counter()
        for each in waiting:
            self._metrics.waiting.dec()
            self._metrics.seconds.labels("waiting").observe(began - each.since)
        results = self._results(options, [each.photo for each in waiting])
        for result in results:
            self._metrics.photos.labels(result["error"]["code"] if "error" in result else "captioned").inc()
            self._metrics.seconds.labels("captioning").observe(time.perf_counter() - began)
        return [{"photo": each.photo.name, **result} for each, result in zip(waiting, results, strict=True)]

    def _results(self, options: CaptionOptions, photos: Sequence[UploadedPhoto]) -> list[Result]:
        try:
            refusals = [_refusal(photo, self._limits) for photo in photos]
            captions = iter(
                self._captioner.caption_batch(
                    [photo.content for photo, refusal in zip(photos, refusals, strict=True) if refusal is None],
                    options.beam_size,
                    options.length_penalty,
                    options.evidence,
                    formats=FORMATS,
                    max_pixels=self._limits.pixels,
                )
            )
            return [_result(next(captions), options) if refusal is None else refusal.as_dict() for refusal in refusals]
        except Exception:
            if len(photos) > 1:
                # One photo's failure must not cost the other its caption.
                return [result for photo in photos for result in self._results(options, [photo])]
            _log.exception("a photo could not be captioned")
            return [Refused(500, "failed", "the service failed on this photo; its log says why").as_dict()]


def _refusal(photo: UploadedPhoto, limits: Limits) -> Refused | None:
    """Why a photo is not even opened, if there is a reason."""
    if photo.too_large:
        return Refused(413, "too_large", f"over {limits.photo_bytes:,} bytes; scale the photo down first")
    return None if photo.content else Refused(422, "empty", "no bytes arrived")


def _result(caption: Caption | SightlineError, options: CaptionOptions) -> Result:
    if isinstance(caption, SightlineError):
        code: Code = "too_many_pixels" if isinstance(caption, TooManyPixels) else "unreadable"
        return Refused(422, code, str(caption).removeprefix("photo: ")).as_dict()
    return {key: value for key, value in caption.as_dict().items() if key != "attention" or options.attention}
