"""`sightline serve` and `site`: captions over HTTP, and in the visitors' own browsers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sightline.cli.options import PATH, is_installed, model_option
from sightline.cli.streams import put
from sightline.errors import SightlineError
from sightline.serve.limits import MB, Limits

_NEEDED = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn")


def _limit(name: str, default: int, help_text: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.IntRange(min=1), default=default, help=help_text)


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen on; 0.0.0.0 lets other machines in.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes any that is free.")
@model_option
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Processes that share the port.")
@_limit("--photo-mb", Limits.photo_bytes // MB, "Megabytes per photo.")
@_limit("--request-mb", Limits.request_bytes // MB, "Megabytes per request.")
@_limit("--megapixels", Limits.pixels // MB, "Million pixels per photo.")
@_limit("--photos", Limits.photos, "Photos per request.")
@_limit("--queue", Limits.queue, "Requests that a worker accepts at once; more get status 429.")
@_limit("--seconds", Limits.seconds, "Seconds per request, from its first byte to its answer.")
@_limit("--max-beam-size", Limits.beam_size, "The largest beam size that may be asked for.")
def serve(
    host: str,
    port: int,
    model: Path | None,
    workers: int,
    photo_mb: int,
    request_mb: int,
    megapixels: int,
    photos: int,
    queue: int,
    seconds: int,
    max_beam_size: int,
) -> None:
    """Caption photos over HTTP: POST /v1/captions, described at /docs.

    A page for people is at /, counters for Prometheus at /metrics, health checks at /healthz and /readyz.

    The service fetches no URL and reads no path. SIGTERM or Ctrl-C stops it once every accepted request is answered.
    """
    if absent := [name for name in _NEEDED if not is_installed(name)]:
        raise SightlineError(f'this verb needs the service: pip install "sightline[serve]" (no {", ".join(absent)})')
    from sightline.captioner import model_folder
    from sightline.serve.server import listen, run

    limits = Limits(photo_mb * MB, request_mb * MB, megapixels * MB, photos, queue, seconds, max_beam_size)
    folder = model_folder(model)
    listener = listen(host, port, shared=workers > 1)
    run(listener, folder, limits, workers)


@click.command()
@click.option("--out", type=PATH, metavar="FOLDER", required=True, help="Where to write; an earlier site is replaced.")
@model_option
def site(out: Path, model: Path | None) -> None:
    """Write a static web site that captions photos in the visitor's own browser.

    Any server of static files will do, and no photo leaves the visitor's device. npm, which comes with Node.js,
    fetches the runtime for browsers; after that no network is needed.
    """
    from sightline.captioner import model_folder
    from sightline.serve.site import write_site

    size = write_site(out, model_folder(model))
    put(f"{out}: {size / 1e6:.1f} MB; try it: python -m http.server --directory {out}")
