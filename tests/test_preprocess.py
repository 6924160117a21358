"""Photos are decoded, or refused with the reason, and prepared for an encoder."""

from __future__ import annotations

import functools
import io
import os
import re
import socket
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from sightline.errors import SightlineError
from sightline.images.formats import _register_heic
from sightline.preprocess import Preprocessing, TooManyPixels, allow_pixels, is_blank, open_photo, preprocess

from .pictures import SCENE, assert_alike, four_corners, png_chunk, saved, tiff


@pytest.fixture
def photo() -> Image.Image:
    return four_corners()


SMALL = Preprocessing(size=32, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1))


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
@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
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
    with pytest.raises(SightlineError, match=r"bomb\.png: 14,000 x 14,000 pixels .* --max-megapixels 196$"):
        preprocess(path, SMALL)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_photos_over_the_limit_are_decoded_at_a_smaller_scale_or_refused_or_allowed(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
    square = photo.resize((400, 400))
    jpeg, progressive, png = saved(square, "JPEG"), saved(square, "JPEG", progressive=True), saved(square, "PNG")
    assert open_photo(jpeg, 32).size == open_photo(jpeg, 32, max_pixels=160_000).size == (100, 100)
    assert open_photo(jpeg, 32, max_pixels=20_000).size == (100, 100)
    for refused, limit in ((jpeg, 19_999), (progressive, None), (png, None), (saved(square, "JPEG2000"), 5000)):
        with pytest.raises(TooManyPixels, match=r"^photo: 400 x 400 pixels .* --max-megapixels 1$"):
            open_photo(refused, 32, max_pixels=limit)
    with pytest.raises(TooManyPixels):
        open_photo(jpeg)  # as it is
    for allowed in (progressive, png, saved(square, "BMP"), saved(square, "PPM")):
        assert_alike(open_photo(allowed, 32, max_pixels=160_000).resize((60, 40)), photo, within=12)
    tiff = saved(square, "TIFF")
    with pytest.raises(TooManyPixels, match="--max-megapixels"):
        open_photo(tiff, 32, max_pixels=160_000)
    allow_pixels(160_000)
    assert open_photo(tiff, 32).size == square.size


def test_jpeg_2000_is_decoded_at_a_smaller_scale(photo):
    large = photo.resize((1200, 800), Image.Resampling.BICUBIC)
    for levels, size in ((5, (150, 100)), (1, (600, 400))):
        data = saved(large, "JPEG2000", num_resolutions=levels + 1)
        assert open_photo(data, 32).size == large.size
        assert open_photo(data, 32, max_pixels=240_000).size == size
    small = open_photo(saved(large, "JPEG2000"), 32, max_pixels=120_000)
    assert_alike(small, large.resize(small.size, Image.Resampling.BOX))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_merely_large_photo_is_read(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    assert photo.width * photo.height == 2400
    assert preprocess(saved(photo, "PNG"), SMALL).shape == (3, 32, 32)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("I am no photo")
    (tmp_path / "short.jpg").write_bytes(b"no")
    (tmp_path / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for name, reason in {
        "absent.jpg": "no such file",
        ".": "a folder, not a photo",
        "empty.jpg": "an empty file",
        "text.jpg": "not an image that can be read",
        "short.jpg": "not an image that can be read",
        "image.svg": "a vector drawing; save it as PNG",
        "text.jpg/photo.jpg": "cannot be read (Not a directory)",
        f"{'x' * 300}.jpg": "cannot be read (File name too long)",
    }.items():
        with pytest.raises(SightlineError) as refused:
            open_photo(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name}: {reason}"
    with pytest.raises(SightlineError, match=r"^photo: not an image that can be read$"):
        open_photo(b"nothing")


def test_a_photo_that_may_not_be_read(tmp_path, monkeypatch, photo):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    (tmp_path / "locked.jpg").touch()
    with pytest.raises(SightlineError, match=r"locked\.jpg: cannot be read \(Permission denied\)"):
        open_photo(tmp_path / "locked.jpg")


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((4, 4, 3), np.complex64), "must hold numbers.*complex64"),
        (np.zeros((4, 4), "M8[s]"), "must hold numbers.*datetime64"),
        (np.zeros((4, 4, 2), np.uint8), r"must hold numbers, \(H, W\), .*\(4, 4, 2\)"),
        (np.zeros((3, 4, 5), np.float32), r"must hold numbers, .*\(3, 4, 5\)"),
        (np.zeros(4, np.uint8), "must hold numbers"),
        (np.zeros((0, 4, 3), np.uint8), "must have pixels"),
        (None, "a photo is a path, .*this is a NoneType"),
        (42, "a photo is a path, .*this is an int"),
    ],
)
def test_what_is_no_photo_is_refused(photo, message):
    with pytest.raises(SightlineError, match=message):
        preprocess(photo, SMALL)


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


