"""The application itself, with captioners and pages that no process could be given."""

from __future__ import annotations

import asyncio
import io
import re
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.requests import Request

import sightline.serve
from sightline.captioner import load
from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing
from sightline.serve.app import create_app
from sightline.serve.limits import Limits, Refused
from sightline.serve.metrics import Metrics
from sightline.serve.page_files import folder_files
from sightline.serve.request import client_network
from sightline.serve.schemas import CaptionOptions
from sightline.serve.service import CaptionService
from sightline.serve.upload import UploadedPhoto

PHOTOS = "/v1/captions"


class Replaced:
    """A captioner that does something else instead."""

    max_beam_size = 10

    def __init__(self, instead):
        self._instead = instead

    def caption_batch(self, *_: object, **__: object) -> object:
        return self._instead()


def client(captioner, tmp_path: Path, **limits: int) -> TestClient:
    app = create_app(captioner, Limits(**limits), cores=1, page=folder_files(tmp_path))
    return TestClient(app, raise_server_exceptions=False)


def files(photo: Path, count: int = 1) -> list[tuple[str, tuple[str, bytes]]]:
    return [("photos", (photo.name, photo.read_bytes()))] * count


def test_what_is_not_done_in_time_is_given_up_and_its_other_photos_never_begun(photos, tmp_path):
    begun = []

    def slow() -> None:
        begun.append(1)
        time.sleep(1.2)

    with client(Replaced(slow), tmp_path, seconds=1) as asked:
        begun.clear()  # it was warmed up
        told = asked.post(PHOTOS, files=files(photos[0], 3))
        assert (told.status_code, told.json()["error"]["code"]) == (504, "timeout")
        time.sleep(0.4)
        counted = asked.get("/metrics").text
    assert len(begun) == 1
    assert "sightline_photos_waiting 0.0" in counted and "sightline_requests_taken 0.0" in counted
    assert 'sightline_requests_total{outcome="timeout"} 1.0' in counted


def test_a_failure_of_ours_is_told_without_its_details_and_logged(photos, tmp_path, caplog):
    def broken() -> None:
        raise RuntimeError("the secret of the house")

    with client(Replaced(broken), tmp_path) as asked:
        told = asked.post(PHOTOS, files=files(photos[0]))
    assert told.status_code == 500 and told.json()["captions"][0]["error"]["code"] == "failed"
    assert "secret" not in told.text and "secret" in caplog.text


def test_a_photo_that_we_fail_on_costs_its_neighbour_nothing(tiny_bundle, photos, tmp_path):
    captioner = load(tiny_bundle)

    class Fails:
        max_beam_size = 10

        def caption_batch(self, given, *options, **limits):
            assert all(isinstance(content, bytearray) for content in given)  # as it arrived: no copy of many megabytes
            if any(content == photos[1].read_bytes() for content in given):
                raise RuntimeError("no luck")
            return captioner.caption_batch(given, *options, **limits)

    with client(Fails(), tmp_path) as asked:
        told = asked.post(PHOTOS, files=[files(photos[number])[0] for number in (0, 1, 2, 1, 0)])
    captions = told.json()["captions"]
    assert [found.get("caption") for found in captions] == [
        captioner(photos[number]).text if number != 1 else None for number in (0, 1, 2, 1, 0)
    ]
    assert {found["error"]["code"] for found in captions if "error" in found} == {"failed"}


