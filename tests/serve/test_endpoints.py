"""Other programs' endpoints, asked by those programs' own clients and over plain HTTP: one service, the same limits."""

from __future__ import annotations

import base64
import io
import json
import math

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from sightline.captioner import load
from sightline.serve.app import create_app
from sightline.serve.endpoints import NAMES
from sightline.serve.schemas import Captions

from .conftest import HalfSent, Service, serving
from .test_limits import resident_mb

CHAT, GENERATE, OLLAMA_CHAT, VISION = "/v1/chat/completions", "/api/generate", "/api/chat", "/api/v1/vision/caption"


def encoded(photo) -> str:
    return base64.b64encode(photo if isinstance(photo, bytes) else photo.read_bytes()).decode()


def data_url(photo) -> str:
    return f"data:image/png;base64,{encoded(photo)}"


def conversation(*urls: str, text: str = "") -> dict[str, object]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"messages": [{"role": "user", "content": [*parts, *([{"type": "text", "text": text}] if text else [])]}]}


# How each form sends images.
FORMS = {
    CHAT: conversation,
    GENERATE: lambda *images: {"images": images, "stream": False},
    OLLAMA_CHAT: lambda *images: {"messages": [{"role": "user", "images": images}], "stream": False},
    VISION: lambda *images: {"images": images},
}


def ask(service: Service, path: str, body: object):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.client.post(f"{service.url}{path}", content=content)


def reason(path: str, answer) -> str:
    """What the error of an answer says, which has the form of the path's program."""
    error = answer.json()["error"]
    if path != CHAT:
        assert isinstance(error, str) and (path != VISION or answer.json()["code"] == answer.status_code)
        return error
    assert error.keys() == {"message", "type", "param", "code"}
    return error["message"]


@pytest.fixture(scope="module")
def openai_client(service):
    openai = pytest.importorskip("openai", reason="pip install openai")
    http = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture(scope="module")
def ollama_client(service):
    return pytest.importorskip("ollama", reason="pip install ollama").Client(service.url, trust_env=False)


def test_openai_s_client_gets_each_photo_s_caption(openai_client, photos, captioned):
    asked = conversation(data_url(photos[0]), data_url(photos[1]), text="What colour is the dog?")
    answer = openai_client.chat.completions.create(model="gpt-4o", **asked)
    first, second = captioned(photos[0]), captioned(photos[1])
    assert answer.choices[0].message.content.splitlines() == [first["caption"], second["caption"]]
    assert answer.usage.completion_tokens == answer.usage.total_tokens == len(first["words"]) + len(second["words"])
    assert (answer.model, answer.choices[0].finish_reason) == ("sightline", "stop")
    assert "only describes" in answer.note and "text" in answer.note


def test_openai_s_client_streams_and_lists_models(openai_client, photos, captioned):
    asked = conversation(data_url(photos[0])) | {"stream_options": {"include_usage": True}}
    chunks = list(openai_client.chat.completions.create(model="sightline", stream=True, **asked))
    assert chunks[0].choices[0].delta.content == captioned(photos[0])["caption"]
    assert not hasattr(chunks[0], "note")
    assert [bool(chunk.usage) for chunk in chunks] == [False, True]
    (model,) = openai_client.models.list().data
    assert openai_client.models.retrieve(model.id) == model


def test_openai_s_client_raises_its_own_errors(openai_client, photos):
    import openai

    with pytest.raises(openai.UnprocessableEntityError) as refused:
        openai_client.chat.completions.create(model="sightline", **conversation("https://example.org/dog.jpg"))
    assert (refused.value.code, refused.value.type) == ("bad_option", "invalid_request_error")
    assert "https://example.org/dog.jpg" in refused.value.message
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        openai_client.models.retrieve("gpt-4o")


@pytest.mark.parametrize("stream", [False, True])
def test_ollama_s_client_gets_captions(ollama_client, photos, captioned, stream):
    expected = captioned(photos[0])
    image = photos[0].read_bytes()
    told = ollama_client.generate("llava", "Why?", system="Be brief.", images=[image], stream=stream)
    lines = list(told) if stream else [told]
    assert "".join(line.response for line in lines) == expected["caption"]
    assert (lines[-1].done, lines[-1].eval_count) == (True, len(expected["words"]))
    assert [line.done for line in lines[:-1]] == [False] * (len(lines) - 1)
    message = {"role": "user", "content": "Why?", "images": [image]}
    told = ollama_client.chat("llava", [message, {"role": "user", "content": "And?"}], stream=stream)
    lines = list(told) if stream else [told]
    assert "".join(line.message.content for line in lines) == expected["caption"]


def test_ollama_s_client_asks_about_the_model_and_raises_its_own_errors(ollama_client):
    import ollama

    (model,) = ollama_client.list().models
    assert len(model.digest) == 64
    assert "vision" in ollama_client.show(model.model).capabilities
    with pytest.raises(ollama.ResponseError, match="base64") as refused:
        ollama_client._request_raw("POST", GENERATE, json={"images": ["%%%"]})
    assert refused.value.status_code == 422


@pytest.mark.parametrize("path", [VISION, f"{VISION}/any/latest"])
def test_photoprism_gets_a_caption_and_its_confidence(service, photos, captioned, path):
    expected = captioned(photos[0])
    told = ask(service, path, {"id": "a1", "model": "any", "prompt": "Why?", "images": [data_url(photos[0])]})
    assert told.status_code == told.json()["code"] == 200
    assert (told.json()["id"], "prompt" in told.json()["note"]) == ("a1", True)
    found = told.json()["result"]["caption"]
    assert found["text"] == expected["caption"]
    mean = sum(expected["log_probs"]) / len(expected["log_probs"])
    assert found["confidence"] == pytest.approx(math.exp(mean), abs=1e-4)


