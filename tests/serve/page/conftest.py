"""The page in a real browser, once with a server behind it and once as the static site."""

from __future__ import annotations

import http.server
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sightline
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.serve.page_files import media_type
from sightline.serve.site import write_site
from sightline.serve.web_module import write_module

from ..conftest import Service
from ..conftest import serving as serving_model

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]
SECONDS = 15  # for anything


class Visit:
    """A browser's window on the page, and all that went wrong in it."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.address = address
        self.context = browser.new_context(reduced_motion="reduce", **context)
        self.problems: list[str] = []
        self.requested: list[str] = []
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self._heard(said.type, said.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.context.on("request", lambda request: self._asked(request.url))
        self.page.set_default_timeout(1000 * SECONDS)
        self.page.goto(address)

    def _heard(self, kind: str, text: str) -> None:
        # That a server refused a photo is the browser's own remark, and no fault of the page.
        if kind in {"error", "warning"} and "the server responded with a status of 422" not in text:
            self.problems.append(text)

    def _asked(self, url: str) -> None:
        self.requested.append(url)
        if not url.startswith((self.address, "blob:", "data:")):
            self.problems.append(f"asked {url}")

    def add(self, *paths: Path) -> Any:
        """Choose photos; returns their cards once all are captioned or refused."""
        there = self.page.locator("article").count()
        self.page.set_input_files("#files", list(paths))
        return self.cards(there + len(paths))

    def cards(self, count: int) -> Any:
        """All cards, once there are ``count`` of them and none waits."""
        cards, waiting = self.page.locator("article"), self.page.locator("article.waiting:not(.failed)")
        self.until(lambda: cards.count() == count and waiting.count() == 0)
        return cards

    def until(self, holds: Callable[[], object]) -> None:
        # Not the driver's own waiting, which needs a page that lets strings be run as code.
        end = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < end, self.page.inner_text("body")
            self.page.wait_for_timeout(20)

    def clear(self) -> None:
        # Not by the mouse, under which the page may just be moving.
        self.page.locator(".switch input").first.dispatch_event("click")
        if self.page.locator("#clear").is_visible():
            self.page.locator("#clear").click()
        self.page.mouse.move(0, 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Not once a session: as long as it is open, no other test may start an event loop.
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def captioner(tiny_bundle: Path) -> Captioner:
    return sightline.load(tiny_bundle)


@pytest.fixture(scope="session")
def site(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetched(write_site, tmp_path_factory.mktemp("web") / "site", tiny_bundle)


@pytest.fixture(scope="session")
def site_address(site: Path) -> Iterator[str]:
    with serving(contents(site)) as address:
        yield address


@pytest.fixture(scope="session")
def heads_site_address(site: Path, heads_bundle: Path) -> Iterator[str]:
    """The site with a model that tells its confidence, kinds and keywords."""
    model = {f"model/{name}": (heads_bundle / name).read_bytes() for name in ("model.onnx", "config.json")}
    with serving(contents(site) | model) as address:
        yield address


@pytest.fixture(scope="session")
def heads_page_address(heads_bundle: Path) -> Iterator[str]:
    with serving_model(heads_bundle) as running:
        yield f"{running.url}/"


@pytest.fixture(scope="session")
def page_address(service: Service) -> str:
    return f"{service.url}/"


@pytest.fixture(scope="session")
def module(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetched(write_module, tmp_path_factory.mktemp("web") / "module", tiny_bundle)


def fetched(write: Callable[[Path, Path], int], folder: Path, model: Path) -> Path:
    """The folder that ``write`` writes with npm's help; skips where there is none."""
    if not shutil.which("npm"):
        pytest.skip("needs npm")
    try:
        write(folder, model)
    except SightlineError as error:
        if "cannot fetch" not in str(error):
            raise
        pytest.skip(f"needs what npm fetches: {error}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


@contextmanager
def serving(files: dict[str, bytes], **headers: str) -> Iterator[str]:
    """The address of a server of these files and nothing else; ``headers``: those of each answer, as identifiers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            name = self.path.partition("?")[0].strip("/") or "index.html"
            if name in files:
                self.answer(200, media_type(name), files[name])
            else:
                self.answer(404, "text/plain", b"no such file")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
