"""What comes back is what the captioner says, whoever else asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from sightline.serve.schemas import Captions


@pytest.mark.parametrize("options", [{}, {"beam_size": 1}, {"beam_size": 4, "length_penalty": 1.0, "evidence": True}])
def test_the_answer_is_the_captioners_own(service, photos, captioned, options):
    answer = service.post(*photos, **options)
    assert answer.status_code == 200
    assert answer.json() == {"captions": [captioned(photo, **options) for photo in photos]}
    Captions.model_validate(answer.json())


def test_attention_is_left_out_where_it_is_not_wanted(service, photos, captioned):
    (told,) = service.post(photos[0], attention="false").json()["captions"]
    assert told == {key: value for key, value in captioned(photos[0]).items() if key != "attention"}


def test_one_bad_photo_in_five_does_not_lose_the_four(service, photos, captioned, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes(photos[1].read_bytes()[:-40])
    told = service.post(photos[0], cut, ("notes.txt", b"no photo"), ("empty.jpg", b""), photos[2])
    assert told.status_code == 200
    first, damaged, text, empty, last = told.json()["captions"]
    assert (first, last) == (captioned(photos[0]), captioned(photos[2]))
    assert damaged["photo"] == "cut.png" and damaged["error"]["code"] == "unreadable"
    assert "truncated" in damaged["error"]["message"]
    assert (text["photo"], text["error"]["code"]) == ("notes.txt", "unreadable")
    assert (empty["photo"], empty["error"]["code"]) == ("empty.jpg", "empty")
    Captions.model_validate(told.json())


def test_where_no_photo_can_be_captioned_the_status_says_so(service):
    told = service.post(("a.txt", b"no photo"), ("b.txt", b"nor this"))
    assert told.status_code == 422
    assert [entry["photo"] for entry in told.json()["captions"]] == ["a.txt", "b.txt"]


def test_a_caption_does_not_depend_on_who_else_asks(service, photos, captioned):
    expected = [captioned(photo) for photo in photos]
    numbers = [number % len(photos) for number in range(70)]
    with ThreadPoolExecutor(14) as clients:
        answers = list(clients.map(lambda number: service.post(photos[number]), numbers))
    assert [answer.json() for answer in answers] == [{"captions": [expected[number]]} for number in numbers]


def test_a_photo_that_is_costly_to_decode_has_the_same_caption(service, captioned, tmp_path):
    values = np.random.default_rng(1).integers(0, 256, (21, 21, 3), np.uint8)
    photo = tmp_path / "large.png"
    Image.fromarray(values).resize((2100, 2100)).save(photo, compress_level=1)
    assert service.post(photo).json() == {"captions": [captioned(photo)]}


def test_a_name_is_only_a_name(service, photos):
    names = ["../../etc/passwd", "/etc/passwd", "Straße 日本.png", "a.png"]
    told = service.post(*((name, photos[0].read_bytes()) for name in names)).json()["captions"]
    assert [entry["photo"] for entry in told] == names
    assert len({entry["caption"] for entry in told}) == 1


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("filename*=UTF-8''na%C3%AFve%20%E6%97%A5.png", "naïve 日.png"),
        ("filename=plain.png; filename*=iso-8859-1'en'%A3.png", "£.png"),
        ("filename=\"quoted; filename*=UTF-8''no.png\"", "quoted; filename*=UTF-8''no.png"),
        ("filename=plain.png; filename*=unknown''a%20b.png", "a b.png"),
    ],
)
def test_a_name_may_be_written_as_in_other_headers(service, sent, name):
    body = f"--x\r\nContent-Disposition: form-data; name=photos; {sent}\r\n\r\nno photo\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    told = service.client.post(f"{service.url}/v1/captions", content=body.encode(), headers=headers)
    assert [entry["photo"] for entry in told.json()["captions"]] == [name]


@pytest.mark.parametrize("content", [b"/etc/passwd", b"http://127.0.0.1:9/photo.jpg", b"file:///etc/passwd"])
def test_no_path_is_read_and_no_url_fetched(service, content):
    (told,) = service.post(("photo.jpg", content)).json()["captions"]
    assert told["error"]["code"] == "unreadable"
    assert service.post(("photo.jpg", content), url=content.decode()).json()["error"]["code"] == "bad_option"


def test_formats_whose_readers_are_not_for_strangers_are_refused(service):
    (told,) = service.post(("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")).json()["captions"]
    assert told["error"]["code"] == "unreadable"
