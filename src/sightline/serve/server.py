"""Run the application in uvicorn on one port, in one process or several."""

from __future__ import annotations

import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from sightline.captioner import load
from sightline.errors import SightlineError
from sightline.serve.app import create_app, load_app
from sightline.serve.connections import Connection, Listener, raise_file_limit
from sightline.serve.limits import Limits
from sightline.serve.service import end_on_hangup
from sightline.sessions import available_cores

_SECONDS_TO_START = 60


class Port(Listener):
    """A bound socket; pickled for another process, it becomes that process's own socket on the same port.

    Linux divides connections evenly among sockets that share a port. Processes that shared one socket would race for
    them instead, and the first to wake would win nearly all.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, (self.family, self.getsockname(), True)


def listen(host: str, port: int, shared: bool) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any free one); ``shared``: other processes may bind it too.

    Raises:
        SightlineError: the host is unknown, or the port is taken or not allowed.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # First alone: binding a shared port that another service shares would not fail.
        with _bound(family, address, False) as exclusive:
            address = exclusive.getsockname()
        return _bound(family, address, shared)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SightlineError(f"{host}, port {port}: cannot listen ({reason}); give another --host or --port") from None


def _bound(family: int, address: Any, shared: bool) -> Port:
    # With the protocol given, asyncio recognises TCP and sends small answers at once instead of after 40 ms.
    bound = Port(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


def run(listener: socket.socket, model: Path, limits: Limits, workers: int) -> None:
    """Serve until a signal stops it; several workers share the port only, and divide the cores evenly.

    Raises:
        SightlineError: the model cannot be loaded.
    """
    captioner = load(model, threads=1)  # a bad model is reported here once, not by every worker
    cores = max(1, available_cores() // workers)
    app = partial(create_app, captioner, limits, cores) if workers == 1 else partial(load_app, model, limits, cores)
    config = uvicorn.Config(
        app,
        factory=True,
        workers=workers,
        loop="asyncio",  # the only one that accepts connections by `Listener`
        http=Connection,
        ws="none",
        lifespan="on",
        log_level="error",  # a warning tells of a client's mistake: strangers could fill the log
        access_log=False,
        server_header=False,
        timeout_keep_alive=limits.seconds,
    )
    raise_file_limit()
    # Uvicorn raises the signal again after its shutdown, which would end this process with a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_on_hangup()
    try:
        if workers == 1:
            listener.listen(config.backlog)  # connections are accepted from before the line is printed
            _print_address(listener)
            uvicorn.Server(config).run(sockets=[listener])
        else:
            hangup = signal.getsignal(signal.SIGHUP)
            supervisor = _Workers(config, [listener])
            signal.signal(signal.SIGHUP, hangup)  # uvicorn's own handler starts the workers anew
            supervisor.run()
    except KeyboardInterrupt:
        pass  # Ctrl-C


class _Workers(Multiprocess):
    """Uvicorn's supervisor, which prints the address once every worker is ready; it has no public hook for that."""

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_SECONDS_TO_START) for process in self.processes):
            _print_address(self.sockets[0])


def _print_address(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"sightline: serving at http://{address}, described at /docs; Ctrl-C stops it", file=sys.stderr, flush=True)
