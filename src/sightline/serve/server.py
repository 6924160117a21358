"""Run the application in uvicorn on one port, in one process or several."""

from __future__ import annotations

import atexit
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from sightline.captioner import load
from sightline.errors import SightlineError
from sightline.serve.app import create_app, load_app
from sightline.serve.connections import Connection, Listener, raise_file_limit
from sightline.serve.endpoints import NAMES
from sightline.serve.limits import Limits
from sightline.serve.service import end_on_hangup
from sightline.sessions import available_cores

_SECONDS_TO_START = 60
_UNIX = getattr(socket, "AF_UNIX", None)  # Windows has no sockets that are files


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
        SightlineError: the host is unknown, the port is taken or not allowed, or this system lets none be shared.
    """
    if shared and not hasattr(socket, "SO_REUSEPORT"):
        raise SightlineError("processes cannot share a port on this system; give --workers 1, or ports behind a proxy")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # First alone: binding a shared port that another service shares would not fail.
        with _bound(family, address, False) as exclusive:
            address = exclusive.getsockname()
        return _bound(family, address, shared)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SightlineError(f"{host}, port {port}: cannot listen ({reason}); give another --host or --port") from None


def listen_at(path: Path) -> socket.socket:
    """A Unix socket at ``path``, whose permissions are those that the umask gives; removed when this process exits.

    Raises:
        SightlineError: another service listens there, or there can be no socket.
    """
    if _UNIX is None:
        raise SightlineError(f"{path}: there are no Unix sockets on this system; give --host and --port, not --uds")
    listener = Listener(_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(_UNIX) as other, contextlib.suppress(ConnectionRefusedError):
                other.connect(str(path))
                raise OSError("another service listens there")
            path.unlink()  # left by one that was killed
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SightlineError(f"{path}: cannot listen ({error.strerror or error}); give another --uds") from None
    atexit.register(path.absolute().unlink, missing_ok=True)
    return listener


def _bound(family: int, address: Any, shared: bool) -> Port:
    # With the protocol given, asyncio recognises TCP and sends small answers at once instead of after 40 ms.
    bound = Port(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # On Windows SO_REUSEADDR would let a second service take a port that is in use.
    reuse = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    bound.setsockopt(socket.SOL_SOCKET, reuse, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


def run(
    listener: socket.socket,
    model: Path,
    limits: Limits,
    workers: int,
    root_path: str = "",
    origins: Sequence[str] = (),
    endpoints: Sequence[str] = NAMES,
) -> None:
    """Serve until a signal stops it; several workers share the port only, and divide the cores evenly.

    ``root_path``, ``origins`` and ``endpoints`` as `create_app` takes them.

    Raises:
        SightlineError: the model cannot be loaded.
    """
    captioner = load(model, threads=1)  # a bad model is reported here once, not by every worker
    cores = max(1, available_cores() // workers)
    web = {"root_path": root_path, "origins": origins, "endpoints": endpoints}
    create = partial(create_app, captioner) if workers == 1 else partial(load_app, model)
    config = uvicorn.Config(
        partial(create, limits, cores, **web),
        factory=True,
        workers=workers,
        loop="asyncio:SelectorEventLoop",  # the only one that accepts connections by `Listener`
        http=Connection,
        ws="none",
        lifespan="on",
        log_level="error",  # a warning tells of a client's mistake: strangers could fill the log
        access_log=False,
        server_header=False,
        timeout_keep_alive=limits.seconds,
        forwarded_allow_ips="*" if listener.family == _UNIX else None,  # who may connect to a Unix socket is a proxy
    )
    raise_file_limit()
    # Uvicorn raises the signal again after its shutdown, which would end this process with a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_on_hangup()
    try:
        if workers == 1:
            listener.listen(config.backlog)  # connections are accepted from before the line is printed
            _print_address(listener, root_path)
            uvicorn.Server(config).run(sockets=[listener])
        else:
            hangup = signal.getsignal(signal.SIGHUP)
            supervisor = _Workers(config, [listener], root_path)
            signal.signal(signal.SIGHUP, hangup)  # uvicorn's own handler starts the workers anew
            supervisor.run()
    except KeyboardInterrupt:
        pass  # Ctrl-C


class _Workers(Multiprocess):
    """Uvicorn's supervisor, which prints the address once every worker is ready; it has no public hook for that."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], root_path: str) -> None:
        super().__init__(config, sockets)
        self._root_path = root_path

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_SECONDS_TO_START) for process in self.processes):
            _print_address(self.sockets[0], self._root_path)


def _print_address(listener: socket.socket, root_path: str) -> None:
    if listener.family == _UNIX:
        address = f"unix:{listener.getsockname()}"
    else:
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}{root_path}" if ":" in host else f"http://{host}:{port}{root_path}"
    described = f"described at {root_path}/docs; Ctrl-C stops it"
    print(f"sightline: serving at {address}, {described}", file=sys.stderr, flush=True)
