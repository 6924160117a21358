"""Costly photos, decoded in a process of their own."""

from __future__ import annotations

import io
import os
import signal

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the service is not installed: pip install '.[serve,dev]'")

from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing, TooManyPixels, open_resized, preprocess
from sightline.serve.decoding import DecodingProcess

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
