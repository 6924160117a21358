"""Uvicorn on one port, in one process or several."""

from __future__ import annotations

import signal
import socket
import sys
from functools import partial
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from sightline.captioner import available_cores, load
from sightline.errors import SightlineError
from sightline.serve.app import create_app, load_app
from sightline.serve.limits import Limits


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any that is free); raises `SightlineError` where that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SightlineError(f"cannot listen on {host}, port {port} ({reason}); give another --host or --port") from None
    return listener


def run(listener: socket.socket, model: Path, limits: Limits, workers: int) -> None:
    """Serve until a signal says to stop; several workers share the port and nothing else, and the cores evenly.

    Raises:
        SightlineError: the model cannot be loaded.
    """
    captioner = load(model, threads=1)  # a bad model is told of here, in one line, and not by every worker
    cores = max(1, available_cores() // workers)
    app = partial(create_app, captioner, limits, cores) if workers == 1 else partial(load_app, model, limits, cores)
    config = uvicorn.Config(
        app,
        factory=True,
        workers=workers,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    listener.listen(config.backlog)
    print(f"sightline: serving at {_address(listener)}, described at /docs; Ctrl-C stops it", file=sys.stderr, flush=True)
    # Uvicorn sends itself the signal again when all is done, which would end this process as if it had failed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            Multiprocess(config, [listener]).run()
    except KeyboardInterrupt:
        pass  # the way to stop it from a terminal


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