# What keeps nothing alive.


def frames_of(error: BaseException) -> list[dict[str, object]]:
    """The variables of the frames that an error holds, this test's own apart."""
    frames, trace = [], error.__traceback__.tb_next if error.__traceback__ else None
    while trace:
        frames.append(trace.tb_frame.f_locals)
        trace = trace.tb_next
    return frames


@pytest.mark.parametrize("of", [open_photo, functools.partial(preprocess, preprocessing=SMALL)])
def test_an_error_holds_nothing_that_was_decoded(of, photo):
    whole = saved(photo.resize((600, 400)), "PNG")
    for bad in (whole[:500], io.BytesIO(whole[:500]), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(SightlineError) as refused:
            of(bad)
        assert (refused.value.__cause__, refused.value.__context__) == (None, None)
        held = [value for frame in frames_of(refused.value) for value in frame.values()]
        held = [value for value in held if value is not bad]  # the caller's own
        assert not [value for value in held if isinstance(value, (bytes, io.BytesIO, np.ndarray, Image.Image))]


def test_blank_photos_are_told():
    for photo in (
        Image.new("RGB", (50, 40), (3, 200, 7)),
        Image.new("RGBA", (50, 40)),
        saved(Image.new("RGB", (50, 40), (3, 200, 7)), "JPEG"),
        np.full((5, 5), np.nan),
        Image.new("1", (50, 40)),
    ):
        assert is_blank(preprocess(photo, SMALL), SMALL)
    dot = Image.new("L", (50, 40), 100)
    dot.paste(110, (10, 10, 20, 20))
    assert not is_blank(preprocess(dot, SMALL), SMALL)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(SightlineError, match=rf"^photo: it has no pixels: {size[0]} x {size[1]}$"):
        open_photo(Image.new("RGB", size))


# Which reader may take it, and how many pixels it may have.


def webp_that_looks_like_a_photo_cd() -> bytes:
    """An 8 x 8 WebP photo that the reader of Photo CDs, which have no signature, takes for one of 768 x 512."""
    webp = saved(Image.new("RGB", (8, 8), (200, 30, 30)), "WEBP", lossless=True)
    padded = webp + b"JUNK" + (2048 - len(webp) - 8).to_bytes(4, "little") + bytes(2048 - len(webp) - 8)
    padded += b"PCD_" + bytes(200_000)
    return padded[:4] + (len(padded) - 8).to_bytes(4, "little") + padded[8:]


def test_a_photo_is_decoded_by_the_reader_of_its_signature(tmp_path):
    (path := tmp_path / "photo.webp").write_bytes(data := webp_that_looks_like_a_photo_cd())
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PCD", (768, 512))
    for same in (path, data, bytearray(data), io.BytesIO(data)):
        for formats in (None, ["WEBP"], ["PNG", "WEBP", "PCD"]):
            assert open_photo(same, formats=formats, max_pixels=64).size == (8, 8)
        with pytest.raises(SightlineError, match="PNG, PCD"):
            open_photo(same, formats=["PNG", "PCD"])
    photo_cd = bytes(2048) + b"PCD_" + bytes(2_000_000)
    assert open_photo(photo_cd).size == (768, 512)
    with pytest.raises(SightlineError, match="JPEG, WEBP"):
        open_photo(photo_cd, formats=["JPEG", "WEBP"])


def test_only_the_formats_that_are_named_are_read(photo):
    for kind in ("PNG", "GIF", "TIFF", "TGA"):
        data = saved(photo, kind)
        assert open_photo(data, formats=["BMP", kind]).size == photo.size
        with pytest.raises(SightlineError, match="BMP, JPEG"):
            open_photo(data, formats=["BMP", "JPEG"])
        with pytest.raises(SightlineError, match="BMP, JPEG"):
            preprocess(data, SMALL, formats=["BMP", "JPEG"])


def test_too_many_pixels_are_refused_before_anything_is_decoded(photo, monkeypatch):
    pixels = photo.width * photo.height
    for same in (saved(photo, "PNG"), photo, np.asarray(photo)):
        assert open_photo(same, max_pixels=pixels).size == photo.size
        for attempt in (open_photo, functools.partial(preprocess, preprocessing=SMALL)):
            with pytest.raises(TooManyPixels, match="over the limit of 2,399;"):
                attempt(same, max_pixels=pixels - 1)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(TooManyPixels):
        open_photo(saved(photo, "PNG"), max_pixels=pixels - 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_buffer_is_read_in_place_and_let_go(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 400, 3), np.uint8))
    data = bytearray(saved(noise, kind))
    expected = open_photo(bytes(data))
    assert np.array_equal(open_photo(data), expected)
    assert np.array_equal(open_photo(memoryview(data)), expected)
    data.clear()  # a buffer that is still being read cannot change its size
    with pytest.raises(SightlineError, match="empty file"):
        open_photo(data)
    padded = bytearray(saved(Image.new("L", (8, 8)), "BMP").ljust(20_000_000, b"\0"))
    tracemalloc.start()
    open_photo(padded)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


