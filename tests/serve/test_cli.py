"""`sightline serve` as a stranger meets it."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess

import httpx2
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
        (("--root-path", "caption"), 2, "a path such as /caption"),
        (("--api", "openai,gemini"), 2, "gemini: not one of ollama, openai, photoprism, none"),
        (("--cors", "https://a.org/"), 2, "an origin such as"),
        (("--uds", "/none/socket"), 1, "/none/socket: cannot listen (No such file or directory)"),
        (("--uds", "/none/socket", "--workers", "2"), 1, "--uds has one worker"),
    ],
)
def test_a_mistake_is_one_line(arguments, status, named):
    assert named in one_line(started("--port", "0", *arguments), status)


def test_without_the_extra_it_says_how_to_get_it(tiny_bundle):
    done = without_torch("serve", "--model", tiny_bundle)
    assert 'pip install "sightline[serve]" (no fastapi' in one_line(done)


def test_a_unix_socket_has_the_umask_s_permissions_and_goes_with_the_service(tiny_bundle, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    command = [*COMMAND, "--uds", str(path), "--model", str(tiny_bundle)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, umask=0o027) as process:
        assert f"unix:{path}" in process.stderr.readline()
        assert stat.S_IMODE(path.stat().st_mode) == 0o750
        assert "another service listens there" in one_line(started("--uds", path, "--model", tiny_bundle))
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://localhost/readyz").json() == {"status": "ready"}
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert not path.exists()


def test_ctrl_c_is_a_way_to_stop_it(tiny_bundle):
    with serving(tiny_bundle) as service:
        assert service.get("/readyz").json() == {"status": "ready"}
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=10) == 0
        assert service.process.stderr.read() == ""
