"""The service as a process of its own on a loopback port, as people run it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service is not installed: pip install '.[serve,dev]'")
import httpx2

COMMAND = [sys.executable, "-c", "from sightline.cli.main import main; main()", "serve"]


@dataclass
class Service:
    process: subprocess.Popen[str]
    port: int
    client: httpx2.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, *photos: Path | tuple[str, bytes], **options: object) -> httpx2.Response:
        files = [photo if isinstance(photo, tuple) else (photo.name, photo.read_bytes()) for photo in photos]
        data = {name: str(value) for name, value in options.items()}
        return self.client.post(f"{self.url}/v1/captions", files=[("photos", file) for file in files], data=data)

    def get(self, path: str) -> httpx2.Response:
        return self.client.get(f"{self.url}{path}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def serving(bundle: Path, *options: object) -> Iterator[Service]:
    command = [*COMMAND, "--port", "0", "--model", str(bundle), *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            assert found, line + process.stderr.read()
            # Each request on a connection of its own, as from as many clients.
            none_kept = httpx2.Limits(max_keepalive_connections=0)
            with httpx2.Client(timeout=30, trust_env=False, limits=none_kept) as client:
                yield Service(process, int(found[1]), client)
        finally:
            if process.poll() is None:
                process.terminate()


class HalfSent:
    """A request that has begun and is not over until `finish`: it holds a place for as long as a test needs."""

    def __init__(self, service: Service, photo: Path):
        body = b'--x\r\nContent-Disposition: form-data; name="photos"; filename="slow.png"\r\n\r\n' + photo.read_bytes()
        self._rest = b"\r\n--x--\r\n"
        self.connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
        head = (
            "POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(body + self._rest)}\r\n\r\n"
        )
        self.connection.sendall(head.encode() + body)

    def finish(self) -> str:
        self.connection.sendall(self._rest)
        return self.answer()

    def answer(self) -> str:
        with self.connection, self.connection.makefile("rb") as stream:
            head = stream.readline().decode()
            size = 0
            while (line := stream.readline().decode().strip()) != "":
                if line.lower().startswith("content-length:"):
                    size = int(line.partition(":")[2])
            return head + stream.read(size).decode()


@pytest.fixture(scope="session")
def service(tiny_bundle: Path) -> Iterator[Service]:
    with serving(tiny_bundle) as running:
        yield running


@pytest.fixture(scope="session")
def strict(tiny_bundle: Path) -> Iterator[Service]:
    """One whose limits are all within a test's reach."""
    limits = {"photo-mb": 1, "request-mb": 3, "megapixels": 1, "photos": 5, "queue": 2, "seconds": 2}
    with serving(tiny_bundle, *(part for name, value in limits.items() for part in (f"--{name}", value))) as running:
        yield running


@pytest.fixture(scope="session")
def captioned(tiny_bundle: Path) -> Callable[..., dict[str, Any]]:
    """What the captioner itself says of a photo, as it comes out of JSON."""
    from sightline.captioner import load

    captioner = load(tiny_bundle, threads=1)

    def caption(photo: Path, **options: Any) -> dict[str, Any]:
        return {"photo": photo.name, **captioner(photo.read_bytes(), **options).as_dict()}

    return caption