# What a photo may come as.


def test_files_and_buffers_are_photos(photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    data, expected = path.read_bytes(), preprocess(path, SMALL)
    with path.open("rb") as file:
        file.seek(100)
        for same in (file, file, io.BytesIO(data), bytearray(data), memoryview(data)):
            assert np.array_equal(preprocess(same, SMALL), expected)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as end:
        os.write(writing, data)
        os.close(writing)
        assert np.array_equal(preprocess(end, SMALL), expected)
    with (
        path.open(encoding="latin-1") as text,
        pytest.raises(SightlineError, match=r"photo\.png: opened as text; open"),
    ):
        open_photo(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        for path in (tmp_path / "pipe.jpg", tmp_path / "socket.jpg", "/dev/zero"):
            with pytest.raises(SightlineError, match=rf"^{path}: not a regular file, but a pipe or a device$"):
                open_photo(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", ": a photo whose name is empty"),
        ("a\0b.jpg", r"a\x00b.jpg: no file has such a name, with a NUL byte in it"),
        ("two\nlines\x1b[31m\u202e.jpg", r"two\nlines\x1b[31m\u202e.jpg: no such file"),
        ("\N{SNOWMAN}\u200d.jpg", "\N{SNOWMAN}\u200d.jpg: no such file"),
        ("x" * 5000, f"{'x' * 5000}: cannot be read (File name too long)"),
    ],
)
def test_odd_names_make_one_harmless_line(name, message):
    with pytest.raises(SightlineError) as refused:
        open_photo(name)
    assert str(refused.value) == message


# What is refused, and in which words.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"words", "not an image that can be read"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "a vector drawing; save it as PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "a vector drawing; save it as PNG"),
        (b"<!DOCTYPE html><p>404", "a web page; download the photo itself"),
        (b"%PDF-1.7 ...", "a PDF document; save its pages as PNG"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video; save a frame of it as JPEG"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "a camera raw file; export it as JPEG"),
        (b"FUJIFILMCCD-RAW 0201", "a camera raw file; export it as JPEG"),
        (b"\xff\x0a\0\0", "a JPEG XL photo; save it as JPEG or PNG"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer; fetch it with `git lfs pull`"),
    ],
)  # fmt: skip
def test_other_files_are_called_by_their_names(data, message):
    with pytest.raises(SightlineError) as refused:
        open_photo(data)
    assert str(refused.value) == f"photo: {message}"


def test_what_is_unsupported_is_not_called_damaged(photo):
    whole = saved(photo, "BMP")
    with pytest.raises(SightlineError, match=r"^photo: an image of a kind that is not supported \(Unsupported BMP"):
        open_photo(whole[:28] + b"\x30" + whole[29:])
    plain = tiff(SCENE.astype(np.uint8))
    place = plain.index(struct.pack("<HHII", 259, 4, 1, 1))
    unknown = plain[:place] + struct.pack("<HHII", 259, 4, 1, 34712) + plain[place + 12 :]
    with pytest.raises(SightlineError, match=r"^photo: an image of a kind that is not supported \(.*; save it as JPEG"):
        open_photo(unknown)


def test_decoders_complain_in_words_and_to_nobody_else(photo, capfd):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8))
    file = saved(noise, "TIFF", compression="tiff_lzw")
    middle = len(file) // 2
    with pytest.raises(SightlineError, match=r"^photo: damaged or truncated image \(its data cannot be decoded\)$"):
        open_photo(file[:middle] + b"\xff\x55" * 2000 + file[middle + 4000 :])
    exif = saved(photo, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\x00")
    code = """
import sys
from sightline import preprocess
if sys.argv[1:]:
    preprocess.silence_pillow()
preprocess.open_photo(sys.stdin.buffer)
"""
    for arguments in ([], ["silent"]):  # the library itself leaves its host's warnings alone
        done = subprocess.run([sys.executable, "-c", code, *arguments], input=exif, capture_output=True)
        assert (done.returncode, b"Corrupt EXIF" in done.stderr) == (0, not arguments), done.stderr
    assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_header_that_claims_too_much_is_refused_before_it_is_decoded():
    claimed = saved(Image.new("1", (9, 9)), "BMP")
    claimed = claimed[:18] + struct.pack("<ii", 12000, 12000) + claimed[26:]
    with pytest.raises(SightlineError, match=r"damaged image \(\d+ bytes that claim to be 12000 x 12000 pixels\)"):
        open_photo(claimed)


def test_large_photos_are_decoded_one_at_a_time(monkeypatch, photo):
    monkeypatch.setattr("sightline.preprocess._LARGE", 1000)
    at_once, most = 0, 0
    load = ImageFile.ImageFile.load

    def count_and_load(image):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", count_and_load)
    whole = saved(photo.resize((300, 200)), "PNG")
    with ThreadPoolExecutor(4) as pool:
        sizes = {image.size for image in pool.map(lambda _: open_photo(whole, 20), range(8))}
    assert (most, sizes) == (1, {(100, 67)})


def test_heic_photos_are_read_where_pillow_heif_is(photo, monkeypatch):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(photo).save(file, quality=95)
    assert_alike(open_photo(file.getvalue()), photo, within=8)
    with pytest.raises(SightlineError, match=r"^photo: damaged or truncated HEIC photo$"):
        open_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60))


