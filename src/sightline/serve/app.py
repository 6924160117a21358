"""The HTTP application: what is asked at which path, and how every answer looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import sightline
from sightline.captioner import Captioner, available_cores, load
from sightline.serve.answers import ANSWERS, DESCRIPTION, answer
from sightline.serve.limits import Limits
from sightline.serve.metrics import Metrics
from sightline.serve.models import CaptionOptions, Captions, Code, Health, request_schema
from sightline.serve.page_files import page_files
from sightline.serve.pages import add_pages
from sightline.serve.refused import Refused
from sightline.serve.service import CaptionService
from sightline.serve.stopping import finish_before_exit
from sightline.serve.upload import Upload, read_upload

_RETRY = {"Retry-After": "1"}


def load_app(model: Path, limits: Limits, cores: int) -> FastAPI:
    """`create_app` of a model folder; what every worker process calls."""
    return create_app(load(model, threads=1), limits, cores)


def create_app(
    captioner: Captioner,
    limits: Limits | None = None,
    cores: int | None = None,
    page: Mapping[str, bytes] | None = None,
) -> FastAPI:
    """The application.

    Args:
        captioner: best loaded with ``threads=1``, for it captions a photo a core at once.
        limits: what is refused; None for the defaults.
        cores: photos captioned at once; None for as many as this process may use.
        page: the files at ``/`` by name, None for the page of the package; without any, ``/`` leads to the API's
            description.
    """
    limits, metrics = limits or Limits(), Metrics()
    service = CaptionService(captioner, limits, metrics, cores or available_cores())

    service.warm_up()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with finish_before_exit(service):
            yield

    app = FastAPI(
        title="Sightline",
        version=sightline.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_captions(app, service, limits, metrics)
    _add_health(app, service, metrics)
    _add_errors(app)
    add_pages(app, page_files("remote") if page is None else page)
    return app


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

        A photo's caption depends on nothing but the photo and the options. A photo that cannot be captioned has its
        error in its place, and the others are captioned.
        """
        began = time.perf_counter()
        outcome = "failed"
        try:
            with service.taken():
                status, outcome, body = answer(await _captioned(request, service, limits, metrics))
            return JSONResponse(body, status)
        except Refused as refused:
            outcome = refused.code
            raise
        except ClientDisconnect:
            outcome = "abandoned"
            raise
        finally:
            metrics.requests.labels(outcome).inc()
            metrics.seconds.labels("request").observe(time.perf_counter() - began)


async def _captioned(
    request: Request, service: CaptionService, limits: Limits, metrics: Metrics
) -> list[dict[str, object]]:
    began = time.perf_counter()
    late = Refused(408, "too_slow", f"the request did not arrive within {limits.seconds} s")
    try:
        async with asyncio.timeout(limits.seconds):
            upload = await read_upload(request, limits)
            metrics.seconds.labels("reading").observe(time.perf_counter() - began)
            late = Refused(504, "timeout", f"not done within {limits.seconds} s; send fewer photos", _RETRY)
            options = _options(upload)
            service.check(options)
            return await _unless_gone(request, service, upload, options)
    except TimeoutError:
        raise late from None


async def _unless_gone(
    request: Request, service: CaptionService, upload: Upload, options: CaptionOptions
) -> list[dict[str, object]]:
    """The captions; work that nobody waits for any more is dropped, and `ClientDisconnect` raised."""
    captions = asyncio.ensure_future(service.caption(upload.photos, options))
    # The body has been read, so all that can still be received is that the client is gone.
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((captions, gone), return_when=asyncio.FIRST_COMPLETED)
        if not captions.done():
            raise ClientDisconnect
        return captions.result()
    finally:
        captions.cancel()
        gone.cancel()


def _options(upload: Upload) -> CaptionOptions:
    try:
        return CaptionOptions.model_validate(upload.options)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False)[0]
        raise Refused(422, "bad_option", f"{'.'.join(map(str, told['loc']))}: {told['msg']}") from None


def _add_health(app: FastAPI, service: CaptionService, metrics: Metrics) -> None:
    @app.get("/healthz", response_model=Health, summary="Whether the process is alive", tags=["operation"])
    async def alive() -> Health:
        return Health(status="alive")

    @app.get(
        "/readyz",
        response_model=Health,
        responses={503: {"model": Health, "description": "It is stopping, and takes no more requests."}},
        summary="Whether the model is loaded and requests are taken",
        tags=["operation"],
    )
    async def ready(response: Response) -> Health:
        response.status_code = 503 if service.stopping else 200
        return Health(status="stopping" if service.stopping else "ready")

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
        summary="Counters for Prometheus",
        tags=["operation"],
    )
    async def counted() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _add_errors(app: FastAPI) -> None:
    """Every error is JSON of one shape, `Refusal`, those of the framework too."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.as_dict(), error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        code: Code = "method_not_allowed" if error.status_code == 405 else "not_found"
        message = f"{request.method} {request.url.path[:200]}: {error.detail}"
        return JSONResponse(Refused(error.status_code, code, message).as_dict(), error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody is left to read it

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse(Refused(500, "failed", "the service failed; its log says why").as_dict(), 500)