def test_a_model_s_own_confidence_and_notes_are_told(heads_bundle, photos):
    """Through the service, as it validates what it answers, and through the endpoints."""
    captioner = load(heads_bundle, threads=1)
    captions = [captioner(photo).as_dict() for photo in photos]
    client = TestClient(create_app(captioner, page={}))
    answer = client.post("/v1/captions", files=[("photos", (photo.name, photo.read_bytes())) for photo in photos])
    assert [{**told, "photo": None} for told in answer.json()["captions"]] == [
        {"photo": None, **caption} for caption in captions
    ]
    told = Captions.model_validate(answer.json()).captions
    assert [one.confidence for one in told] == [caption["confidence"] for caption in captions]
    for photo, caption in zip(photos, captions, strict=True):
        found = client.post(VISION, json={"images": [data_url(photo)]}).json()
        sure = caption["confidence"] if caption["kind"] == "photo" else 0
        assert found["result"]["caption"]["confidence"] == sure
        for path in FORMS:
            note = client.post(path, json=FORMS[path](encoded(photo))).json().get("note", "")
            assert ("no photo" in note) == (caption["kind"] != "photo")


@pytest.mark.parametrize(
    ("path", "asked", "named"),
    [
        (CHAT, {"tools": [{}], "response_format": {"type": "json_object"}}, {"tools", "response_format"}),
        (GENERATE, {"prompt": "Why?", "system": "Be brief.", "format": "json"}, {"prompt", "system", "format"}),
        (OLLAMA_CHAT, {"tools": [{}]}, {"tools"}),
    ],
)
def test_what_the_model_cannot_do_is_named(service, photos, path, asked, named):
    told = ask(service, path, FORMS[path](encoded(photos[0])) | asked).json()["note"]
    assert "only describes" in told and set(told.partition("not read: ")[2].split(", ")) == named


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("image", "status", "named"),
    [
        ("https://example.org/a.jpg", 422, "https://example.org/a.jpg"),
        ("file:///etc/passwd", 422, "file:///etc/passwd"),
        ("data:image/png,abc", 422, "base64"),
        ("data:image/png;base64,%%%", 422, "not base64"),
        ("data:image/png;base64,é", 422, "not base64"),
        (encoded(b"no photo"), 422, "not a photo"),
        ("", 422, "no bytes"),
        ("data:;base64,", 422, "no bytes"),
        (encoded(bytes(1_000_001)), 413, "1,000,000"),
        (encoded(bytes(3_000_000)), 413, "3,000,000"),
    ],
)
def test_an_image_that_cannot_be_is_refused_in_each_form(strict, path, image, status, named):
    told = ask(strict, path, FORMS[path](image))
    assert (told.status_code, named in reason(path, told)) == (status, True), told.text


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"images": [', 400),
        (b'{"images": ["\xff"]}', 400),
        (b'{"a":' + b"[" * 90_000, 400),
        (b'{"a":[' + b"0," * 1_000_000 + b"0]}", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"messages": [{"role": "user", "content": [7], "images": [7]}], "images": [7]}', 422),
        (b'{"messages": [{"role": "user", "content": "no photo"}], "prompt": "no photo"}', 422),
    ],
)
def test_a_body_that_cannot_be_is_refused_in_each_form(strict, path, body, status):
    told = ask(strict, path, body)
    assert (told.status_code, bool(reason(path, told))) == (status, True), told.text


def test_a_data_url_of_100_mb_is_refused_and_not_kept(strict):
    told = ask(strict, CHAT, conversation("data:image/png;base64," + "A" * 100_000_000))
    assert (told.status_code, told.json()["error"]["code"]) == (413, "too_large")
    assert resident_mb(strict) < 500


def test_what_is_said_of_a_photo_is_in_the_note(service):
    grey = io.BytesIO()
    Image.new("RGB", (9, 9), "grey").save(grey, "PNG")
    assert "blank" in ask(service, GENERATE, FORMS[GENERATE](encoded(grey.getvalue()))).json()["note"]


@pytest.mark.parametrize("path", FORMS)
def test_how_many_photos_are_captioned(strict, photos, path):
    images = [encoded(photo) for photo in photos[:6]]
    assert ask(strict, path, FORMS[path](*images)).status_code == 422
    assert ask(strict, path, FORMS[path](*images[:5])).status_code == (422 if path == VISION else 200)
    # Photos of earlier messages have been captioned before.
    if path == CHAT:
        before = FORMS[path](*images)["messages"] + FORMS[path](images[0])["messages"]
        assert ask(strict, path, {"messages": before}).status_code == 200


def test_the_queue_holds_for_each_form(strict, photos):
    slow = [HalfSent(strict, photo) for photo in photos[:2]]
    for path, form in FORMS.items():
        told = ask(strict, path, form(encoded(photos[0])))
        assert (told.status_code, told.headers["Retry-After"], bool(reason(path, told))) == (429, "1", True)
    for request in slow:
        request.finish()


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", CHAT, 405), ("GET", GENERATE, 405), ("POST", "/api/pull", 405)]
)
def test_the_framework_s_errors_have_the_form_of_the_path_too(service, method, path, status):
    told = service.client.request(method, service.url + path)
    assert (told.status_code, bool(reason(path, told))) == (status, True)


def test_endpoints_can_be_left_out(tiny_bundle, photos):
    assert set(NAMES) == {"ollama", "openai", "photoprism"}
    with serving(tiny_bundle, "--api", "ollama") as service:
        statuses = {path: ask(service, path, form(encoded(photos[0]))).status_code for path, form in FORMS.items()}
        assert statuses == {CHAT: 405, GENERATE: 200, OLLAMA_CHAT: 200, VISION: 405}
        assert service.post(photos[0]).status_code == 200