def test_the_page_is_served_under_a_policy_that_names_no_other_host(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "look.mjs").write_text("export {}")
    (tmp_path / "app.webmanifest").write_text("{}")
    with client(Replaced(lambda: None), tmp_path) as asked:
        kinds = {path: asked.get(path).headers["Content-Type"] for path in ("/", "/look.mjs", "/app.webmanifest")}
        policy = asked.get("/").headers["Content-Security-Policy"]
        wrong = asked.get(PHOTOS), asked.get("/none.html"), asked.post("/"), asked.get("/..%2f..%2fetc%2fpasswd")
        again = asked.get("/", headers={"If-None-Match": asked.get("/").headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert kinds == {
        "/": "text/html; charset=utf-8",
        "/look.mjs": "text/javascript; charset=utf-8",
        "/app.webmanifest": "application/manifest+json",
    }
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert [answer.status_code for answer in wrong] == [405, 404, 405, 404]
    assert {answer.json()["error"]["code"] for answer in wrong} == {"method_not_allowed", "not_found"}


def test_below_a_path_all_is_reached_with_and_without_it(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    page = folder_files(tmp_path)
    app = create_app(Replaced(lambda: None), page=page, root_path="/caption", origins=["https://a.org"])
    with TestClient(app, follow_redirects=False) as asked:
        for path in ("/", "/healthz", "/docs/", "/openapi.json", "/docs/swagger/swagger-ui.css"):
            assert [asked.get(prefix + path).status_code for prefix in ("", "/caption")] == [200, 200]
        assert asked.get("/openapi.json").json()["servers"] == [{"url": "/caption"}]
        moved = [asked.get(path).headers["Location"] for path in ("/caption", "/caption/docs", "/docs")]
        assert [urlsplit(location).path for location in moved] == ["/caption/", "/caption/docs/", "/caption/docs/"]
        assert [asked.get(path).status_code for path in ("/captions", "/caption/none")] == [404, 404]
        assert isinstance(asked.post("/caption/api/generate").json()["error"], str)  # Ollama's form of errors
        answers = [asked.post(PHOTOS, headers={"Origin": origin}) for origin in ("https://a.org", "https://b.org")]
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == ["https://a.org", None]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("a proxy", "a proxy"),
    ],
)
def test_a_client_s_share_is_its_network_s(host, network):
    assert client_network(Request({"type": "http", "client": (host, 1)})) == network


def test_one_client_never_has_the_whole_queue():
    service = CaptionService(Replaced(lambda: None), Limits(queue=8), Metrics(), cores=1)
    with ExitStack() as held:
        for client in "aaaaaa":
            held.enter_context(service.accepted(client))
        with pytest.raises(Refused) as refused:
            held.enter_context(service.accepted("a"))
        assert refused.value.status == 429
        held.enter_context(service.accepted("b"))
        held.enter_context(service.accepted(None))
    with service.accepted("a"):
        assert service.requests == 1


@pytest.mark.parametrize(
    ("kind", "side", "costly"),
    [
        ("PNG", 2100, True),
        ("PNG", 7100, False),  # refused for its pixels
        ("JPEG", 2100, False),
        ("progressive JPEG", 2100, False),
        ("progressive JPEG", 3200, True),
    ],
)
def test_no_photo_waits_for_one_that_is_costly_to_decode(kind, side, costly, monkeypatch):
    photos = {"large": io.BytesIO(), "small": io.BytesIO()}
    Image.new("RGB", (side, side)).save(photos["large"], kind.split()[-1], progressive="progressive" in kind)
    Image.new("RGB", (8, 8)).save(photos["small"], "PNG")
    large, small = (UploadedPhoto(name, bytearray(file.getvalue())) for name, file in photos.items())
    go = threading.Event()

    class Decodes:
        config = SimpleNamespace(preprocessing=Preprocessing())

        def caption_batch(self, contents, *_: object, **__: object) -> list[SightlineError]:
            assert all(content is not large.content for content in contents) or go.wait(20)
            return [SightlineError("seen") for _ in contents]

    class OtherProcess:
        def __init__(self, *_: object) -> None:
            pass

        def decode(self, content: bytearray):
            assert content is large.content and go.wait(20)
            return np.zeros((224, 224, 3), np.uint8), ""

    monkeypatch.setattr("sightline.serve.service.DecodingProcess", OtherProcess)

    async def small_is_done_first() -> bool:
        service = CaptionService(Decodes(), Limits(), Metrics(), cores=1)
        options = CaptionOptions.model_validate({})
        first = asyncio.ensure_future(service.caption([large], options))
        second = asyncio.ensure_future(service.caption([small], options))
        await asyncio.wait((first, second), timeout=None if costly else 0.2, return_when=asyncio.FIRST_COMPLETED)
        found = second.done() and not first.done()
        go.set()
        assert [result[0]["photo"] for result in await asyncio.gather(first, second)] == ["large", "small"]
        return found

    assert asyncio.run(small_is_done_first()) == costly


def test_without_a_page_the_description_comes_instead(tmp_path):
    with client(Replaced(lambda: None), tmp_path) as asked:
        answer = asked.get("/")
    assert answer.url.path == "/docs/" and "swagger-ui" in answer.text


def test_the_description_asks_no_other_host(tiny_bundle, tmp_path):
    with client(load(tiny_bundle), tmp_path) as asked:
        page = asked.get("/docs/")
        needed = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
        assert len(needed) == 3
        assert all(asked.get(f"/docs/{path}").status_code == 200 for path in needed)
        assert asked.get("/redoc").status_code == 404  # the framework's own description loads scripts of another host
    ours = Path(sightline.serve.__file__).parent / "docs"
    assert not any("//" in re.sub(r"// .*", "", path.read_text()) for path in ours.iterdir())
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_every_answer_is_described_and_its_models_have_an_example(tiny_bundle, tmp_path):
    with client(load(tiny_bundle), tmp_path) as asked:
        described = asked.get("/openapi.json").json()
    responses = described["paths"][PHOTOS]["post"]["responses"]
    assert set(responses) == {"200", "400", "408", "413", "415", "422", "429", "500", "503", "504"}
    assert all(
        answer["description"] and answer["content"]["application/json"]["schema"] for answer in responses.values()
    )
    assert {status for status, answer in responses.items() if "Retry-After" in answer.get("headers", {})} == {
        *("429", "503", "504")
    }
    assert all(described["components"]["schemas"][name]["examples"] for name in ("Captions", "Refusal"))
    form = described["paths"][PHOTOS]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert list(form["properties"]) == ["photos", "beam_size", "length_penalty", "attention", "evidence"]
