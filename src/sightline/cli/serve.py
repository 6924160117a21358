"""`sightline serve` and `site`: captions over HTTP, and in the visitors' own browsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sightline.cli.options import PATH, model_option, plugin_option
from sightline.cli.streams import put
from sightline.errors import SightlineError, require
from sightline.serve.endpoints import NAMES
from sightline.serve.limits import MB, Limits

_NEEDED = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn")


def _limit(option: str, field: str, help_text: str, unit: int = 1) -> Callable[[Any], Any]:
    """An option in ``unit``s for a field of `Limits`."""
    return click.option(
        *option.split(),
        field,
        type=click.IntRange(min=1),
        default=getattr(Limits, field) // unit,
        callback=lambda context, parameter, value: value * unit,
        help=help_text,
    )


def _root_path(_: object, __: object, path: str) -> str:
    path = path.rstrip("/")
    if path and not re.fullmatch(r"(/[\w.~-]+)+", path, re.ASCII):
        raise click.BadParameter(f"{path}: a path such as /caption")
    return path


def _origins(_: object, __: object, origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s*]+", origin):
            raise click.BadParameter(f"{origin}: an origin such as https://example.org, without a path; or *")
    return origins


def _endpoints(_: object, __: object, names: str) -> tuple[str, ...]:
    asked = tuple(name for part in names.split(",") if (name := part.strip()) and name != "none")
    for name in asked:
        if name not in NAMES and not _is_registered(name):
            raise click.BadParameter(f"{name}: not one of {', '.join(NAMES)}, none")
    return asked


def _is_registered(name: str) -> bool:
    require("the service", "serve", _NEEDED)
    from sightline.serve.json_request import ENDPOINTS

    return name in ENDPOINTS


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen on; 0.0.0.0 lets other machines in.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes any that is free.")
@plugin_option
@model_option
@click.option("--uds", type=PATH, metavar="PATH", help="A Unix socket to listen at, instead of --host and --port.")
@click.option("--root-path", default="", callback=_root_path, help="The path that a proxy serves it below: /caption.")
@click.option("--cors", multiple=True, callback=_origins, help="An origin whose pages may ask; * for all. Repeatable.")
@click.option(
    "--api", "endpoints", default=",".join(NAMES), callback=_endpoints, help="Whose clients may ask, too; or none."
)
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Processes that share the port.")
@_limit("--photo-mb", "photo_bytes", "Megabytes per photo.", MB)
@_limit("--request-mb", "request_bytes", "Megabytes per request.", MB)
@_limit("--max-megapixels --megapixels", "pixels", "Million pixels per photo that need memory.", MB)
@_limit("--photos", "photos", "Photos per request.")
@_limit("--queue", "queue", "Requests that a worker accepts at once; more get status 429.")
@_limit("--seconds", "seconds", "Seconds per request, first byte to answer; and for a silent connection.")
@_limit("--max-beam-size", "beam_size", "The largest beam size that may be asked for.")
def serve(
    host: str,
    port: int,
    uds: Path | None,
    root_path: str,
    cors: tuple[str, ...],
    endpoints: tuple[str, ...],
    model: Path | None,
    workers: int,
    **limits: int,
) -> None:
    """Caption photos over HTTP: POST /v1/captions, described at /docs; or as clients of other services ask, by --api.

    A page for people is at /, counters for Prometheus at /metrics, health checks at /healthz and /readyz.

    The service fetches no URL and reads no path. SIGTERM, SIGHUP or Ctrl-C stops it once every accepted request is
    answered.
    """
    require("the service", "serve", _NEEDED)
    from sightline.captioner import model_folder
    from sightline.serve.server import listen, listen_at, run

    if uds and workers > 1:
        raise SightlineError("--uds has one worker; for several, start one service a socket behind a proxy")
    folder = model_folder(model)
    listener = listen_at(uds) if uds else listen(host, port, shared=workers > 1)
    run(listener, folder, Limits(**limits), workers, root_path, cors, endpoints)


@click.command()
@click.option("--out", type=PATH, metavar="FOLDER", help="Where to write the site; an earlier one is replaced.")
@click.option("--module", type=PATH, metavar="FOLDER", help="Where to write a module that other pages import.")
@model_option
def site(out: Path | None, module: Path | None, model: Path | None) -> None:
    """Write a static web site that captions photos in the visitor's own browser; or a module for pages of your own.

    Any server of static files will do, and no photo leaves the visitor's device. npm, which comes with Node.js,
    fetches the runtime for browsers; after that no network is needed.

    The module has an element, <sightline-caption>, and types, and npm installs its folder: see README.md in it.
    """
    if not (out or module):
        raise click.UsageError("name a folder to write: --out for the site, --module for the module")
    from sightline.captioner import model_folder
    from sightline.serve.site import write_site
    from sightline.serve.web_module import write_module

    folder = model_folder(model)
    if out:
        put(f"{out}: {write_site(out, folder) / 1e6:.1f} MB; try it: python -m http.server --directory {out}")
    if module:
        size = write_module(module, folder) / 1e6
        put(f"{module}: {size:.1f} MB; try it: python -m http.server --directory {module}, then /example.html")
