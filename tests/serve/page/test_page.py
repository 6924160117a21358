"""What a person does with the page, whatever captions the photos behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.captioner import BLANK
from sightline.explain.emphasis import by_attention, by_evidence
from tests.serve.page.conftest import Visit

BACKENDS = {"served": "page_address", "static": "site_address"}

# How strongly each cell of the grid is lit on the canvas: the tint covers less than the shade does.
LIT = """canvas => {
  const rows = Number(canvas.dataset.rows), columns = Number(canvas.dataset.columns);
  const {width, height} = canvas, pen = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  pen.drawImage(canvas, 0, 0);
  const {data} = pen.getImageData(0, 0, width, height);
  return Array.from({length: rows}, (_, row) => Array.from({length: columns}, (_, column) => {
    const x = Math.floor((column + 0.5) * width / columns), y = Math.floor((row + 0.5) * height / rows);
    return 255 - data[(y * width + x) * 4 + 3];
  }));
}"""

COVERS = """card => {
  const [one, other] = ["canvas", "img"].map(name => JSON.stringify(card.querySelector(name).getBoundingClientRect()));
  return one === other;
}"""

DROP = """async ([type, name]) => {
  const data = new DataTransfer(), picture = document.querySelector("#examples img");
  data.items.add(new File([await (await fetch(picture.src)).blob()], name, {type: "image/jpeg"}));
  const event = type === "paste" ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
  return event.defaultPrevented;
}"""


DROP_LINK = """() => {
  const data = new DataTransfer();
  data.setData("text/uri-list", "https://example.org/a.jpg");
  return ["dragover", "drop"].map(type =>
    !document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true})));
}"""

REMOVE_A_WAITING_ONE = """() => new MutationObserver((_, observer) => {
  const waiting = document.querySelectorAll("article.waiting:not(.looking) .remove");
  if (waiting.length < 4) return;
  observer.disconnect();
  waiting[3].click();
}).observe(document.querySelector("#cards"), {childList: true})"""

IN_FRONT = """field => {
  field.scrollIntoView({block: "center"});
  const {left, top, width, height} = field.getBoundingClientRect();
  return field.closest("label").contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


@pytest.fixture(scope="module", params=BACKENDS)
def opened(request, browser) -> Iterator[Visit]:
    visit = Visit(browser, request.getfixturevalue(BACKENDS[request.param]))
    yield visit
    visit.context.close()


@pytest.fixture
def visit(opened: Visit) -> Iterator[Visit]:
    """The page without a photo; afterwards, nothing may have gone wrong."""
    opened.clear()
    yield opened
    assert opened.problems == []


def words(card) -> list[str]:
    return card.locator(".word span").all_text_contents()


def test_photos_get_the_captions_that_python_gives_them(visit, photos, captioner):
    cards = visit.add(*photos)
    assert cards.locator(".name").all_text_contents() == [path.name for path in photos]
    for number, path in enumerate(photos):
        caption, card = captioner(path), cards.nth(number)
        assert words(card) == list(caption.words)
        assert card.locator("h2").text_content() == caption.text
        assert card.locator("img").get_attribute("alt") == caption.text
        assert card.locator(".alternatives span").all_text_contents() == [other.text for other in caption.alternatives]
        assert card.locator(".score b").text_content() == f"{caption.score:.2f}".replace("-", "−")
        shares = [f"{probability:.0%}" for probability in np.exp(caption.log_probs)]
        assert card.locator(".word small").all_text_contents() == shares
        assert card.locator(".sureness, .keywords").all_text_contents() == ["", ""], "the model tells neither"


def test_newer_photos_stand_above_older_ones_and_can_be_removed(visit, photos):
    visit.add(photos[0])
    visit.add(photos[1], photos[2])
    names = visit.page.locator(".name")
    assert names.all_text_contents() == ["1.png", "2.png", "0.png"]
    visit.page.get_by_role("button", name="Remove 2.png").click()
    assert names.all_text_contents() == ["1.png", "0.png"]
    visit.page.locator("#clear").click()
    assert names.count() == 0
    assert not visit.page.locator("#bar").is_visible()


def test_attention_lights_the_cells_it_looked_at_over_the_photo(visit, photos, captioner):
    card, expected = visit.add(photos[0]).first, by_attention(captioner(photos[0]))
    check_light(card, expected)


def check_light(card, expected) -> None:
    canvas = card.locator("canvas")
    assert card.evaluate(COVERS)
    for word, light in zip(card.locator(".word").all(), expected, strict=True):
        word.hover()
        lit = np.array(canvas.evaluate(LIT))
        assert "lit" in canvas.get_attribute("class")
        # It is drawn smoothly, so neighbours that are all but equal may change places.
        assert light.flat[lit.argmax()] > light.max() - 0.05
        assert np.corrcoef(lit.ravel(), light.ravel())[0, 1] > 0.98 or np.ptp(light) < 0.15


def test_the_switch_finds_what_each_word_rests_on(visit, photos, captioner):
    card = visit.add(photos[0]).first
    assert not card.locator(".word[data-evidence]").count()
    visit.page.get_by_label("What each word rests on").dispatch_event("click")
    card.locator(".word[data-evidence]").first.wait_for()
    caption = captioner(photos[0], evidence=True)
    assert words(card) == list(caption.words)
    check_light(card, by_evidence(caption.evidence))
    later = visit.add(photos[1]).first
    assert later.locator(".word[data-evidence]").count() == later.locator(".word").count()


def test_the_arrow_keys_walk_along_the_sentence(visit, photos):
    card = visit.add(photos[0]).first
    buttons, canvas, keys = card.locator(".word"), card.locator("canvas"), visit.page.keyboard
    card.locator(".play").focus()
    keys.press("Shift+Tab")
    shown = lambda: [index for index, word in enumerate(buttons.all()) if "shown" in word.get_attribute("class")]  # noqa: E731
    last, seen = buttons.count() - 1, [shown()]
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        keys.press(key)
        seen.append(shown())
    assert seen == [[0], [1], [min(2, last)], [min(2, last) - 1], [last], [last], [0], [0]]
    keys.press("Enter")
    assert buttons.first.get_attribute("aria-pressed") == "true"
    keys.press("Escape")
    assert buttons.first.get_attribute("aria-pressed") == "false"
    assert "lit" not in canvas.get_attribute("class").split()


def test_a_bad_file_says_so_and_costs_no_other(visit, photos, tmp_path, captioner):
    text, cut = tmp_path / "notes.png", tmp_path / "empty.png"
    text.write_text("not a picture")
    cut.write_bytes(b"")
    cards = visit.add(text, photos[0], cut)
    assert words(cards.nth(1)) == list(captioner(photos[0]).words)
    for number in (0, 2):
        assert "failed" in cards.nth(number).get_attribute("class")
        assert not cards.nth(number).locator(".play").is_visible()
    assert "not a" in cards.first.locator(".state").text_content().lower().replace("an image", "a")


FOREIGN = {
    "HEIC photo": b"\0\0\0\x18ftypheic",
    "JPEG XL photo": b"\xff\x0a\xfa",
    "PDF document": b"%PDF-1.7\n",
    "vector drawing": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
}


def test_what_no_browser_reads_is_named_with_the_way_out(visit, tmp_path):
    for name, content in FOREIGN.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    cards = visit.add(*(tmp_path / f"{name}.jpg" for name in FOREIGN))
    for name, said in zip(FOREIGN, cards.locator(".state").all_text_contents(), strict=True):
        assert name in said and "save" in said


def test_a_dropped_link_is_refused_in_sight(visit, photos):
    assert visit.page.evaluate(DROP_LINK) == [True, True]
    assert "link" in visit.page.locator("#refusal").text_content()
    visit.add(photos[0])
    assert not visit.page.locator("#refusal").is_visible()


def test_the_title_counts_what_is_left_also_where_photos_are_removed(visit, photos):
    visit.page.evaluate(REMOVE_A_WAITING_ONE)
    visit.page.set_input_files("#files", [photos[0]] * 6)
    visit.cards(5)
    assert visit.page.title() == "Sightline"


def test_a_blank_photo_s_caption_is_not_to_be_believed(visit, photos, tmp_path):
    Image.new("RGB", (60, 40), (90, 120, 90)).save(blank := tmp_path / "blank.png")
    cards = visit.add(blank, photos[0])
    assert cards.locator(".note").all_text_contents() == [BLANK[0].upper() + BLANK[1:], ""]


def test_what_happens_is_said_to_those_who_listen(visit, photos, captioner):
    visit.add(photos[0])
    assert visit.page.get_by_role("status").text_content() == f"0.png: {captioner(photos[0]).text}"
    assert visit.page.get_by_role("toolbar", name="Words of the sentence").count() == 1
    unnamed = [
        b for b in visit.page.get_by_role("button").all() if not (b.text_content() or b.locator("img[alt]").count())
    ]
    assert unnamed == []


def test_photos_are_dropped_and_pasted(visit):
    for number, way in enumerate(("paste", "drop"), start=1):
        assert visit.page.evaluate(DROP, ["dragover", "x"])
        assert visit.page.evaluate(DROP, [way, f"{way}.jpg"])
        assert visit.cards(number).first.locator(".name").text_content() == f"{way}.jpg"


def test_the_camera_takes_a_photo_and_goes_out(visit):
    visit.page.get_by_role("button", name="Take a photo").click()
    video = visit.page.locator("video")
    visit.until(lambda: video.evaluate("video => video.videoWidth"))
    visit.page.get_by_role("button", name="Take the photo").click()
    assert visit.cards(1).first.locator(".name").text_content().startswith("camera")
    assert video.evaluate("video => video.srcObject") is None
    assert not visit.page.locator("dialog").is_visible()


def test_a_drawn_example_is_captioned_and_its_text_copied(visit):
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.get_by_role("button", name="surfer").click()
    card = visit.cards(1).first
    card.get_by_role("button", name="Copy").click()
    card.get_by_text("Copied").wait_for()
    assert visit.page.evaluate("navigator.clipboard.readText()") == card.locator("h2").text_content()


def test_options_hold_for_the_photos_added_next(visit, photos, captioner):
    visit.add(photos[0])
    visit.page.locator("summary").click()
    visit.page.get_by_label("Beam size").fill("1")
    greedy = visit.add(photos[1]).first
    for typed, counts in (("50", "10"), ("0", "1"), ("2.6", "3"), ("", "3")):
        visit.page.get_by_label("Beam size").fill(typed)
        visit.page.get_by_label("Length penalty").focus()
        assert visit.page.get_by_label("Beam size").input_value() == counts
    assert words(greedy) == list(captioner(photos[1], beam_size=1).words)
    assert not greedy.get_by_text("Also considered").is_visible()
    visit.page.locator("h1").click()
    assert not visit.page.get_by_label("Beam size").is_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_all_fits_and_a_tap_lights_the_word(browser, page_address, photos: list[Path], width):
    visit = Visit(browser, page_address, viewport={"width": width, "height": 700}, has_touch=True, is_mobile=True)
    card = visit.add(photos[0]).first
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    card.locator(".word").last.tap()
    assert "lit" in card.locator("canvas").get_attribute("class")
    box = card.locator(".word").last.bounding_box()
    assert box["height"] >= 40
    visit.page.locator("summary").tap()
    assert visit.page.locator("#beam-size").evaluate(IN_FRONT)
    visit.context.close()
    assert visit.problems == []


def test_what_is_chosen_is_seen_in_colours_of_the_visitor_s_own(browser, page_address, photos):
    visit = Visit(browser, page_address, forced_colors="active")
    card = visit.add(photos[0]).first
    card.locator(".word").first.click()
    ground = "element => getComputedStyle(element).backgroundColor"
    chosen, other = (visit.page.locator(".switch span").nth(number).evaluate(ground) for number in (0, 1))
    assert chosen != other
    assert card.locator(".word").first.evaluate("word => getComputedStyle(word).outlineStyle") == "solid"
    visit.context.close()


def test_the_description_is_dark_where_the_visitor_s_colours_are(browser, page_address):
    visit = Visit(browser, f"{page_address}docs/", color_scheme="dark")
    assert visit.page.locator("html.dark-mode").count() == 1
    visit.context.close()
