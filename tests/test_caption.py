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
from sightline.caption import Keyword, confidence_in_words, mean_probability, read_captions
from sightline.errors import SightlineError
from sightline.images.source import FileSource
from sightline.vocabulary import Vocabulary


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


HEADS = {"kinds": ("photo", "chart", "map"), "keywords": ("dog", "grass", "red")}


def judged(kinds: list[float], keywords: list[float], **others: object) -> sightline.Caption:
    """What a search and heads say of one photo: "a dog", and "grass" in its place."""
    vocabulary = Vocabulary.from_captions(["a a dog grass"])
    values = {
        "tokens": np.array([[[4, 5, 2], [6, 2, 0]]]),
        "log_probs": np.log(np.array([[[0.9, 0.4, 0.6], [0.5, 0.5, 1.0]]], np.float32)),
        "attention": np.ones((1, 2, 3, 1), np.float32),
        "scores": np.array([[-0.5, -0.7]], np.float32),
        "confidence": np.array([[0.8, 0.25]], np.float32),
        "word_confidence": np.array([[[np.nan, 0.8, np.nan], [0.25, np.nan, np.nan]]], np.float32),
        "kinds": np.array([kinds], np.float32),
        "keywords": np.array([keywords], np.float32),
    }
    (caption,) = read_captions(vocabulary, (1, 1), **values | others, heads=HEADS)
    return caption


def test_a_caption_says_what_the_heads_know():
    caption = judged([0.9, 0.1, 0.0], [0.4, 0.1, 0.95])
    assert (caption.text, caption.confidence, caption.sureness()) == ("a dog", pytest.approx(0.8), caption.confidence)
    np.testing.assert_allclose(caption.word_confidence, [np.nan, 0.8])
    assert caption.kind == "photo"
    assert caption.keywords == (Keyword("red", pytest.approx(0.95)), Keyword("dog", pytest.approx(0.4)))
    assert [other.confidence for other in caption.alternatives] == [0.25]
    told = caption.as_dict()
    assert told["confidence"] == 0.8 and told["word_confidence"] == [None, 0.8] and told["kind"] == "photo"
    assert told["keywords"] == [{"word": "red", "probability": 0.95}, {"word": "dog", "probability": 0.4}]
    assert told["alternatives"] == [{"caption": "grass", "score": -0.7, "confidence": 0.25}]


def test_a_caption_is_of_no_photo_only_where_that_is_likelier():
    assert judged([0.5, 0.3, 0.2], [0, 0, 0]).kind == "photo"
    caption = judged([0.4, 0.2, 0.4], [0, 0, 0])
    assert (caption.kind, caption.sureness()) == ("map", 0) and caption.confidence > 0


def test_a_word_of_several_units_is_as_sure_as_its_least_sure():
    units = Vocabulary((*("<pad>", "<start>", "<end>", "<unk>"), "\u2581dog", "house", "\u2581a"), "subwords")
    values = {
        "tokens": np.array([[[6, 4, 5, 2]]]),
        "log_probs": np.full((1, 1, 4), -0.1, np.float32),
        "attention": np.ones((1, 1, 4, 1), np.float32),
        "scores": np.array([[-0.1]], np.float32),
        "word_confidence": np.array([[[np.nan, 0.75, 0.5, np.nan]]], np.float32),
    }
    (caption,) = read_captions(units, (1, 1), **values)
    assert caption.words == ("a", "doghouse")
    np.testing.assert_array_equal(caption.word_confidence, [np.nan, 0.5])


def test_a_caption_of_a_model_without_heads_has_nothing_of_them(captioner, photos):
    caption = captioner(photos[0])
    assert (caption.confidence, caption.word_confidence, caption.kind, caption.keywords) == (None, None, None, ())
    assert caption.sureness() == mean_probability(caption.log_probs)
    told = caption.as_dict()
    assert not told.keys() & {"confidence", "word_confidence", "kind", "keywords"}
    assert all(other.keys() == {"caption", "score"} for other in told["alternatives"])


def test_confidence_in_words():
    assert [confidence_in_words(value) for value in (1.0, 0.76, 0.5, 0.39, 0.0)] == [
        *("sure", "sure", "perhaps", "a guess", "a guess")
    ]
