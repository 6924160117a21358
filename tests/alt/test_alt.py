"""`sightline alt`: what is proposed, written, marked, checked and kept for the next run."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline.alt.page
from sightline import Captioner
from sightline.alt import propose
from sightline.alt.picture import kind_of, photo_of
from tests.pictures import saved

INDEX = b"""\xef\xbb\xbf<h1>Caf\xc3\xa9 &amp; {{ name }}</h1>\r
<img src='img/0.png'>\r
<img src=img/1.png alt=""> <img src="/img/1.png?width=2"> <img src="img/1.png" alt="a text">
<a href=/><img src=img/0.png></a> <img src=img/drawing.png> <img src=img/pixel.png> <img src=a.svg>
<img src=https://example.org/a.png> <img src=../outside.png> <img src=img/none.png> <img src="{{ photo }}">"""


@pytest.fixture
def site(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site"
    (site / "img").mkdir(parents=True)
    for photo in photos[:2]:
        shutil.copy(photo, site / "img")
    shutil.copy(photos[0], tmp_path / "outside.png")
    Image.new("RGB", (1, 1)).save(site / "img" / "pixel.png")
    (site / "img" / "drawing.png").write_bytes(drawing())
    (site / "index.html").write_bytes(INDEX)
    (site / "notes.md").write_bytes(b"![](img/0.png 'a title')\r\n")
    return site


@pytest.fixture
def alt(sightline: Callable[..., Any], tiny_bundle: Path) -> Callable[..., Any]:
    # The confidence of a model with random weights says nothing.
    return lambda *arguments: sightline("alt", *arguments, "--min-confidence", 0, "--model", tiny_bundle)


@pytest.fixture(scope="module")
def texts(tiny_bundle: Path, photos: list[Path]) -> list[str]:
    return [Captioner(tiny_bundle)(photo).text for photo in photos[:2]]


def drawing() -> bytes:
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste((30, 60, 200), (20, 20, 90, 80))
    return saved(picture, "PNG")


def test_nothing_is_written_unless_asked(alt, site, texts, tmp_path):
    done = alt(site, "--html", tmp_path / "report.html")
    assert done.status == 0
    *rows, counts = done.out.splitlines()
    assert [row.split()[0].removeprefix(f"{site}{os.sep}") for row in rows] == [
        "index.html:2",
        "index.html:3",
        "notes.md:1",
    ]
    assert [row.endswith(texts[number]) for row, number in zip(rows, (0, 1, 0), strict=True)] == [True] * 3
    assert counts.startswith("images: 3 with a proposed text, 1 with a text, 1 decorative")
    for number, kind in (
        (1, "in links"),
        (1, "icons"),
        (2, "drawings"),
        (2, "outside"),
        (1, "whose file"),
        (1, "whose path"),
    ):
        assert f"{number} {kind}" in counts
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert report.count("<article>") == 2 and report.count("<li>") == 3 and html.escape(texts[0]) in report
    assert "![](img/0.png &#x27;a title&#x27;)" in report
    assert (site / "index.html").read_bytes() == INDEX


def test_texts_are_written_and_nothing_else(alt, site, texts):
    assert alt(site, "--apply").status == 0
    index = INDEX.replace(b"<img src='img/0", b"<img alt='%s' src='img/0" % html.escape(texts[0]).encode())
    index = index.replace(b'<img src="/img/1', b'<img alt="%s" src="/img/1' % texts[1].encode())
    assert (site / "index.html").read_bytes() == index
    assert (site / "notes.md").read_bytes() == b"![%s](img/0.png 'a title')\r\n" % texts[0].encode()
    again = alt(site, "--apply")
    assert "pages: 0 written" in again.out and (site / "index.html").read_bytes() == index


def test_drafts_are_listed_until_a_person_takes_the_mark_away(alt, site, texts, tmp_path):
    alt(site, "--apply", "--draft")
    assert b"data-alt-source='sightline'" in (site / "index.html").read_bytes()
    listed = alt(site, "--review", "--html", tmp_path / "report.html")
    assert listed.out.splitlines()[-1] == "marked alt texts: 3" and texts[1] in listed.out
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<article>") == 2
    notes = site / "notes.md"
    notes.write_text(notes.read_text().replace("<!-- alt: sightline -->", ""))
    assert "marked alt texts: 2" in alt(site, "--review").out


def test_check_is_for_continuous_integration(alt, sightline, site):
    assert alt(site, "--check").status == 1
    (site / "notes.md").write_text("![words](img/0.png)")
    checked = sightline("alt", "--check", site / "notes.md", "--model", "none")  # which it does not need
    assert (checked.status, checked.out) == (0, "images without an alt text: 0\n")


def test_a_second_run_computes_nothing(alt, site, monkeypatch):
    first = alt(site)
    assert first.status == 0
    for name in ("sightline.captioner.load", "sightline.alt.propose.kind_of"):
        monkeypatch.setattr(name, None)
    assert alt(site).out == first.out
    (cache,) = (site.parent / "cache").rglob("*.json")
    cache.write_text("[")  # damaged: as if there were none
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(site.parent / "cache"))
    assert alt(site).out == first.out


