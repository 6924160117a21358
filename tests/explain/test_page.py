from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from sightline.errors import SightlineError
from sightline.explain import write_page

VOID = {"meta", "img", "br", "link", "input", "hr"}
HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' &amp; </article><!-- photos -->"


class Page(HTMLParser):
    """What a browser would make of the page; fails on tags that do not match."""

    def __init__(self, path):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag: str, of_class: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and of_class in (a.get("class") or "")]

    def text(self, tag: str) -> list[str]:
        return [text for inside, text in self.texts if inside == tag and text]


def photo(color=(10, 200, 30), size=(60, 40)) -> Image.Image:
    return Image.new("RGB", size, color)


def decode(image: dict[str, str | None]) -> Image.Image:
    kind, data = image["src"].split(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_it_embeds_every_photo_in_order(make_caption, tmp_path):
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    path = tmp_path / "made" / "index.html"
    assert write_page(path, ((photo(c), make_caption("a dog")) for c in colors)) == 3
    images = Page(path).all("img")
    assert len(images) == 3
    for image, color in zip(images, colors, strict=True):
        shown = decode(image)
        assert (shown.width, shown.height) == (int(image["width"]), int(image["height"])) == (60, 40)
        assert np.abs(np.asarray(shown, int) - color).max() < 12


def test_large_photos_are_scaled_down_and_turned_ones_put_upright(make_caption, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(size=(3000, 1500)).save(tmp_path / "large.jpg", exif=exif)
    write_page(tmp_path / "p.html", [(tmp_path / "large.jpg", make_caption("a dog"))])
    assert decode(Page(tmp_path / "p.html").all("img")[0]).size == (360, 720)


def test_nothing_is_fetched(make_caption, tmp_path):
    write_page(tmp_path / "p.html", [(photo(), make_caption("a dog", alternatives=["a cat"]))])
    page = Page(tmp_path / "p.html")
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    text = (tmp_path / "p.html").read_text()
    assert not re.search(r"https?:|//\w|@import|url\(|fetch\(|XMLHttp", text.replace("<!doctype html>", ""))
    policies = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policies and "default-src 'none'" in policies[0]


def test_captions_names_and_titles_are_text_alone(make_caption, tmp_path):
    name = "<b onclick=alert(1)>&quot;.png"
    photo().save(tmp_path / name)
    item = (tmp_path / name, make_caption(HOSTILE, alternatives=[HOSTILE]))
    write_page(tmp_path / "hostile.html", [item], title=HOSTILE)
    write_page(tmp_path / "plain.html", [(photo(), make_caption(" ".join("abcdefg"), alternatives=["x"]))])
    hostile, plain = Page(tmp_path / "hostile.html"), Page(tmp_path / "plain.html")
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert all(not name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    assert hostile.text("h1") == hostile.text("h2") == [HOSTILE]
    assert hostile.all("img")[0]["alt"] == HOSTILE
    assert hostile.text("bdi") == [name]
    assert [text for text in hostile.text("span") if text in HOSTILE.split()] == HOSTILE.split()


def test_every_word_carries_its_attention_and_probability(make_caption, tmp_path):
    caption = make_caption("look there", [(0, 4), (2, 1)], grid=(3, 5), probability=0.374)
    write_page(tmp_path / "p.html", [(photo(), caption)])
    page = Page(tmp_path / "p.html")
    assert [(c["data-rows"], c["data-columns"]) for c in page.all("canvas")] == [("3", "5")]
    words = page.all("button", "word")
    grids = [np.frombuffer(bytes.fromhex(word["data-light"]), np.uint8).reshape(3, 5) for word in words]
    for grid, place in zip(grids, [(0, 4), (2, 1)], strict=True):
        assert grid[place] == 255 and grid.sum() == 255
    assert page.text("small") == ["37%", "37%"]
    assert [word["tabindex"] for word in words] == ["0", "-1"]


def test_where_there_is_evidence_a_switch_shows_attention_instead(make_caption, tmp_path):
    caption = make_caption("look there", [(0, 4), (2, 1)], grid=(3, 5))
    rests = np.zeros((2, 3, 5), np.float32)
    rests[0, 1, 1] = rests[1, 2, 2] = 2.0
    write_page(tmp_path / "p.html", [(photo(), replace(caption, evidence=rests))])
    page = Page(tmp_path / "p.html")
    kinds = [choice["value"] for choice in page.all("input")]
    assert [choice["value"] for choice in page.all("input") if "checked" in choice] == kinds[:1] == ["light"]
    for word, *places in zip(page.all("button", "word"), [(1, 1), (2, 2)], [(0, 4), (2, 1)], strict=True):
        for kind, place in zip(kinds, places, strict=True):
            grid = np.frombuffer(bytes.fromhex(word[f"data-{kind}"]), np.uint8).reshape(3, 5)
            assert grid[place] == 255 and grid.sum() == 255
    write_page(tmp_path / "plain.html", [(photo(), caption)])
    plain = Page(tmp_path / "plain.html")
    assert not plain.all("input") and all("data-attention" not in word for word in plain.all("button", "word"))


def test_alternatives_are_listed_with_their_scores(make_caption, tmp_path):
    write_page(tmp_path / "p.html", [(photo(), make_caption("a dog", alternatives=["a cat", "a cow"]))])
    write_page(tmp_path / "none.html", [(photo(), make_caption("a dog"))])
    page = Page(tmp_path / "p.html")
    assert [text for text in page.text("span") if text in ("a cat", "a cow")] == ["a cat", "a cow"]
    assert page.text("b") == ["−0.50"] * 3
    assert Page(tmp_path / "none.html").all("ol") == []


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, SightlineError])
def test_an_interrupted_page_shows_what_was_finished(trouble, make_caption, tmp_path):
    def items(finished):
        yield from [(photo(), make_caption("a dog"))] * finished
        raise trouble("stop")

    path = tmp_path / "index.html"
    path.write_text("the old page")
    with pytest.raises(trouble, match="stop"):
        write_page(path, items(finished=0))
    assert path.read_text() == "the old page"
    with pytest.raises(trouble, match="stop"):
        write_page(path, items(finished=2))
    assert len(Page(path).all("article")) == 2 and path.read_text().endswith("</html>\n")
    assert list(tmp_path.iterdir()) == [path]


def test_an_unreadable_photo_is_named(make_caption, tmp_path):
    with pytest.raises(SightlineError, match=r"none\.jpg: no such file"):
        write_page(tmp_path / "p.html", [(tmp_path / "none.jpg", make_caption("a dog"))])
    assert list(tmp_path.iterdir()) == []


def test_photos_reach_the_disk_as_they_come(make_caption, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3), np.uint8)
    sizes = []

    def items():
        for _ in range(4):
            sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
            yield noise, make_caption("noise")

    write_page(tmp_path / "p.html", items())
    each = (tmp_path / "p.html").stat().st_size / 4
    assert all(later - sooner > 0.5 * each for sooner, later in pairwise(sizes))


def test_a_file_name_that_is_no_text_is_shown_all_the_same(make_caption, tmp_path):
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    try:
        photo().save(tmp_path / name)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes valid text alone")
    write_page(tmp_path / "p.html", [(tmp_path / name, make_caption("a cup"))])
    assert Page(tmp_path / "p.html").text("bdi") == [r"caf\udce9.png"]
