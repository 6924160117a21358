"""`sightline serve` as a stranger meets it."""

from __future__ import annotations

import signal
import socket
import subprocess

import pytest

from tests.test_light_tier import without_torch

from .conftest import COMMAND, serving


def started(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def one_line(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    assert (done.returncode, done.stdout) == (status, "")
    assert status == 2 or len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_port_that_is_taken_is_named(tiny_bundle):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = one_line(started("--port", port, "--model", tiny_bundle))
    assert f"127.0.0.1, port {port}: cannot listen (Address already in use)" in said


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("--model", "/none"), 1, "/none: no such model folder"),
        (("--host", "no such host"), 1, "no such host, port 0: cannot listen"),
        (("--port", "99999"), 2, "'--port': 99999 is not in the range"),
        (("--queue", "0"), 2, "'--queue': 0 is not in the range"),
    ],
)
def test_a_mistake_is_one_line(arguments, status, named):
    assert named in one_line(started("--port", "0", *arguments), status)


def test_without_the_extra_it_says_how_to_get_it(tiny_bundle):
    done = without_torch("serve", "--model", tiny_bundle)
    assert 'pip install "sightline[serve]" (no fastapi' in one_line(done)


def test_ctrl_c_is_a_way_to_stop_it(tiny_bundle):
    with serving(tiny_bundle) as service:
        assert service.get("/readyz").json() == {"status": "ready"}
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=10) == 0
        assert service.process.stderr.read() == ""
