from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sightline.errors import SightlineError
from sightline.preprocess import Preprocessing, open_photo, preprocess

SMALL = Preprocessing(size=32, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1))


@pytest.fixture
def photo() -> Image.Image:
    """Every corner another colour, so that no turning or mirroring goes unnoticed."""
    image = Image.new("RGB", (60, 40), (200, 200, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 29, 19), (250, 10, 10))
    draw.rectangle((30, 0, 59, 19), (10, 240, 10))
    draw.rectangle((0, 20, 29, 39), (10, 10, 230))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def assert_alike(image: Image.Image, expected: Image.Image, within: float = 3) -> None:
    assert (image.mode, image.size) == ("RGB", expected.size)
    difference = np.abs(np.asarray(image, float) - np.asarray(expected.convert("RGB"), float))
    assert difference.mean() <= within


def test_pixels_are_resized_standardised_and_channels_first(photo):
    pixels = preprocess(photo, SMALL)
    assert (pixels.shape, pixels.dtype) == ((3, 32, 32), np.float32)
    assert pixels.flags.c_contiguous
    values = np.asarray(photo.resize((32, 32), Image.Resampling.BICUBIC), float) / 255
    expected = (values - np.array([0.5, 0.4, 0.3])) / np.array([0.25, 0.2, 0.1])
    np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=1e-5)


def test_a_photo_of_the_right_size_is_not_resampled():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    pixels = preprocess(noise, SMALL)
    again = pixels.transpose(1, 2, 0) * np.float32([0.25, 0.2, 0.1]) + np.float32([0.5, 0.4, 0.3])
    assert np.array_equal((again * 255).round(), noise)


def test_a_path_its_bytes_its_image_and_its_array_are_the_same_photo(photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    expected = preprocess(path, SMALL)
    with Image.open(path) as image:
        for same in (str(path), path.read_bytes(), image, np.asarray(photo)):
            assert np.array_equal(preprocess(same, SMALL), expected)


TURNED_BACK = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(photo, orientation, kind):
    transpose = TURNED_BACK[orientation]
    stored = photo if transpose is None else photo.transpose(transpose)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} | ({"quality": 95} if kind in ("JPEG", "WEBP") else {})
    assert_alike(open_photo(saved(stored, kind, **options), 32), photo, within=8)


def test_a_broken_orientation_does_not_cost_the_photo(photo):
    exif = Image.Exif()
    exif[0x0112] = 77
    assert_alike(open_photo(saved(photo, "PNG", exif=exif)), photo)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PNG"), ("L", "JPEG"), ("1", "PNG"), ("P", "PNG"), ("P", "GIF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"),
     ("YCbCr", "JPEG"), ("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("L", "BMP")],
)  # fmt: skip
def test_every_kind_of_colour_becomes_rgb(photo, mode, kind):
    converted = photo.convert(mode)
    assert_alike(open_photo(saved(converted, kind)), converted, within=6)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_what_is_transparent_is_white(kind):
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    image.paste((200, 30, 30, 255), (0, 0, 10, 10))
    pixels = np.asarray(open_photo(saved(image, kind, lossless=True)), int)
    assert np.abs(pixels[:, 1:9] - [200, 30, 30]).max() <= 8
    assert pixels[:, 11:].min() == 255


def test_a_transparent_palette_and_half_transparency():
    half = Image.new("RGBA", (4, 4), (100, 100, 100, 128))
    assert np.asarray(open_photo(half)).tolist() == [[[177, 177, 177]] * 4] * 4
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((0, 0), 1)
    pixels = np.asarray(open_photo(saved(palette, "PNG", transparency=0)))
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[1:].min() == 255
    grey_alpha = Image.new("LA", (4, 4), (0, 0))
    assert np.asarray(open_photo(grey_alpha)).min() == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("brightest", [65535, 200])
def test_sixteen_bit_photos_keep_their_brightness(kind, brightest):
    ramp = np.linspace(0, brightest, 64, dtype=np.uint16)[None].repeat(8, 0)
    pixels = np.asarray(open_photo(saved(Image.fromarray(ramp), kind)), int)
    assert pixels.shape == (8, 64, 3)
    assert np.abs(pixels[..., 0] - ramp / 257).max() <= 0.5


def test_sixteen_bit_colour_and_big_endian_tiff():
    ramp = np.linspace(0, 65535, 64, dtype=">u2")[None].repeat(8, 0)
    image = Image.frombytes("I;16B", (64, 8), ramp.tobytes())
    pixels = np.asarray(open_photo(image), int)
    assert np.abs(pixels[..., 2] - ramp / 257).max() <= 0.5