def test_heic_photos_are_named_where_it_is_not(monkeypatch):
    monkeypatch.setattr("sightline.images.formats.heic_is_read", lambda: False)
    _register_heic.cache_clear()
    with pytest.raises(SightlineError, match=r'^photo: a HEIC photo; pip install "sightline\[heif\]" to read it$'):
        open_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60))
    _register_heic.cache_clear()


def _many_parts(kind: str) -> bytes:
    photo = saved(
        four_corners().resize((1200, 800)), "JPEG" if kind in ("scans", "segments", "EXIF") else kind, progressive=True
    )
    if kind == "scans":
        last = photo.rindex(b"\xff\xda")
        return photo[:last] + 3_000 * photo[last:-2] + photo[-2:]
    if kind == "segments":
        return photo[:2] + 200_000 * b"\xff\xe5\0\2" + photo[2:]
    if kind == "EXIF":  # a thousand tags in 600 kB, each of which names all of it
        tags = [struct.pack("<HHII", tag, 1, 500_000, 8) for tag in range(1000)]
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 1000) + b"".join(tags) + bytes(600_000)
        pieces = [b"Exif\0\0" + tiff[at : at + 60_000] for at in range(0, len(tiff), 60_000)]
        return photo[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(p) + 2) + p for p in pieces) + photo[2:]
    return photo[:33] + 200_000 * png_chunk(b"aaAa") + photo[33:]


