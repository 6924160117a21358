"""Connections: silent ones are closed, and there are never more than the limit of open files allows."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_MOST = 4096
_MOST_OF_SELECT = 448  # on Windows, whose select takes 512 sockets
_AT_ONCE = 32  # connections accepted in a turn of the event loop: a thousand would keep it from all others
_OTHER_FILES = 64  # of the process, which are no connections

_log = logging.getLogger("uvicorn.error")


def raise_file_limit() -> None:
    """Let this process, and those that it starts, have as many open files as they use, where the system allows it."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _OTHER_FILES if hard == resource.RLIM_INFINITY else min(_MOST + _OTHER_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _most_connections() -> int:
    if resource is None:
        return _MOST_OF_SELECT
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else min(_MOST, max(soft - _OTHER_FILES, soft // 2))


class Connection(H11Protocol):
    """Uvicorn's, whose time-out for idle connections holds in every state that no request is in.

    Uvicorn's own begins with the first answer and ends with the next byte, and it waits for clients that do not read.
    """

    accepted: ClassVar[int] = 0  # in this process, and still open
    connected: ClassVar[int] = 0  # those of them that the event loop has begun to serve
    silent: ClassVar[dict[Connection, asyncio.TimerHandle]] = {}  # maybe without a request, longest first: time-outs

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        Connection.connected += 1
        super().connection_made(cast("asyncio.Transport", _Transport(transport, self)))
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        Connection.connected -= 1
        Connection.accepted -= 1
        self._stop_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        self._await_request()
        super().on_response_complete()

    def close_if_silent(self) -> bool:
        """Close the connection unless a request is under way; whether it is closed."""
        self._stop_timeout()
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        self.transport.abort()  # does not wait for the client to read
        return True

    def _await_request(self) -> None:
        self._stop_timeout()
        self.silent[self] = self.loop.call_later(self.timeout_keep_alive, self.close_if_silent)

    def _stop_timeout(self) -> None:
        if timeout := self.silent.pop(self, None):
            timeout.cancel()


class _Transport:
    """A transport that closes only after a client that is still sending its request has read the answer.

    Closed with bytes unread, the connection would be reset, and many clients never see the answer. It is open for as
    long as a silent connection may be; what arrives is dropped.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport, self._connection, self._answered = transport, connection, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._answered or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing() or self._connection.conn.their_state is not h11.SEND_BODY:
            self._transport.close()
            return
        self._answered = True
        self._transport.write_eof()
        self._connection.flow.resume_reading()


class Listener(socket.socket):
    """A listening socket that accepts no more connections than the limit of open files allows.

    At the limit the longest silent connection makes room for the next. Where none is silent the next is closed: left in
    the kernel's queue, it would wake the event loop again and again.
    """

    _quiet_until: ClassVar[float] = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises BlockingIOError, as if no client waited, where one must wait for the event loop's next turn."""
        if Connection.accepted - Connection.connected >= _AT_ONCE:
            raise BlockingIOError
        most = _most_connections()
        if Connection.accepted < most:
            client = super().accept()
            Connection.accepted += 1
            return client
        if time.monotonic() >= Listener._quiet_until:
            Listener._quiet_until = time.monotonic() + 60
            _log.error("%d connections are open, as many as may be: silent ones are closed for new ones", most)
        while Connection.silent:
            if next(iter(Connection.silent)).close_if_silent():
                raise BlockingIOError
        if Connection.connected == Connection.accepted:
            super().accept()[0].close()
        raise BlockingIOError
