"""A request for captions, in whichever form: accepted, read, captioned in time, and counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from sightline.serve.limits import Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.schemas import CaptionOptions, Result, answer
from sightline.serve.service import CaptionService
from sightline.serve.upload import Upload

Reader: TypeAlias = Callable[[Request, Limits], Awaitable[Upload]]  # reads a body, or raises `Refused`


@dataclass(frozen=True)
class CaptionRequests:
    """What every form of request has in common: the one service, its limits, and its counters.

    Attributes:
        parsing: to be held while a large body is parsed, so that only one at a time has its memory twice.
    """

    service: CaptionService
    limits: Limits
    metrics: Metrics
    parsing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def captioned(self, request: Request, read: Reader) -> list[Result]:
        """The caption or error of each photo that ``read`` finds in the request, in their order.

        Raises:
            Refused: the request is refused as a whole.
            starlette.requests.ClientDisconnect: the client closed the connection; its work was dropped.
        """
        began = time.perf_counter()
        outcome = "failed"
        try:
            with self.service.accepted(client_network(request)):
                results = await self._in_time(request, read)
                _, outcome, _ = answer(results)
                return results
        except Refused as refused:
            outcome = refused.code
            raise
        except ClientDisconnect:
            outcome = "abandoned"
            raise
        finally:
            self.metrics.requests.labels(outcome).inc()
            self.metrics.seconds.labels("request").observe(time.perf_counter() - began)

    async def _in_time(self, request: Request, read: Reader) -> list[Result]:
        began, limits = time.perf_counter(), self.limits
        timeout = Refused(408, "too_slow", f"the request did not arrive within {limits.seconds} s")
        try:
            async with asyncio.timeout(limits.seconds):
                upload = await read(request, limits)
                self.metrics.seconds.labels("reading").observe(time.perf_counter() - began)
                timeout = Refused(504, "timeout", f"not done within {limits.seconds} s; send fewer photos")
                return await self._unless_disconnected(request, upload, _options(upload, limits))
        except TimeoutError:
            raise timeout from None

    async def _unless_disconnected(self, request: Request, upload: Upload, options: CaptionOptions) -> list[Result]:
        """The captions; raises `ClientDisconnect`, and drops the work, once the client is gone."""
        captions = asyncio.ensure_future(self.service.caption(upload.photos, options))
        # The body has been read: the only message that can still arrive is the disconnection.
        disconnected = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait((captions, disconnected), return_when=asyncio.FIRST_COMPLETED)
            if not captions.done():
                raise ClientDisconnect
            return captions.result()
        finally:
            captions.cancel()
            disconnected.cancel()


def client_network(request: Request) -> str | None:
    """Whose share of the queue a request takes: an IPv4 address, or the IPv6 network (/64) that one client may have."""
    if request.client is None:
        return None
    with contextlib.suppress(ValueError):  # what a proxy sends may be a name
        address = ip_address(request.client.host)
        if address.version == 6 and not address.ipv4_mapped:
            return str(ip_network((int(address), 64), strict=False))
    return request.client.host


def _options(upload: Upload, limits: Limits) -> CaptionOptions:
    try:
        options = CaptionOptions.model_validate(upload.options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Refused(422, "bad_option", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if options.beam_size > limits.beam_size:
        raise Refused(422, "bad_option", f"beam_size: it may be {limits.beam_size} at most")
    return options