def test_float_and_integer_images():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(8, 0)
    for values, expected in ((ramp, ramp * 255), (ramp * 255, ramp * 255), (ramp * 65535, ramp * 255)):
        pixels = np.asarray(open_photo(saved(Image.fromarray(values), "TIFF")), float)
        assert np.abs(pixels[..., 0] - expected).max() <= 0.51
    odd = ramp.copy()
    odd[0, :3] = [np.nan, np.inf, -np.inf]
    assert open_photo(Image.fromarray(odd)).size == (64, 8)
    eight_bits = Image.fromarray((ramp * 255).astype(np.int32))
    assert np.asarray(open_photo(eight_bits))[0, -1].tolist() == [255, 255, 255]


def test_the_first_picture_of_an_animation_counts(photo):
    other = Image.new("RGB", photo.size, "black")
    moving = saved(photo, "GIF", save_all=True, append_images=[other], duration=100)
    assert_alike(open_photo(moving), photo, within=8)


def test_a_large_jpeg_decoded_small_looks_the_same(tmp_path):
    blurred = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    large = Image.fromarray(blurred).resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=95)
    assert open_photo(tmp_path / "large.jpg", 32).width < 400
    assert open_photo(tmp_path / "large.jpg").width == 1600
    jpeg, whole = preprocess(tmp_path / "large.jpg", SMALL), preprocess(large, SMALL)
    assert np.abs(jpeg - whole).mean() < 0.05


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind, share, tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    whole = saved(noise, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SightlineError, match=r"cut\.\w+: (damaged or truncated image|not an image that can be read)"):
        open_photo(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (14000, 14000)).save(path, compress_level=1)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(SightlineError, match=r"bomb\.png: too many pixels to decode safely; scale the photo down"):
        preprocess(path, SMALL)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_merely_large_photo_is_read(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    assert photo.width * photo.height == 2400
    assert preprocess(saved(photo, "PNG"), SMALL).shape == (3, 32, 32)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("I am no photo")
    (tmp_path / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name, reason in {
        "absent.jpg": "no such file",
        ".": "a folder, not a photo",
        "empty.jpg": "not an image that can be read",
        "text.jpg": "not an image that can be read",
        "image.svg": "not an image that can be read",
        "text.jpg/photo.jpg": "cannot be read (Not a directory)",
        f"{'x' * 300}.jpg": "cannot be read (File name too long)",
    }.items():
        with pytest.raises(SightlineError) as refused:
            open_photo(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name}: {reason}"
    with pytest.raises(SightlineError, match=r"^photo: not an image that can be read$"):
        open_photo(b"nothing")


def test_a_photo_that_may_not_be_read(tmp_path, monkeypatch, photo):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(SightlineError, match=r"locked\.jpg: cannot be read \(Permission denied\)"):
        open_photo(tmp_path / "locked.jpg")


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "must be uint8 .*float32"),
        (np.zeros((4, 4, 2), np.uint8), r"must be uint8 .*\(4, 4, 2\)"),
        (np.zeros(4, np.uint8), "must be uint8"),
        (np.zeros((0, 4, 3), np.uint8), "must have pixels"),
        (None, "a photo is a path, .*this is a NoneType"),
        (42, "a photo is a path, .*this is a int"),
    ],
)
def test_what_is_no_photo_is_refused(photo, message):
    with pytest.raises(SightlineError, match=message):
        preprocess(photo, SMALL)


def test_arrays_may_be_gray_colour_or_transparent():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.asarray(open_photo(gray))[..., 1].tolist() == gray.tolist()
    clear = np.zeros((8, 8, 4), np.uint8)
    assert np.asarray(open_photo(clear)).min() == 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damage_of_any_sort_raises_nothing_else(photo, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = np.frombuffer(saved(photo, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif})), np.uint8)
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        damaged = whole.copy()
        places = random.integers(0, len(whole), random.integers(1, 20))
        damaged[places] = random.integers(0, 256, len(places))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.add(preprocess(damaged.tobytes(), SMALL).shape)
            except SightlineError:
                outcomes.add("refused")
    assert "refused" in outcomes
    assert outcomes <= {"refused", (3, 32, 32)}


def test_the_photo_given_is_left_as_it_was(photo, tmp_path):
    path = tmp_path / "photo.jpg"
    photo.resize((600, 400)).save(path)
    with Image.open(path) as image:
        preprocess(image, SMALL)
        assert image.size == (600, 400)
    before = Path(path).read_bytes()
    preprocess(path, SMALL)
    assert path.read_bytes() == before
