"""Drawn pictures that are no photos: of every kind, the same for a seed, none empty, on machines without fonts too."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sightline import SightlineError
from sightline.images import fonts
from sightline.not_photos import KINDS, contact_sheet, draw, pens


@pytest.fixture(autouse=True)
def matplotlib_where_charts_are_drawn() -> None:
    pytest.importorskip("matplotlib")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_one_picture_and_another_seed_another(kind: str) -> None:
    pictures = [draw(kind, seed) for seed in (3, 3, 4)]
    one, again, other = (picture.tobytes() for picture in pictures)
    assert one == again != other
    assert pictures[0].mode == "RGB" and min(pictures[0].size) >= 16


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pattern"])
def test_no_picture_is_empty(kind: str) -> None:
    for seed in range(6):
        assert np.asarray(draw(kind, seed).resize((64, 64))).std() > 2


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(
        SightlineError, match="'photo' is no kind of picture that is drawn; choose one of page of text,"
    ):
        draw("photo", 0)


def test_without_fonts_pillows_own_letters_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed_fonts", lambda: ())
    for cached in (pens._fonts, pens._font):
        cached.cache_clear()
    picture = draw("page of text", 1)
    for cached in (pens._fonts, pens._font):
        cached.cache_clear()
    assert np.asarray(picture.convert("L")).std() > 2


def test_a_contact_sheet_shows_every_picture_whole() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    sheet = contact_sheet([Image.new("RGB", (30, 10 * place + 10), each) for place, each in enumerate(colours)], 2, 40)
    assert sheet.size == (80, 80)
    assert [sheet.getpixel(place) for place in ((5, 5), (45, 5), (5, 45))] == colours
