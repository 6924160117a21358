from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageFont

from sightline.images import fonts
from sightline.images.fonts import font_file, usual_fonts

MATPLOTLIB_FONT = "mpl-data/fonts/ttf/DejaVuSans.ttf"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Without what was found on this machine before, and after, a test."""
    for cached in (fonts.usual_fonts, fonts._font_file, fonts._installed_fonts):
        cached.cache_clear()
    yield
    for cached in (fonts.usual_fonts, fonts._font_file, fonts._installed_fonts):
        cached.cache_clear()


@pytest.fixture
def only(monkeypatch, tmp_path):
    """The fonts of a folder, as if no others were installed."""
    monkeypatch.setattr(fonts, "_USUAL", ())
    monkeypatch.setattr(fonts, "_font_folders", lambda: [tmp_path / "none", tmp_path])
    return tmp_path


def test_an_installed_font_is_found_by_the_letters_it_has(only):
    matplotlib = pytest.importorskip("matplotlib")
    (only / "deep").mkdir()
    shutil.copy(Path(matplotlib.__file__).parent / MATPLOTLIB_FONT, only / "deep" / "Some.ttf")
    (only / "Bad.ttf").write_bytes(b"not a font")
    assert font_file("собака бежит, ein Hund läuft") == str(only / "deep" / "Some.ttf")
    assert font_file("一只棕色的狗") is None
    assert ImageFont.truetype(font_file("é"), 12).getlength("é") > 0


def test_regular_styles_come_first(only):
    for name in ("A-Bold.ttf", "A.ttf", "B-Regular.ttf", "notes.txt"):
        (only / name).touch()
    assert [Path(name).name for name in fonts._installed_fonts()] == ["B-Regular.ttf", "A.ttf", "A-Bold.ttf"]


def test_where_nothing_is_installed_there_is_none(only):
    assert usual_fonts() == () and font_file("é") is None


def test_what_is_found_is_a_file():
    assert all(Path(path).is_file() for path in usual_fonts())
