"""Uvicorn on one port, in one process or several."""

from __future__ import annotations

import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from sightline.captioner import available_cores, load
from sightline.errors import SightlineError
from sightline.serve.app import create_app, load_app
from sightline.serve.limits import Limits

_SECONDS_TO_START = 60


class Port(socket.socket):
    """A bound socket; another process that is given it gets one of its own on the same port.

    Of sockets that share a port, Linux gives each its part of the connections. Processes that shared one socket would
    race for them instead, and the first to wake would win nearly all.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, (self.family, self.getsockname(), True)


def listen(host: str, port: int, shared: bool) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any that is free), for other processes too if it is ``shared``.

    Raises:
        SightlineError: the host is unknown, or the port taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with _bound(family, address, False) as alone:  # a port that others share could be taken without an error
            address = alone.getsockname()
        return _bound(family, address, shared)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SightlineError(f"{host}, port {port}: cannot listen ({reason}); give another --host or --port") from None


def _bound(family: int, address: Any, shared: bool) -> Port:
    # By its protocol asyncio knows a connection as TCP, and sends what is small at once instead of after 40 ms.
    bound = Port(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


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
    # Uvicorn sends itself the signal again when all is done, which would end this process as if it had failed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if workers == 1:
            listener.listen(config.backlog)  # from now on nobody who connects is turned away
            _tell(listener)
            uvicorn.Server(config).run(sockets=[listener])
        else:
            _Workers(config, [listener]).run()
    except KeyboardInterrupt:
        pass  # the way to stop it from a terminal


class _Workers(Multiprocess):
    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_SECONDS_TO_START) for process in self.processes):
            _tell(self.sockets[0])


def _tell(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"sightline: serving at http://{address}, described at /docs; Ctrl-C stops it", file=sys.stderr, flush=True)
