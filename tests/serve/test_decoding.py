"""Costly photos, decoded in a process of their own."""

from __future__ import annotations

import asyncio
import io
import os
import signal

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the service is not installed: pip install '.[serve,dev]'")

from sightline.captioner import load
from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing, TooManyPixels, open_resized, preprocess
from sightline.serve.decoding import DecodingProcess
from sightline.serve.limits import Limits
from sightline.serve.metrics import Metrics
from sightline.serve.schemas import CaptionOptions
from sightline.serve.service import CaptionService
from sightline.serve.upload import UploadedPhoto

PREPROCESSING = Preprocessing(size=64)


@pytest.fixture(scope="module")
def photo() -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(values).save(file := io.BytesIO(), "JPEG", progressive=True)
    return file.getvalue()


@pytest.fixture
def decoding():
    process = DecodingProcess(PREPROCESSING, ["JPEG", "PNG"], 1_000_000, seconds=30)
    yield process
    process.close()


def test_the_pixels_and_the_note_are_those_of_this_process(decoding, photo):
    for content in (photo, photo[:-200]):  # the second ends early
        image, note = open_resized(content, PREPROCESSING, formats=["JPEG", "PNG"])
        pixels, told = decoding.decode(content)
        assert (pixels == np.asarray(image)).all() and told == note
        assert (preprocess(pixels, PREPROCESSING) == preprocess(content, PREPROCESSING)).all()
    assert note


def test_what_is_refused_there_is_refused_in_the_same_words_here(decoding, photo):
    Image.new("L", (2000, 2000)).save(large := io.BytesIO(), "PNG")
    with pytest.raises(TooManyPixels, match="2,000 x 2,000"):
        decoding.decode(large.getvalue())
    for content in (b"no photo", b""):
        with pytest.raises(SightlineError) as here:
            open_resized(content, PREPROCESSING, formats=["JPEG", "PNG"])
        with pytest.raises(SightlineError) as there:
            decoding.decode(content)
        assert str(there.value) == str(here.value)
    assert decoding.decode(photo)[0].shape == (64, 64, 3)


def test_a_process_that_ends_costs_its_photo_and_no_other(decoding, photo, monkeypatch):
    decoding.decode(photo)
    first = decoding._process
    os.kill(first.pid, signal.SIGTERM)
    first.wait(10)
    assert decoding.decode(photo)[0].any() and decoding._process is not first
    monkeypatch.setattr(decoding, "_seconds", 0.0)
    with pytest.raises(SightlineError, match="too much time or memory"):
        decoding.decode(photo * 100)
    monkeypatch.undo()
    assert decoding.decode(photo)[0].any()


def test_it_ends_with_the_service_and_not_by_ctrl_c(decoding, photo):
    decoding.decode(photo)
    process = decoding._process
    if hasattr(os, "getpgid"):
        assert os.getpgid(process.pid) != os.getpgid(0)
    process.stdin.close()  # as when the service's process is gone, however it ended
    assert process.wait(20) == 0


def test_an_answer_that_is_cut_off_is_told_in_a_line(decoding, photo, monkeypatch):
    decoding.decode(photo)
    monkeypatch.setattr(decoding._process, "stdout", io.BytesIO(b'{"note": '))
    with pytest.raises(SightlineError, match="too much time or memory"):
        decoding.decode(photo)


def test_where_no_process_can_start_the_photo_has_failed_and_no_other(tmp_path, monkeypatch, caplog):
    Image.linear_gradient("L").resize((2100, 2100)).save(large := io.BytesIO(), "PNG")
    Image.new("L", (8, 8)).save(small := io.BytesIO(), "PNG")
    photos = [UploadedPhoto(name, bytearray(file.getvalue())) for name, file in (("a", large), ("b", small))]
    service = CaptionService(load(threads=1), Limits(), Metrics(), cores=1)
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    first, second = asyncio.run(service.caption(photos, CaptionOptions.model_validate({})))
    assert first["error"]["code"] == "failed" and second["caption"]
    assert "a photo could not be captioned" in caplog.text
