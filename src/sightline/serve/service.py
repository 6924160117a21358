"""Takes requests up to a bound, captions their photos on one thread a core, and stops without losing any."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

from PIL import Image

from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.serve.limits import Limits
from sightline.serve.metrics import Metrics
from sightline.serve.models import CaptionOptions
from sightline.serve.photo import check_photo
from sightline.serve.refused import Refused
from sightline.serve.upload import UploadedPhoto

Result: TypeAlias = dict[str, Any]

_log = logging.getLogger("uvicorn.error")


class CaptionService:
    """One captioner, shared by as many threads as it has cores; each photo is captioned alone.

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
        self._pool = ThreadPoolExecutor(cores, "caption")
        self._taken = 0

    def warm_up(self) -> None:
        """Caption a grey picture, so that the first who asks does not wait for what is loaded at first use."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), "grey").save(picture, "PNG")
        self._result(UploadedPhoto("grey.png", bytearray(picture.getvalue())), CaptionOptions.model_validate({}))

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
        jobs = [self._pool.submit(self._one, photo, options, asked) for photo in photos]
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, jobs))
        finally:
            # True for those alone that never began.
            self._metrics.waiting.dec(sum(job.cancel() for job in jobs))

    def _one(self, photo: UploadedPhoto, options: CaptionOptions, asked: float) -> Result:
        began = time.perf_counter()
        self._metrics.waiting.dec()
        self._metrics.seconds.labels("waiting").observe(began - asked)
        result = self._result(photo, options)
        self._metrics.photos.labels(result["error"]["code"] if "error" in result else "captioned").inc()
        self._metrics.seconds.labels("captioning").observe(time.perf_counter() - began)
        return {"photo": photo.name, **result}

    def _result(self, photo: UploadedPhoto, options: CaptionOptions) -> Result:
        try:
            content = check_photo(photo, self._limits)
            caption = self._captioner(content, options.beam_size, options.length_penalty, options.evidence).as_dict()
            return {key: value for key, value in caption.items() if key != "attention" or options.attention}
        except Refused as refused:
            return refused.as_dict()
        except SightlineError as error:
            return Refused(422, "unreadable", str(error).removeprefix("photo: ")).as_dict()
        except Exception:
            # One photo's failure, even ours, is not to cost a request its other photos.
            _log.exception("a photo could not be captioned")
            return Refused(500, "failed", "the service failed on this photo; its log says why").as_dict()
