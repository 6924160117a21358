"""Every limit holds, and says what it is."""

from __future__ import annotations

import io
import json
import re
import socket
import urllib.error
import urllib.request

import pytest
from PIL import Image

from .conftest import HalfSent


def padded(photo, size: int) -> bytes:
    return photo.read_bytes().ljust(size, b"\0")


def test_a_photo_over_the_limit_costs_the_others_nothing(strict, photos, captioned):
    large = ("large.png", padded(photos[1], 1_000_001))
    told = strict.post(photos[0], large, photos[2])
    assert told.status_code == 200
    first, error, last = told.json()["captions"]
    assert (first, last) == (captioned(photos[0]), captioned(photos[2]))
    assert (error["photo"], error["error"]["code"]) == ("large.png", "too_large")
    assert strict.post(large).status_code == 413
    assert strict.post(("fits.png", padded(photos[1], 1_000_000))).status_code == 200


def test_a_request_over_the_limit_is_refused_while_it_is_read(strict):
    head = (
        "POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        "Content-Length: 10000000000\r\n\r\n"
    )
    part = b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", strict.port), timeout=10) as connection:
        connection.sendall(head.encode() + part + bytes(3_000_001))
        assert connection.recv(15) == b"HTTP/1.1 413 Re"
    assert resident_mb(strict) < 500


def test_a_client_that_sends_all_before_it_reads_gets_its_refusal(strict):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{strict.url}/v1/captions", bytes(30_000_000), headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)
    with refused.value as answer:
        assert (answer.code, json.load(answer)["error"]["code"]) == (400, "malformed")


def resident_mb(service) -> float:
    told = re.search(r"^process_resident_memory_bytes (\S+)", service.get("/metrics").text, re.MULTILINE)
    assert told
    return float(told[1]) / 1e6


def test_a_body_of_unknown_length_is_counted_too(strict):
    body = (b"--x\r\n" if part == 0 else bytes(100_000) for part in range(40))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    told = strict.client.post(f"{strict.url}/v1/captions", content=body, headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) in {(400, "malformed"), (413, "too_large")}


def test_pixels_are_counted_before_anything_is_decoded(strict, photos):
    drawn = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(drawn, "PNG")
    told = strict.post(photos[0], ("wide.png", drawn.getvalue()))
    assert told.status_code == 200
    error = told.json()["captions"][1]["error"]
    assert error["code"] == "too_many_pixels" and "1,000,000" in error["message"]


def test_what_is_checked_is_what_is_decoded(strict, photos):
    """A WebP photo that Pillow's reader of Photo CDs would take for one of 768 x 512 is captioned as WebP."""
    webp, padded = io.BytesIO(), io.BytesIO()
    Image.open(photos[0]).resize((8, 8)).save(webp, "WEBP", lossless=True)
    whole = webp.getvalue()
    padded.write(whole + b"JUNK" + (2048 - len(whole) - 8).to_bytes(4, "little"))
    padded.write(bytes(2048 - len(whole) - 8) + b"PCD_" + bytes(600_000))
    disguised = bytearray(padded.getvalue())
    disguised[4:8] = (len(disguised) - 8).to_bytes(4, "little")
    with Image.open(io.BytesIO(disguised)) as image:
        assert (image.format, image.size) == ("PCD", (768, 512))
    caption, same = strict.post(("a.webp", whole), ("a.webp", bytes(disguised))).json()["captions"]
    assert caption == same and caption["caption"]
    photo_cd = bytes(2048) + b"PCD_" + bytes(900_000)
    error = strict.post(("a.pcd", photo_cd)).json()["captions"][0]["error"]
    assert error["code"] == "unreadable" and "JPEG" in error["message"]


def test_too_many_photos_are_refused(strict, photos):
    assert strict.post(*photos[:5]).status_code == 200
    told = strict.post(*photos[:6])
    assert (told.status_code, told.json()["error"]["code"]) == (422, "too_many_photos")


def test_more_than_the_queue_holds_is_told_to_come_again(strict, photos, captioned):
    slow = [HalfSent(strict, photo) for photo in photos[:2]]
    refused = strict.post(photos[2])
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) >= 1
    for request, photo in zip(slow, photos, strict=False):
        told = request.finish()
        assert "200 OK" in told and f'"caption":"{captioned(photo)["caption"]}"' in told
    assert strict.post(photos[2]).json() == {"captions": [captioned(photos[2])]}


def test_what_arrives_too_slowly_is_given_up(strict, photos):
    told = HalfSent(strict, photos[0]).answer()
    assert "408" in told.splitlines()[0] and '"too_slow"' in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam_size": 0}, "beam_size: Input should be greater than or equal to 1"),
        ({"beam_size": 11}, "beam_size: it may be 10 at most"),
        ({"beam_size": "three"}, "beam_size: Input should be a valid integer"),
        ({"length_penalty": "nan"}, "length_penalty: Input should be a finite number"),
        ({"evidence": "maybe"}, "evidence: Input should be a valid boolean"),
        ({"beam_size": "1" * 500}, "beam_size: no such value"),
        ({"beam": 3}, "no field 'beam': photos go in 'photos'"),
    ],
)
def test_an_impossible_option_is_named(service, photos, options, said):
    told = service.post(photos[0], **options)
    assert (told.status_code, told.json()["error"]["code"]) == (422, "bad_option")
    assert told.json()["error"]["message"].startswith(said)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", None, 415, "not_multipart"),
        (b"{}", "application/json", 415, "not_multipart"),
        (b"photos=a", "application/x-www-form-urlencoded", 415, "not_multipart"),
        (b"--x--\r\n", "multipart/form-data", 415, "not_multipart"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "no_photos"),
        (b"rubbish", "multipart/form-data; boundary=x", 400, "malformed"),
        (b'--x\r\nContent-Disposition: form-data; name="photos"\r\n\r\ncut', "multipart/form-data; boundary=x", 400,
         "malformed"),
        (b"--x\r\n\r\nno name\r\n--x--\r\n", "multipart/form-data; boundary=x", 422, "bad_option"),
    ],
)  # fmt: skip
def test_what_is_no_form_is_a_mistake_of_the_client(service, body, kind, status, code):
    headers = {"Content-Type": kind} if kind else {}
    told = service.client.post(f"{service.url}/v1/captions", content=body, headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("?beam_size=5", {}, 422, "bad_option"),
        ("", {"Content-Encoding": "gzip"}, 415, "encoded"),
    ],
)
def test_what_would_not_be_read_is_refused(service, query, headers, status, code):
    headers = {"Content-Type": "multipart/form-data; boundary=x", **headers}
    told = service.client.post(f"{service.url}/v1/captions{query}", content=b"--x--\r\n", headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_head_is_answered_as_get_without_a_body(service, path):
    told = service.client.head(service.url + path)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["Content-Type"] == service.get(path).headers["Content-Type"]
