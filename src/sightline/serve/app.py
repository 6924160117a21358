"""The HTTP application: its routes, and one shape for every error."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline._version import __version__
from sightline.captioner import Captioner, load
from sightline.preprocess import allow_pixels, silence_pillow
from sightline.serve.limits import Code, Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.page_files import page_files
from sightline.serve.pages import add_pages
from sightline.serve.schemas import (
    ANSWERS,
    DESCRIPTION,
    CaptionOptions,
    Captions,
    Health,
    Result,
    answer,
    request_schema,
)
from sightline.serve.service import CaptionService, end_on_hangup, finish_before_exit
from sightline.serve.upload import Upload, read_upload
from sightline.sessions import available_cores


def load_app(model: Path, limits: Limits, cores: int, **web: Any) -> FastAPI:
    """`create_app` for a model folder; every worker process calls it."""
    silence_pillow()  # as the command did in its own process
    allow_pixels(limits.pixels)
    end_on_hangup()
    return create_app(load(model, threads=1), limits, cores, **web)


def create_app(
    captioner: Captioner,
    limits: Limits | None = None,
    cores: int | None = None,
    page: Mapping[str, bytes] | None = None,
    root_path: str = "",
    origins: Sequence[str] = (),
) -> FastAPI:
    """The application.

    Args:
        captioner: best loaded with ``threads=1``, as it captions one photo per core at the same time.
        limits: None for the defaults.
        cores: photos captioned at the same time; None for as many as this process may use.
        page: files served at ``/``, by name; None for the page of the package; if empty, ``/`` redirects to the
            description of the API.
        root_path: the path below which all of it is reached, as ``/caption``, whether or not a proxy takes it off.
        origins: the origins of other sites whose pages may read the answers, as ``https://example.org``; ``*``: all.
    """
    limits, metrics = limits or Limits(), Metrics()
    limits = replace(limits, beam_size=min(limits.beam_size, captioner.max_beam_size))
    service = CaptionService(captioner, limits, metrics, cores or available_cores())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with finish_before_exit(service):
            yield

    app = FastAPI(
        title="Sightline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    _add_captions(app, service, limits, metrics)
    _add_health(app, service, metrics)
    _add_errors(app)
    add_pages(app, page_files("remote") if page is None else page)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], expose_headers=["Retry-After"]
        )
    if root_path:
        app.add_middleware(_BelowRoot, root_path=root_path)
    return app


class _BelowRoot:
    """Middleware that takes paths with the prefix ``root_path`` and without it, which a proxy may have taken off."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the application's ``path`` begins with its ``root_path``."""
        if scope["type"] == "http":
            path = scope["path"]
            path = path if f"{path}/".startswith(f"{self._root_path}/") else self._root_path + path
            scope = {**scope, "path": path, "root_path": self._root_path}
        await self._app(scope, receive, send)


def _add_captions(app: FastAPI, service: CaptionService, limits: Limits, metrics: Metrics) -> None:
    form = {"required": True, "content": {"multipart/form-data": {"schema": request_schema(limits)}}}

    @app.post(
        "/v1/captions",
        response_model=Captions,
        responses=ANSWERS,
        openapi_extra={"requestBody": form},
        summary="Caption photos",
        tags=["captions"],
    )
    async def create_captions(request: Request) -> Response:
        """One or several photos, as files of the form field `photos`; the options are fields of the same form.

        A photo's caption depends on the photo and the options only. A photo that cannot be captioned has its error
        in its place, and the others are captioned.
        """
        began = time.perf_counter()
        outcome = "failed"
        try:
            with service.accepted(client_network(request)):
                status, outcome, body = answer(await _captioned(request, service, limits, metrics))
            return JSONResponse(body, status)
        except Refused as refused:
            outcome = refused.code
            raise
        except ClientDisconnect:
            outcome = "abandoned"
            return Response(status_code=400)  # nobody is left to read it
        finally:
            metrics.requests.labels(outcome).inc()
            metrics.seconds.labels("request").observe(time.perf_counter() - began)


def client_network(request: Request) -> str | None:
    """Whose share of the queue a request takes: an IPv4 address, or the IPv6 network (/64) that one client may have."""
    if request.client is None:
        return None
    with contextlib.suppress(ValueError):  # what a proxy sends may be a name
        address = ip_address(request.client.host)
        if address.version == 6 and not address.ipv4_mapped:
            return str(ip_network((int(address), 64), strict=False))
    return request.client.host


async def _captioned(request: Request, service: CaptionService, limits: Limits, metrics: Metrics) -> list[Result]:
    began = time.perf_counter()
    timeout = Refused(408, "too_slow", f"the request did not arrive within {limits.seconds} s")
    try:
        async with asyncio.timeout(limits.seconds):
            upload = await read_upload(request, limits)
            metrics.seconds.labels("reading").observe(time.perf_counter() - began)
            timeout = Refused(504, "timeout", f"not done within {limits.seconds} s; send fewer photos")
            return await _unless_disconnected(request, service, upload, _options(upload, limits))
    except TimeoutError:
        raise timeout from None


async def _unless_disconnected(
    request: Request, service: CaptionService, upload: Upload, options: CaptionOptions
) -> list[Result]:
    """The captions; raises `ClientDisconnect`, and drops the work, once the client is gone."""
    captions = asyncio.ensure_future(service.caption(upload.photos, options))
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


def _options(upload: Upload, limits: Limits) -> CaptionOptions:
    try:
        options = CaptionOptions.model_validate(upload.options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Refused(422, "bad_option", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if options.beam_size > limits.beam_size:
        raise Refused(422, "bad_option", f"beam_size: it may be {limits.beam_size} at most")
    return options


def _add_health(app: FastAPI, service: CaptionService, metrics: Metrics) -> None:
    # HEAD is what many health checks send; described once, as GET.
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", response_model=Health, summary="Whether the process is alive", tags=["operation"])
    async def alive() -> Health:
        return Health(status="alive")

    @app.head("/readyz", include_in_schema=False)
    @app.get(
        "/readyz",
        response_model=Health,
        responses={503: {"model": Health, "description": "It is stopping, and refuses requests."}},
        summary="Whether the model is loaded and requests are accepted",
        tags=["operation"],
    )
    async def ready(response: Response) -> Health:
        response.status_code = 503 if service.stopping else 200
        return Health(status="stopping" if service.stopping else "ready")

    @app.head("/metrics", include_in_schema=False)
    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
        summary="Counters for Prometheus",
        tags=["operation"],
    )
    async def counters() -> Response:
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _add_errors(app: FastAPI) -> None:
    """Answer every error, the framework's too, with JSON of one shape: `Refusal`."""

    @app.exception_handler(Refused)
    async def refusal(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.as_dict(), error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def framework_error(request: Request, error: HTTPException) -> JSONResponse:
        code: Code = "method_not_allowed" if error.status_code == 405 else "not_found"
        message = f"{request.method} {request.url.path[:200]}: {error.detail}"
        return JSONResponse(Refused(error.status_code, code, message).as_dict(), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failure(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse(Refused(500, "failed", "the service failed; its log says why").as_dict(), 500)
