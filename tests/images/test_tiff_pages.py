"""Of a TIFF of several pictures, the photo is shown."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.preprocess import TooManyPixels, open_photo

from ..pictures import assert_alike, four_corners

tifffile = pytest.importorskip("tifffile")

REDUCED = {"subfiletype": 1}


@pytest.fixture
def photo() -> Image.Image:
    return four_corners().resize((300, 200))


def file_of(*pictures: tuple[Image.Image, dict[str, Any]], **options: Any) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=options.pop("bigtiff", False)) as writer:
        for image, own in pictures:
            values = np.asarray(image)
            writer.write(
                values, photometric="rgb" if values.ndim == 3 else "minisblack", metadata=None, **options, **own
            )
    return file.getvalue()


def other(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 50).convert("RGB")


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_a_thumbnail_is_not_the_photo(photo, options):
    small, tiny = other(150, 100), other(30, 20)
    for pictures in (
        ((small, REDUCED), (photo, {})),  # the second page
        ((small, REDUCED), (tiny, REDUCED), (photo, {})),
        ((small, {**REDUCED, "subifds": 1}), (photo, {})),  # below the first page
        ((small, {**REDUCED, "subifds": 2}), (tiny, REDUCED), (photo, {})),
        ((tiny, {"subifds": 1}), (photo, {})),
        ((small, {**REDUCED, "subifds": 1}), (photo, REDUCED)),  # where the photo itself cannot be read
        ((photo, {"subifds": 1}), (small, REDUCED)),
    ):
        assert_alike(open_photo(file_of(*pictures, **options)), photo, within=0)


def test_pages_of_a_big_tiff_count_too(photo):
    assert_alike(open_photo(file_of((other(30, 20), REDUCED), (photo, {}), bigtiff=True)), photo, within=0)


def test_what_looks_like_a_thumbnail_is_taken_for_one_with_a_note(photo):
    picture = open_photo(file_of((other(120, 80), {}), (photo, {})))
    assert_alike(picture, photo, within=0)
    assert "thumbnail" in picture.info["note"]
    for pages in (
        (photo, other(400, 300)),
        (photo, other(150, 100)),
        (Image.new("RGB", (600, 900), "red"), other(1200, 1600)),
    ):
        picture = open_photo(file_of(*((page, {}) for page in pages)))
        assert_alike(picture, pages[0], within=0)
        assert not picture.info


def test_a_picture_that_is_found_is_as_upright_and_deep_as_it_would_be_alone(photo):
    orientation = (274, "H", 1, 6, True)
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    small = other(20, 30)
    for first, second in (([orientation], []), ([], [orientation]), ([orientation], [orientation])):
        data = file_of((small, {**REDUCED, "extratags": first}), (turned, {"extratags": second}))
        assert_alike(open_photo(data), photo, within=0)
    deep = np.asarray(photo).astype(np.uint16) * 16
    for compression in (None, "zlib"):
        assert_alike(open_photo(file_of((small, REDUCED), (deep, {}), compression=compression)), photo, within=1)


def test_of_a_pyramid_over_the_limit_a_smaller_copy_is_taken(photo):
    half = photo.resize((150, 100), Image.Resampling.BOX)
    for order in (((photo, {}), (half, REDUCED)), ((half, REDUCED), (photo, {}))):
        data = file_of(*order)
        assert open_photo(data).size == (300, 200)
        assert_alike(open_photo(data, max_pixels=59_999), half, within=0)
        with pytest.raises(TooManyPixels):
            open_photo(data, max_pixels=14_999)


def test_damaged_pages_do_not_cost_the_first(photo):
    data = bytearray(file_of((photo, {}), (other(120, 80), {})))
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        second = image.tag_v2.offset
    data[second + 2 : second + 120] = b"\xff" * 118
    assert_alike(open_photo(bytes(data)), photo, within=0)