@pytest.mark.parametrize("kind", ["scans", "segments", "EXIF", "PNG"])
@pytest.mark.parametrize("large", [1000, 20_000_000])
def test_a_photo_that_asks_for_too_much_work_is_refused_at_once(kind, large, monkeypatch):
    monkeypatch.setattr("sightline.preprocess._LARGE", large)
    photo = _many_parts(kind)
    start = time.process_time()
    with pytest.raises(SightlineError, match=r"takes too long.*; save it anew") as refused:
        open_photo(photo)
    assert "\n" not in str(refused.value)
    assert time.process_time() - start < 3


def test_a_long_vector_drawing_is_called_one():
    with pytest.raises(SightlineError, match="a vector drawing; save it as PNG"):
        open_photo(b"%!PS-Adobe-3.0 EPSF-3.0\n" + 200_000 * b"0 0 moveto\n")


def test_the_first_of_several_pictures_in_a_jpeg_counts(photo):
    large = photo.resize((600, 400))
    data = saved(large, "MPO", save_all=True, append_images=[Image.new("RGB", (600, 400))])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
    assert open_photo(data).size == large.size
    assert_alike(open_photo(data, 32).resize(photo.size), photo, within=12)


def test_usual_and_large_progressive_photos_are_no_such_work(photo):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).resize((1500, 1500))
    for image in (photo, noise):
        assert_alike(open_photo(saved(image, "JPEG", progressive=True, quality=95)), image, within=6)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("after", [33, -12])
def test_megabytes_of_metadata_do_not_cost_a_png(photo, kind, after):
    png = saved(photo, "PNG")
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", b"iCCP": b"x\0\0"}[kind]
    metadata = png_chunk(kind, head + zlib.compress(bytes(3_000_000)))
    assert_alike(open_photo(png[:after] + metadata + png[after:]), photo, within=0)


def test_thousands_of_profiles_are_not_unpacked(photo):
    png, profile = saved(photo, "PNG"), png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1_000_000)))
    start = time.process_time()
    assert_alike(open_photo(png[:33] + 5_000 * profile + png[33:]), photo, within=0)
    assert time.process_time() - start < 3


def test_a_jpeg_that_ends_early_is_decoded_with_a_note_unless_much_is_missing():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    jpeg = saved(image, "JPEG")
    whole = open_photo(jpeg)
    without_end = open_photo(jpeg[:-2])
    assert (without_end.info["note"], whole.info) == ("the file ends early", {})
    assert_alike(without_end, whole, within=0.1)
    assert re.search("last [4-7]% of the photo is missing", open_photo(jpeg[: int(0.95 * len(jpeg))]).info["note"])
    with pytest.raises(SightlineError, match="truncated"):
        open_photo(jpeg[: int(0.8 * len(jpeg))])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_that_begins_blank_a_frame_that_shows_something_is_taken(kind):
    shown = four_corners()
    frames = [Image.blend(Image.new("RGB", shown.size), shown, share) for share in (0, 0, 0.1, 0.5, 1)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80], lossless=True)
    picture = open_photo(data)
    assert_alike(picture, shown)
    assert "begins blank" in picture.info["note"]