def test_less_sure_texts_are_not_proposed(sightline, site, tiny_bundle):
    done = sightline("alt", site, "--min-confidence", 1, "--model", tiny_bundle)
    assert "images: 0 with a proposed text" in done.out and "3 below the confidence" in done.out


def test_a_model_that_tells_its_confidence_proposes_by_it(sightline, site, heads_bundle, photos, tmp_path):
    """Above one half; and nothing for what it takes for no photo."""
    (site / "index.html").unlink()
    (site / "notes.md").write_text("".join(f"![](img/{photo.name})\n" for photo in photos))
    for photo in photos:
        shutil.copy(photo, site / "img")
    captions = {photo.name: Captioner(heads_bundle)(photo) for photo in photos}
    said = {name: caption for name, caption in captions.items() if caption.kind == "photo"}
    sure = {name for name, caption in said.items() if caption.confidence >= 0.5}
    assert sure < set(said) < set(captions) and sure, "some of each"
    for _ in range(2):  # the second time from the cache
        done = sightline("alt", site, "--model", heads_bundle)
        *rows, counts = done.out.splitlines()
        assert {row.split()[1].removeprefix("img/") for row in rows} == sure
        assert f"{len(said) - len(sure)} below the confidence" in counts
        assert f"{len(captions) - len(said)} drawings and other non-photos" in counts
    all_said = sightline("alt", site, "--model", heads_bundle, "--min-confidence", 0)
    assert f"images: {len(said)} with a proposed text" in all_said.out


def test_what_cannot_be_read_is_named_and_the_rest_done(alt, site, monkeypatch):
    monkeypatch.setattr(sightline.alt.page, "LARGEST", 2000)
    (site / "img" / "1.png").write_bytes(b"no photo")
    (site / "large.md").write_text("![](img/0.png)" * 200)
    (site / "wide.html").write_text("<img src=img/0.png>", encoding="utf-16")
    done = alt(site)
    assert done.status == 1 and "2 with a proposed text" in done.out and "3 failed" in done.out
    assert [name in done.err for name in ("1.png", "large.md", "wide.html")] == [True] * 3
    assert "Traceback" not in done.err


def test_a_page_that_was_changed_meanwhile_is_left(alt, site, monkeypatch):
    from sightline.alt import report

    monkeypatch.setattr(report, "write_report", lambda *arguments: None)
    apply = sightline.alt.page.apply

    def changed(page, *arguments):
        page.path.write_bytes(b"new")
        apply(page, *arguments)

    monkeypatch.setattr(sightline.alt.page, "apply", changed)
    done = alt(site, "--apply")
    assert done.status == 1 and "notes.md" in done.err
    assert (site / "notes.md").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("options", "named"),
    [(("--apply", "--check"), "--check"), (("--draft",), "--apply"), (("--check", "--html", "x"), "--html")],
)
def test_options_that_do_not_go_together(sightline, site, options, named):
    done = sightline("alt", site, *options)
    assert done.status == 2 and named in done.err


def test_no_pages(sightline, tmp_path):
    for place in (tmp_path, tmp_path / "none"):
        assert sightline("alt", place).status == 1


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        *(
            ("a%20b.png#x", "a b.png"),
            ("/a%20b.png", "a b.png"),
            ("/c.png", "public/c.png"),
            ("./page/../a b.png", "a b.png"),
        ),
        *(
            ("data:image/png;base64,AA", "elsewhere"),
            ("//x.org/a.png", "elsewhere"),
            ("HTTPS://x.org/a.png", "elsewhere"),
        ),
        *(
            ("../a.png", "elsewhere"),
            ("/../../etc/a.png", "elsewhere"),
            ("link.png", "elsewhere"),
            ("a.svg", "drawing"),
        ),
        *(("no.png", "absent"), ("%00.png", "absent"), ("x" * 5000 + ".png", "absent"), ("?", "absent")),
    ],
)
def test_photos_of_the_sites_own_folder_only(tmp_path, reference, expected):
    site = tmp_path / "site"
    (site / "public").mkdir(parents=True)
    for name in ("site/a b.png", "site/public/c.png", "a.png"):
        (tmp_path / name).touch()
    if reference == "link.png":
        if os.name == "nt":
            pytest.skip("making links needs a privilege on Windows")
        (site / "link.png").symlink_to(tmp_path / "a.png")
    found = photo_of(reference, site / "page.html", site)
    assert found == (expected if isinstance(found, str) else site.resolve() / expected)


def test_kinds_of_pictures(photos):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    assert kind_of(photos[0].read_bytes()) == "photo"
    assert kind_of(saved(Image.fromarray(noise), "JPEG")) == "photo"
    assert kind_of(saved(Image.fromarray(noise).resize((63, 200)), "JPEG")) == "small"
    assert kind_of(drawing()) == "drawing"


def test_only_blank_photos_say_nothing(tiny_bundle, photos):
    captioner = Captioner(tiny_bundle)
    seen, blank = captioner(photos[0]), captioner(np.zeros((9, 9, 3), np.uint8))
    ends_early = replace(seen, note="the file ends early")
    assert propose._known(ends_early) == propose._known(seen)
    assert propose._known(seen).text == seen.text and propose._known(blank).kind == "blank"
