"""The HTTP application: its routes, and one shape for every error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline._version import __version__
from sightline.captioner import Captioner, load
from sightline.preprocess import allow_pixels, silence_pillow
from sightline.serve.endpoints import NAMES
from sightline.serve.json_request import ENDPOINTS, Endpoint
from sightline.serve.limits import Code, Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.page_files import page_files
from sightline.serve.pages import add_pages
from sightline.serve.request import CaptionRequests
from sightline.serve.schemas import (
    ANSWERS,
    DESCRIPTION,
    Captions,
    Health,
    answer,
    request_schema,
)
from sightline.serve.service import CaptionService, end_on_hangup, finish_before_exit
from sightline.serve.upload import read_upload
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
    endpoints: Sequence[str] = NAMES,
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
        endpoints: whose ways to ask are understood beside the service's own, of `ENDPOINTS`.
    """
    limits, metrics = limits or Limits(), Metrics()
    limits = replace(limits, beam_size=min(limits.beam_size, captioner.max_beam_size))
    service = CaptionService(captioner, limits, metrics, cores or available_cores())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with finish_before_exit(service), closing(service):
            yield

    app = FastAPI(
        title="Sightline",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    requests = CaptionRequests(service, limits, metrics)
    _add_captions(app, requests)
    others = [ENDPOINTS[name] for name in endpoints]
    for endpoint in others:
        endpoint.add(app, requests)
    _add_health(app, service, metrics)
    _add_errors(app, others)
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


def _add_captions(app: FastAPI, requests: CaptionRequests) -> None:
    form = {"required": True, "content": {"multipart/form-data": {"schema": request_schema(requests.limits)}}}

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
        status, _, body = answer(await requests.captioned(request, read_upload))
        return JSONResponse(body, status)


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


def _add_errors(app: FastAPI, endpoints: Sequence[Endpoint]) -> None:
    """Answer every error, the framework's too, with JSON of one shape, `Refusal`, or of its path's endpoint."""
    forms = {path: endpoint.refusal for endpoint in endpoints for path in endpoint.paths}

    def told(request: Request, error: Refused, headers: Mapping[str, str] | None = None) -> JSONResponse:
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        closest = max((start for start in forms if path.startswith(start)), key=len, default=None)
        body = forms[closest](error) if closest else error.as_dict()
        return JSONResponse(body, error.status, error.headers if headers is None else headers)

    @app.exception_handler(Refused)
    async def refusal(request: Request, error: Refused) -> JSONResponse:
        return told(request, error)

    @app.exception_handler(ClientDisconnect)
    async def abandoned(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody is left to read it

    @app.exception_handler(HTTPException)
    async def framework_error(request: Request, error: HTTPException) -> JSONResponse:
        code: Code = "method_not_allowed" if error.status_code == 405 else "not_found"
        message = f"{request.method} {request.url.path[:200]}: {error.detail}"
        return told(request, Refused(error.status_code, code, message), error.headers or {})

    @app.exception_handler(Exception)
    async def failure(request: Request, _: Exception) -> JSONResponse:
        return told(request, Refused(500, "failed", "the service failed; its log says why"))
