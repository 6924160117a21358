"""Takes requests up to a bound, captions their photos on a thread for each core, and stops without losing any."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from PIL import Image

from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.serve.limits import Limits
from sightline.serve.metrics import Metrics
from sightline.serve.models import CaptionOptions
from sightline.serve.photo import check_photo
from sightline.serve.refused import Refused
from sightline.serve.upload import UploadedPhoto
from sightline.serve.workers import Workers

Result: TypeAlias = dict[str, Any]

_log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class _Asked:
    photo: UploadedPhoto
    at: float


class CaptionService:
    """One captioner, shared by as many threads as it has cores; a caption depends on nothing but its photo.

    All but the captioning happens on the event loop's thread, so nothing here needs a lock.

    Args:
        captioner: to be used by several threads at once; best loaded with ``threads=1``.
        limits: what is refused.
        metrics: what is counted.
        cores: photos captioned at the same time.
    """

    def __init__(self, captioner: Captioner, limits: Limits, metrics: Metrics, cores: int) -> None:
        self.stopping = False
        self._captioner, self._limits, self._metrics = captioner, limits, metrics
        self._workers: Workers[CaptionOptions, _Asked, Result] = Workers(cores, self._caption)
        self._taken = 0

    def warm_up(self) -> None:
        """Caption a grey picture, so that the first who asks does not wait for what is loaded at first use."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "grey").save(picture, "PNG")
        grey = UploadedPhoto("grey.png", bytearray(picture.getvalue()))
        self._results(CaptionOptions.model_validate({}), [grey])

    @property
    def busy(self) -> bool:
        """Whether a request that was taken has not been answered yet."""
        return self._taken > 0

    def stop(self) -> None:
        """Take no more requests."""
        self.stopping = True

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Holds one of the queue's places; raises `Refused` where there is none, or the service is stopping."""
        if self.stopping:
            raise Refused(503, "stopping", "the service is stopping; ask again", {"Retry-After": "1"})
        if self._taken >= self._limits.queue:
            raise Refused(429, "queue_full", "too many requests at once; ask again", {"Retry-After": "1"})
        self._taken += 1
        self._metrics.taken.set(self._taken)
        try:
            yield
        finally:
            self._taken -= 1
            self._metrics.taken.set(self._taken)

    def check(self, options: CaptionOptions) -> None:
        """Raise `Refused` where this model, or these limits, cannot do what is asked."""
        if options.beam_size > self._limits.beam_size:
            raise Refused(422, "bad_option", f"beam_size: it may be {self._limits.beam_size} at most")
        if options.evidence and not self._captioner.explains:
            raise Refused(422, "bad_option", "evidence: this model was exported before there was evidence")

    async def caption(self, photos: list[UploadedPhoto], options: CaptionOptions) -> list[Result]:
        """Each photo's caption or error, in their order; photos not begun are dropped when this is cancelled."""
        asked = time.perf_counter()
        self._metrics.waiting.inc(len(photos))
        jobs = [self._workers.submit(options, _Asked(photo, asked)) for photo in photos]
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, jobs))
        finally:
            # True for those alone that never began.
            self._metrics.waiting.dec(sum(job.cancel() for job in jobs))

    def _caption(self, options: CaptionOptions, asked: Sequence[_Asked]) -> list[Result]:
        began = time.perf_counter()
        for each in asked:
            self._metrics.waiting.dec()
            self._metrics.seconds.labels("waiting").observe(began - each.at)
        results = self._results(options, [each.photo for each in asked])
        for result in results:
            self._metrics.photos.labels(result["error"]["code"] if "error" in result else "captioned").inc()
            self._metrics.seconds.labels("captioning").observe(time.perf_counter() - began)
        return [{"photo": each.photo.name, **result} for each, result in zip(asked, results, strict=True)]

    def _results(self, options: CaptionOptions, photos: Sequence[UploadedPhoto]) -> list[Result]:
        try:
            checked = [self._checked(photo) for photo in photos]
            sound = [content for content in checked if isinstance(content, bytes)]
            beams, penalty = options.beam_size, options.length_penalty
            captions = iter(self._captioner.caption_batch(sound, beams, penalty, options.evidence))
            return [
                _told(next(captions), options) if isinstance(content, bytes) else content.as_dict()
                for content in checked
            ]
        except Exception:
            if len(photos) > 1:
                # One photo's failure, even ours, is not to cost the other its caption.
                return [result for photo in photos for result in self._results(options, [photo])]
            _log.exception("a photo could not be captioned")
            return [Refused(500, "failed", "the service failed on this photo; its log says why").as_dict()]

    def _checked(self, photo: UploadedPhoto) -> bytes | Refused:
        try:
            return check_photo(photo, self._limits)
        except Refused as refused:
            return refused


def _told(caption: Caption | SightlineError, options: CaptionOptions) -> Result:
    if isinstance(caption, SightlineError):
        return Refused(422, "unreadable", str(caption).removeprefix("photo: ")).as_dict()
    return {key: value for key, value in caption.as_dict().items() if key != "attention" or options.attention}
