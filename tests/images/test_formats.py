from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sightline.images import formats
from sightline.images.formats import is_photo, photo_suffixes, recognise, unsupported_format

USUAL = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib", "gif", "tif", "tiff", "avif", "jp2", "j2k"),
    *("mpo", "tga", "ppm", "pgm", "pbm", "pnm", "psd", "qoi", "ico", "pcx"),
)


@pytest.mark.parametrize("suffix", USUAL)
def test_what_pillow_opens_is_a_photo(suffix):
    for name in (f"a.{suffix}", f"a.b.{suffix.upper()}", Path("folder.jpg") / f"ä b.{suffix}"):
        assert is_photo(name)
        assert unsupported_format(name) is None


@pytest.mark.parametrize("name", ["a.txt", "a", ".jpg", "jpg", "a.jpg.txt", "a.pdf", "a.h5", "a.eps", "a.mpg"])
def test_other_files_are_no_photos(name):
    assert not is_photo(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.CR2", formats.RAW), ("a.nef", formats.RAW), ("a.dng", formats.RAW), ("a.svg", formats.DRAWING),
     ("a.jxl", formats.JPEG_XL), ("a.txt", None), ("a.jpg", None)],
)  # fmt: skip
def test_photos_that_cannot_be_read_are_known(name, kind):
    assert unsupported_format(name) is kind


@pytest.mark.parametrize("installed", [True, False])
def test_heic_is_a_photo_where_pillow_heif_is(installed, monkeypatch):
    monkeypatch.setattr(formats, "heic_is_read", lambda: installed)
    # As long as no HEIC was met in this process, Pillow knows of none.
    monkeypatch.setattr(Image, "EXTENSION", {s: kind for s, kind in Image.EXTENSION.items() if kind != "HEIF"})
    photo_suffixes.cache_clear()
    assert is_photo("a.HEIC") is installed
    found = unsupported_format("a.heif")
    assert (found is None) if installed else (found and "sightline[heif]" in found.advice)
    photo_suffixes.cache_clear()


def test_what_pillow_opens_is_not_taken_for_something_else():
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "TGA", "PPM"):
        Image.new("RGB", (8, 8)).save(file := io.BytesIO(), kind)
        if kind != "AVIF":  # which shares its first bytes with videos; only what Pillow refused is asked for
            assert recognise(file.getvalue()[:512]) is None


def test_a_single_photo_loads_no_other_readers(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    code = (
        "import sys\nfrom sightline.preprocess import open_photo\nopen_photo(sys.argv[1])\n"
        "assert not {'PIL.ImageCms', 'PIL.TgaImagePlugin', 'PIL.AvifImagePlugin'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "photo.jpg"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_common_photos_do_not_load_all_readers(monkeypatch):
    monkeypatch.setattr(formats, "photo_suffixes", lambda: pytest.fail("loads all of Pillow's readers"))
    assert all(map(is_photo, ("a.jpg", "b.JPEG", "c.d.png")))
