"""Connections that say nothing cost nobody else anything."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from .conftest import HalfSent, serving

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: "


def test_silent_connections_are_closed(tiny_bundle):
    with serving(tiny_bundle, "--seconds", 2) as service:
        silent, first, second = (socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(3))
        began = time.monotonic()
        first.sendall(HALF_A_HEAD)
        second.sendall(HALF_A_HEAD + b"x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):  # the head and the body may arrive one after the other
            answer += second.recv(10_000)
        second.sendall(HALF_A_HEAD)
        assert [connection.recv(10) for connection in (silent, first, second)] == [b"", b"", b""]
        assert 1.5 < time.monotonic() - began < 8  # --seconds 2, on a machine that may be busy


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes another process's limits")
def test_silent_connections_make_room_at_the_limit_of_files(tiny_bundle, photos):
    import resource

    with serving(tiny_bundle) as service:
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (128, 128))
        under_way = HalfSent(service, photos[0])
        while "sightline_requests_taken 1.0" not in service.get("/metrics").text:
            time.sleep(0.02)
        silent = [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(160)]
        assert [service.get("/healthz").status_code for _ in range(3)] == [200] * 3
        assert silent[0].recv(10) == b""
        assert under_way.finish().startswith("HTTP/1.1 200")
        service.stop()
        assert service.process.stderr is not None
        line, *others = service.process.stderr.read().splitlines()
        assert "64 connections" in line and not others
