from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from sightline.errors import SightlineError
from sightline.explain import draw_attention
from sightline.explain.image import PAPER, _wrap, overlay

CORNERS = {(0, 0): (0.1, 0.1), (0, 3): (0.9, 0.1), (3, 0): (0.1, 0.9), (3, 3): (0.9, 0.9)}


def tiles(sheet: Image.Image) -> list[Image.Image]:
    """The sheet's tiles, row by row, found by what a tile alone is: a large block without a pixel of paper."""
    covered = (np.asarray(sheet) != PAPER).any(axis=2)
    found = []
    for top, bottom in _runs(covered.mean(axis=1) > 0.1, at_least=40):
        for left, right in _runs(covered[top:bottom].all(axis=0), at_least=20):
            found.append(sheet.crop((left, top, right, bottom)))
    return found


def _runs(flags: np.ndarray, at_least: int) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= at_least]


def luminance(image: Image.Image, place: tuple[float, float]) -> float:
    return image.convert("L").getpixel((int(place[0] * image.width), int(place[1] * image.height)))


def warmth(image: Image.Image, place: tuple[float, float]) -> int:
    red, _, blue = image.getpixel((int(place[0] * image.width), int(place[1] * image.height)))
    return red - blue


GRAY = Image.new("RGB", (120, 120), (128, 128, 128))


@pytest.mark.parametrize("words", [1, 2, 5, 12, 20])
@pytest.mark.parametrize("size", [(120, 120), (160, 90), (90, 160), (600, 60), (60, 600)])
def test_a_sheet_has_the_photo_and_a_tile_a_word_of_the_photos_aspect(words, size, make_caption):
    caption = make_caption(" ".join("abcdefghijklmnopqrst"[:words]))
    shown = tiles(draw_attention(Image.new("RGB", size, (128, 128, 128)), caption))
    assert len(shown) == words + 1
    assert {tile.size for tile in shown} == {shown[0].size}
    assert shown[0].width / shown[0].height == pytest.approx(size[0] / size[1], rel=0.05)
    assert shown[0].getcolors() == [(shown[0].width * shown[0].height, (128, 128, 128))]


@pytest.mark.parametrize("size", [(120, 120), (200, 80), (80, 200)])
def test_the_light_is_where_the_attention_is(size, make_caption):
    caption = make_caption("a b c d", list(CORNERS))
    shown = tiles(draw_attention(Image.new("RGB", size, (128, 128, 128)), caption))[1:]
    for tile, lit in zip(shown, CORNERS.values(), strict=True):
        for place in CORNERS.values():
            if place != lit:
                assert luminance(tile, lit) > luminance(tile, place) + 40
                assert warmth(tile, lit) > warmth(tile, place) + 40


def test_grid_row_0_and_the_last_column_light_the_top_right(make_caption):
    grid = (3, 5)
    tile = tiles(draw_attention(GRAY, make_caption("here", [(0, grid[1] - 1)], grid)))[1]
    values = np.asarray(tile.convert("L"), float)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert row < tile.height / grid[0] and column > tile.width * (1 - 1 / grid[1])


def test_an_even_look_lights_all_alike(make_caption):
    tile = tiles(draw_attention(GRAY, make_caption("everywhere")))[1]
    assert np.asarray(tile.convert("L"), float).std() < 1


@pytest.mark.parametrize("color", [(0, 0, 0), (128, 128, 128), (255, 255, 255)])
def test_the_overlay_grows_with_emphasis_and_keeps_the_photo_visible(color):
    ramp = np.linspace(0, 1, 9, dtype=np.float32)[None]
    values = np.asarray(overlay(Image.new("RGB", (90, 10), color), ramp).convert("L"), int)[5]
    assert (np.diff(values) >= -1).all() and values[-5] > values[5] + 20
    black, white = (np.asarray(overlay(Image.new("L", (8, 8), v).convert("RGB"), ramp), int) for v in (0, 255))
    assert (white - black).min() > 60


def test_a_turned_photo_is_shown_upright(make_caption):
    stored = Image.new("RGB", (80, 40), (128, 128, 128))
    stored.paste((250, 250, 250), (0, 0, 20, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: what is stored at the left belongs at the top.
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    photo = tiles(draw_attention(file.getvalue(), make_caption("a b", [(0, 0), (3, 3)])))[0]
    assert photo.height == pytest.approx(2 * photo.width, abs=2)
    assert luminance(photo, (0.5, 0.1)) > 240 and luminance(photo, (0.5, 0.9)) < 140


def test_probabilities_and_words_are_printed_above_their_tiles(make_caption):
    def ink(text: str, probability: float) -> tuple[int, int]:
        sheet = draw_attention(GRAY, make_caption(text, probability=probability))
        top = sheet.height - 32 - 240
        strip = np.asarray(sheet)[top - 27 : top, sheet.width - 32 - 240 : sheet.width - 32]
        marks = (strip != PAPER).any(axis=2)
        return int(marks[:, :120].sum()), int(marks[:, 120:].sum())

    word, percent = ink("wide", 0.5)
    assert word > 50 and percent > 50
    assert ink("wide", 1.0)[1] > percent
    assert ink("wwwwww", 0.5)[0] > word


@pytest.mark.parametrize("text", ["w" * 400, " ".join(["word"] * 60), ""])
def test_long_and_empty_sentences_stay_on_the_sheet(text, make_caption):
    sheet = draw_attention(GRAY, make_caption(text), tile_size=60)
    frame = np.asarray(sheet).copy()
    frame[6:-6, 6:-6] = PAPER
    assert (frame == PAPER).all()
    assert (np.asarray(sheet)[:15] != PAPER).any() == bool(text)


def test_unreadable_fonts_and_photos_are_the_persons_mistakes(make_caption, tmp_path):
    font = tmp_path / "font.ttf"
    font.write_bytes(b"no font")
    with pytest.raises(SightlineError, match=r"font\.ttf"):
        draw_attention(GRAY, make_caption("a"), font=font)
    with pytest.raises(SightlineError, match="no such file"):
        draw_attention(tmp_path / "none.jpg", make_caption("a"))


def test_a_sentence_from_right_to_left_has_its_tiles_so(make_caption):
    """The photo, the only tile that nothing dims, stands at the right."""
    for text, photo in (("dog", 0), ("כלב", 1), ("كلب", 1)):
        shown = [luminance(tile, (0.5, 0.5)) for tile in tiles(draw_attention(GRAY, make_caption(text)))]
        assert len(shown) == 2 and shown[photo] == 128 != shown[1 - photo]


def test_a_long_sentence_without_blanks_is_set_in_lines(make_caption):
    text = "一只棕色的狗在绿色的草地上追着一个红色的球奔跑" * 4
    font = ImageFont.load_default(20)
    lines = _wrap(text, font, 300)
    assert len(lines) > 1 and "".join(lines) == text
    assert _wrap("a dog 一只狗", font, 10_000) == ["a dog 一只狗"]
