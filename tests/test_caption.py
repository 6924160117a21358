"""A caption that shows itself, and how it keeps its photo."""

from __future__ import annotations

import gc
import html
import pickle
import re
import subprocess
import sys
import weakref
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import sightline
from sightline.errors import SightlineError
from sightline.images.source import FileSource


@pytest.fixture(scope="module")
def captioner(tiny_bundle):
    return sightline.load(tiny_bundle)


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


def test_a_caption_keeps_the_very_photo_it_was_given(captioner, photos):
    for photo in (photos[0], str(photos[0]), photos[0].read_bytes(), Image.open(photos[0]), pixels()):
        caption = captioner(photo)
        assert caption.photo is photo
        assert all(other.photo is photo for other in caption.alternatives)
        assert caption.figure().mode == "RGB"
        assert html.escape(caption.text) in caption.html()


def test_every_result_of_a_stream_or_batch_has_its_photo(captioner, photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    given = [photos[0], bad, photos[1].read_bytes(), b"no picture", np.zeros((0, 4, 3)), FileSource(str(bad))]
    for results in (list(captioner.stream(iter(given), batch_size=4)), captioner.caption_batch(given)):
        assert [isinstance(result, SightlineError) for result in results] == [0, 1, 0, 1, 1, 1]
        assert all(result.photo is photo for result, photo in zip(results, given, strict=True))
    travelled = pickle.loads(pickle.dumps(results))
    assert [error.photo for error in travelled if isinstance(error, SightlineError)] == [bad, None, None, given[-1]]
    assert [str(error) for error in travelled] == [str(error) for error in results]
    with pytest.raises(SightlineError) as raised:
        captioner(b"no picture")
    assert raised.value.photo is None


def test_a_stream_s_captions_let_go_of_their_photos(captioner):
    arrays = [pixels() for _ in range(3)]
    alive = [weakref.ref(array) for array in arrays]
    kept = [caption.with_photo(None) for caption in captioner.stream(arrays)]
    del arrays
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3 and len(kept) == 3


def test_pickled_it_takes_a_path_along_but_no_pixels(captioner, photos):
    by_path = pickle.loads(pickle.dumps(captioner(photos[0])))
    assert by_path.photo == photos[0] and by_path.figure().size == captioner(photos[0]).figure().size
    caption = captioner(pixels())
    data = pickle.dumps(caption)
    again = pickle.loads(data)
    assert len(data) < 30_000
    assert again.photo is None and [other.photo for other in again.alternatives] == [None] * len(again.alternatives)
    assert again.as_dict() == caption.as_dict()
    with pytest.raises(SightlineError, match="has not kept its photo"):
        again.figure()
    assert again._repr_html_() is None
    assert again.figure(pixels()).size == caption.figure().size


def test_a_photo_that_is_gone_costs_the_picture_and_not_the_notebook(captioner, tmp_path):
    Image.fromarray(pixels()).save(path := tmp_path / "photo.png")
    caption = captioner(path)
    path.unlink()
    with pytest.raises(SightlineError, match="no such file"):
        caption.html()
    assert caption._repr_html_() is None


def test_the_document_needs_nothing_and_the_frame_holds_all_of_it(captioner, photos):
    plain, explained = captioner(photos[0]), captioner(photos[0], evidence=True)
    document = explained.html()
    assert document.startswith("<!doctype html>") and document.count("<article>") == 1
    assert not re.search(r"https?://|src=\"(?!data:)|__[A-Z]+__", document)
    assert "What each word rests on" in document and "What each word rests on" not in plain.html()
    frame = explained._repr_html_()
    source = re.fullmatch(r'<iframe title="[^"]*" srcdoc="([^"]*)" style="[^"]*"></iframe>', frame)[1]
    assert html.unescape(source) == document


class Sanitized(HTMLParser):
    """What remains of HTML where only elements of text are allowed, and attributes of none."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.forbidden = "", set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.forbidden |= {tag} - {"b", "code", "em", "i", "strong"}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_that_forbids_frames_shows_the_sentence(captioner, photos):
    caption = captioner(photos[0])
    bundle = caption._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"} and bundle["text/plain"] == repr(caption)
    shown = Sanitized(bundle["text/html"])
    assert (shown.text, shown.forbidden) == (caption.text, set())
    (frame,) = re.findall(r'data-frame="([^"]*)"', bundle["text/html"])
    assert html.unescape(frame) == caption._repr_html_()
    assert set(caption.with_photo(None)._repr_mimebundle_()) == {"text/plain"}


def test_as_text_it_is_one_short_line(captioner, photos):
    caption = captioner(photos[0], evidence=True)
    assert caption.text in repr(caption) and len(repr(caption)) < 120 + len(caption.text)
    assert str(caption) == caption.text and "\n" not in repr([caption, *caption.alternatives])


def test_what_draws_is_loaded_only_once_asked_for(tiny_bundle, photos):
    code = f"""
import sys, sightline
caption = sightline.load({str(tiny_bundle)!r})({str(photos[0])!r})
assert not [name for name in sys.modules if name.startswith("sightline.explain")]
caption.html()
assert "sightline.explain" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
