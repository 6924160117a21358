"""What a model tells of its sureness, of kinds and keywords, on the page and on the page of `explain`."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import sightline
from sightline.caption import Caption, confidence_in_words
from sightline.explain import write_page
from sightline.serve.page_files import page_files
from tests.serve.page.conftest import Visit

BACKENDS = {"served": "heads_page_address", "static": "heads_site_address"}


@pytest.fixture(scope="session")
def captions(heads_bundle: Path, photos: list[Path]) -> list[Caption]:
    return list(sightline.load(heads_bundle).stream(photos))


@pytest.fixture(scope="module", params=BACKENDS)
def visit(request, browser, photos) -> Iterator[Visit]:
    """The page with a card for each photo; nothing goes wrong in it."""
    visit = Visit(browser, request.getfixturevalue(BACKENDS[request.param]))
    visit.add(*photos)
    yield visit
    assert visit.problems == []
    visit.context.close()


def chance(confidence: float, about: str) -> str:
    return f"{confidence_in_words(confidence)} {confidence:.0%} chance that people name {about}, too"


def whole(caption: Caption) -> str:
    return chance(caption.confidence, "all of this") if caption.kind == "photo" else ""


def nouns(caption: Caption) -> list[tuple[int, str, float]]:
    """Place, word and confidence of each noun of a photo's caption."""
    words = enumerate(zip(caption.words, caption.word_confidence, strict=True))
    return [(at, word, float(c)) for at, (word, c) in words if not math.isnan(c) and caption.kind == "photo"]


def test_a_card_says_how_sure_the_caption_is_and_what_the_photo_shows(visit, captions):
    assert len({whole(caption).partition(" ")[0] for caption in captions}) > 2, "some of each"
    for card, caption in zip(visit.cards(len(captions)).all(), captions, strict=True):
        assert card.locator("h2").text_content() == caption.text
        assert card.locator(".sureness").text_content() == whole(caption)
        assert card.locator(".keywords").text_content() == "Keywords " + ", ".join(k.word for k in caption.keywords)
        assert card.locator(".note").text_content().lower() == caption.note.lower()
        assert card.locator(".word[data-sure]").count() == len(nouns(caption))
    assert any(caption.note for caption in captions)


def test_a_noun_that_is_pointed_at_says_its_own(visit, captions):
    number, caption = next((n, c) for n, c in enumerate(captions) if nouns(c))
    card = visit.cards(len(captions)).nth(number)
    check_line(visit.page, card, caption)


def check_line(page, card, caption: Caption) -> None:
    line, words = card.locator(".sureness"), card.locator(".word")
    for at, word, confidence in nouns(caption):
        said = chance(confidence, f"“{word}”")
        words.nth(at).hover()
        assert line.text_content() == said
        assert words.nth(at).get_attribute("aria-description") == said.replace(
            f" {confidence:.0%}", f": {confidence:.0%}"
        )
    others = {*range(len(caption.words))} - {at for at, *_ in nouns(caption)}
    for at in others:
        words.nth(at).hover()
        assert line.text_content() == whole(caption)
        assert words.nth(at).get_attribute("aria-description") is None
    # By the keys, too, and pinned.
    at, word, confidence = nouns(caption)[-1]
    words.nth(at).click()
    page.mouse.move(0, 0)
    assert line.text_content() == chance(confidence, f"“{word}”")
    page.keyboard.press("Escape")
    words.nth(at).evaluate("word => word.blur()")
    assert line.text_content() == whole(caption)


def test_those_who_listen_hear_it(visit, photos, captions):
    number = next(n for n, caption in enumerate(captions) if caption.kind != "photo")
    for which in (number, next(n for n, caption in enumerate(captions) if caption.kind == "photo")):
        visit.add(photos[which])
        told, caption = visit.page.locator("#news").text_content(), captions[which]
        said = (caption.note or whole(caption)).capitalize()
        assert told == f"{photos[which].name}: {caption.text}. {said}"
        visit.page.locator(".remove").first.click()


def test_explain_s_page_says_the_same(browser, captions, photos, tmp_path):
    write_page(tmp_path / "index.html", zip(photos, captions, strict=True))
    visit = Visit(browser, (tmp_path / "index.html").as_uri())
    for card, caption in zip(visit.page.locator("article").all(), captions, strict=True):
        assert card.locator(".sureness").all_text_contents() == [whole(caption)] * (caption.kind == "photo")
        assert card.locator(".note").all_text_contents() == [caption.note[:1].upper() + caption.note[1:]] * bool(
            caption.note
        )
        assert card.locator(".keywords bdi").text_content() == ", ".join(k.word for k in caption.keywords)
        if nouns(caption):
            check_line(visit.page, card, caption)
    assert visit.problems == []
    visit.context.close()


UNITS = """
import {ofPhoto, ofWords} from "./heads.mjs";
import {readFileSync} from "node:fs";
const none = value => value === null ? NaN : value;
const {words, photos, heads} = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({
  words: words.map(([values, reading]) => ofWords(values.map(none), reading)),
  photos: photos.map(([kinds, keywords]) => ofPhoto({kinds: {data: kinds}, keywords: {data: keywords}}, heads)),
  none: ofPhoto({}, undefined),
}));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_page_reads_heads_as_python_does(tmp_path):
    (tmp_path / "heads.mjs").write_bytes(page_files("local")["heads.js"])
    (tmp_path / "run.mjs").write_text(UNITS)
    keywords = [f"word {number}" for number in range(14)]
    asked = {
        "heads": {"kinds": ["photo", "chart", "map"], "keywords": keywords},
        "words": [[[0.7, None, 0.6, 0.4, None], {"starts": [0, 1, 2, 4], "units": 5}]],
        "photos": [[[0.5, 0.3, 0.2], [0.9] * 12 + [0.95, 0.2]], [[0.4, 0.2, 0.4], [0.1] * 14]],
    }
    command = ["node", "run.mjs"]
    done = subprocess.run(command, input=json.dumps(asked), cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["words"] == [[0.7, None, 0.4, None]] and told["none"] == {}
    photo, no_photo = told["photos"]
    assert (photo["kind"], photo.get("note")) == ("photo", None)
    expected = [("word 12", 0.95), *((f"word {number}", 0.9) for number in range(9))]
    assert [(keyword["word"], keyword["probability"]) for keyword in photo["keywords"]] == expected
    assert no_photo == {"kind": "map", "note": "this seems to be no photo (map): the caption can hardly be right"}
