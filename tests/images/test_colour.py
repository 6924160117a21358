"""Photos of every kind of colour, range of values and transparency become the same 8-bit sRGB."""

from __future__ import annotations

import io
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from sightline.preprocess import open_photo

from ..pictures import SCENE, assert_alike, four_corners, png, png_chunk, saved, tiff


@pytest.fixture
def photo() -> Image.Image:
    return four_corners()


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("brightest", [65535, 20000])
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


def test_arrays_may_be_gray_colour_or_transparent():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.asarray(open_photo(gray))[..., 1].tolist() == gray.tolist()
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[0, 0] = 9, 9, 9, 255
    assert np.asarray(open_photo(clear))[1:].min() == 255


# Colours.


def with_tags(changes: dict[bytes, bytes], space: bytes = b"RGB ") -> bytes:
    """The sRGB profile with the data of some tags, and its kind of colours, changed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = space
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        tag, offset = bytes(profile[entry : entry + 4]), int.from_bytes(profile[entry + 4 : entry + 8], "big")
        if tag in changes:
            profile[offset + 8 : offset + 8 + len(changes[tag])] = changes[tag]
        if space == b"GRAY" and tag == b"rTRC":
            profile[entry : entry + 4] = b"kTRC"
    return bytes(profile)


def xyz(*values: float) -> bytes:
    return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)


SRGB = with_tags({})


P3 = with_tags(
    {
        b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2920, 0.6922, 0.0419),
        b"bXYZ": xyz(0.1571, 0.0666, 0.7841),
    }
)


# Parametric curves: type 0 is one power, here 1.
LINEAR_GRAY = with_tags({b"rTRC": b"\0\0\0\0" + (65536).to_bytes(4, "big")}, space=b"GRAY")


def in_p3(image: Image.Image) -> Image.Image:
    """What a camera that writes Display P3 would store of an sRGB picture."""
    profiles = [ImageCms.ImageCmsProfile(io.BytesIO(profile)) for profile in (SRGB, P3)]
    return ImageCms.profileToProfile(image, *profiles, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("TIFF", "RGB"), ("JPEG", "RGB"), ("WEBP", "RGB"),
                                            ("PNG", "RGBA"), ("PNG", "P")])  # fmt: skip
def test_an_embedded_profile_is_brought_to_srgb(photo, kind, mode):
    stored = in_p3(photo)
    assert np.abs(np.asarray(stored, int) - np.asarray(photo, int)).max() > 20
    exact = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    options = exact | {"icc_profile": P3}
    stored = stored.quantize(kmeans=1) if mode == "P" else stored.convert(mode)
    assert_alike(open_photo(saved(stored, kind, **options)), photo, within=2)


def test_profile_orientation_and_a_smaller_scale_go_together(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = in_p3(photo).resize((1200, 800), Image.Resampling.NEAREST).transpose(Image.Transpose.ROTATE_90)
    for kind in ("JPEG", "PNG"):
        upright = open_photo(saved(stored, kind, exif=exif, icc_profile=P3), 32)
        assert upright.width <= 400
        assert_alike(upright.resize((60, 40), Image.Resampling.BOX), photo, within=4)


@pytest.mark.parametrize("profile", [SRGB, b"", b"damaged", P3[:200], P3[:-40], LINEAR_GRAY, b"\0" * 4000])
def test_profiles_that_say_nothing_change_nothing(photo, profile):
    assert np.array_equal(open_photo(saved(photo, "PNG", icc_profile=profile)), photo) or profile == P3[:-40]


@pytest.mark.parametrize("mode", ["L", "CMYK", "1"])
def test_another_colours_profile_is_ignored(photo, mode):
    converted = photo.convert(mode)
    for profile in (b"damaged", LINEAR_GRAY if mode == "CMYK" else P3[:200]):
        assert_alike(open_photo(saved(converted, "TIFF", icc_profile=profile)), converted, within=0)


def test_a_gray_profile_counts(photo):
    gray = Image.new("L", (8, 8), 55)  # 0.2157 of the light, for which sRGB writes 128
    assert np.asarray(open_photo(saved(gray, "PNG", icc_profile=LINEAR_GRAY))).mean() == pytest.approx(128, abs=1)


def test_a_profile_is_applied_once(photo, tmp_path):
    once = open_photo(saved(in_p3(photo), "PNG", icc_profile=P3))
    assert np.array_equal(open_photo(once), once)
    once.save(tmp_path / "again.png")
    assert np.array_equal(open_photo(tmp_path / "again.png"), once)


def test_threads_share_a_profile(photo):
    files = [saved(in_p3(photo).resize((300 + n, 200)), "PNG", icc_profile=P3) for n in range(8)]
    expected = [np.asarray(open_photo(file)) for file in files]
    with ThreadPoolExecutor(4) as pool:
        for got, right in zip(pool.map(open_photo, files * 3), expected * 3, strict=True):
            assert np.array_equal(got, right)


# Colours told by numbers: ITU-T H.273's of primaries and of the curve.

FROM_SRGB = {
    1: np.eye(3),
    9: np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    12: np.array([[0.8225, 0.1774, 0], [0.0332, 0.9669, 0], [0.0171, 0.0724, 0.9108]]),
}


def stored(image: Image.Image, primaries: int, curve: int) -> Image.Image:
    """An sRGB picture as a file of other colours stores it, white at 203 cd/m2."""
    values = np.asarray(image) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = (light @ FROM_SRGB[primaries].T if image.mode == "RGB" else light).clip(0)
    if curve == 16:
        powers = (light * 0.0203) ** 0.1593017578125
        coded = ((0.8359375 + 18.8515625 * powers) / (1 + 18.6875 * powers)) ** 78.84375
    elif curve == 18:
        scene = (light * 0.203) ** (1 / 1.2)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        coded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    elif curve in (4, 8):
        coded = light ** (1 / {4: 2.2, 8: 1}[curve])
    else:
        coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return Image.fromarray((255 * coded.clip(0, 1)).round().astype(np.uint8))


def with_codes(image: Image.Image, kind: str, primaries: int, curve: int) -> bytes:
    if kind == "PNG":
        return png(np.asarray(image), png_chunk(b"cICP", bytes([primaries, curve, 0, 1])))
    if kind == "AVIF":
        file = saved(image, "AVIF", quality=100, subsampling="4:4:4")
        at = file.index(b"colrnclx") + 8
        return file[:at] + bytes([0, primaries, 0, curve]) + file[at + 4 :]
    heif, buffer = pytest.importorskip("pillow_heif"), io.BytesIO()
    codes = {"color_primaries": primaries, "transfer_characteristics": curve, "matrix_coefficients": 1}
    heif.from_pillow(image).save(buffer, quality=-1, chroma=444, full_range_flag=1, **codes)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "AVIF", "HEIF"])
@pytest.mark.parametrize(("primaries", "curve"), [(12, 13), (9, 16), (2, 16), (9, 18), (9, 1), (12, 8), (1, 4), (1, 1)])
def test_colours_told_by_numbers_become_srgb(photo, kind, primaries, curve):
    there = stored(photo, 9 if primaries == 2 else primaries, curve)
    opened = open_photo(with_codes(there, kind, primaries, curve))
    assert_alike(opened, photo, within=2 if kind == "PNG" else 6)
    if (primaries, curve) != (1, 1):
        assert np.abs(np.asarray(there, int) - np.asarray(photo)).max() > 6


def test_a_profile_comes_before_nclx_and_after_cicp(photo):
    there = in_p3(photo)
    avif = saved(there, "AVIF", quality=100, subsampling="4:4:4", icc_profile=P3)
    assert_alike(open_photo(avif), photo, within=4)
    packed = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(P3))
    assert_alike(open_photo(png(np.asarray(photo), packed, png_chunk(b"cICP", bytes([1, 13, 0, 1])))), photo, within=0)


GAMMA = png_chunk(b"gAMA", (100_000).to_bytes(4, "big"))
USUAL_GAMMA = png_chunk(b"gAMA", (45_455).to_bytes(4, "big"))
P3_PLACES = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_PLACES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


def places(*values: float) -> bytes:
    return png_chunk(b"cHRM", b"".join(round(value * 100_000).to_bytes(4, "big") for value in values))


def test_gamma_and_chromaticities_of_a_png_count(photo):
    for chunks, primaries, curve in (
        ((GAMMA,), 1, 8),
        ((places(*P3_PLACES),), 12, 13),
        ((USUAL_GAMMA, places(*P3_PLACES)), 12, 4),
        ((GAMMA, places(*P3_PLACES)), 12, 8),
    ):
        there = np.asarray(stored(photo, primaries, curve))
        assert np.abs(there.astype(int) - np.asarray(photo)).max() > 15
        assert_alike(open_photo(png(there, *chunks)), photo, within=2)
    gray = np.asarray(stored(photo.convert("L"), 1, 8))[..., None]
    assert_alike(open_photo(png(gray, GAMMA)), photo.convert("L"), within=4)
    clear = np.dstack([gray, np.full_like(gray, 255)])
    assert_alike(open_photo(png(clear, GAMMA)), photo.convert("L"), within=4)


@pytest.mark.parametrize(
    "chunks",
    [
        (USUAL_GAMMA,),
        (USUAL_GAMMA, places(*SRGB_PLACES)),
        (png_chunk(b"sRGB", b"\0"), GAMMA, places(*P3_PLACES)),
        (png_chunk(b"gAMA", bytes(4)),),
        (places(*[0.0] * 8),),
        (places(*[0.3] * 8),),
        (png_chunk(b"cICP", b"\1\x0d"),),
        (png_chunk(b"cICP", bytes([12, 13, 1, 0])),),  # of luma and chroma, which no PNG has
    ],
)
def test_numbers_that_say_srgb_or_nothing_change_nothing(photo, chunks):
    assert np.array_equal(open_photo(png(np.asarray(photo), *chunks)), photo)


@pytest.mark.parametrize("deep", [False, True])
def test_a_gray_profile_counts_beside_opacity(photo, deep):
    values = np.full((8, 8, 2), 255, np.uint8)
    values[:4, :, 0] = 55  # 0.2157 of the light, for which sRGB writes 128
    packed = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(LINEAR_GRAY))
    opened = open_photo(png(values.astype(np.uint16) * 257 if deep else values, packed))
    assert np.asarray(opened)[:4].mean() == pytest.approx(128, abs=1)
    assert np.asarray(opened)[4:].min() == 255


def odd(values: np.ndarray, *oddities: float) -> np.ndarray:
    values = values.copy()
    values.flat[7 : 7 + 11 * len(oddities) : 11] = oddities
    return values


@pytest.mark.parametrize(
    "values",
    [
        (SCENE / 255).astype(np.float32),
        odd((SCENE / 255).astype(np.float32), 1.7),
        odd((SCENE / 255).astype(np.float32), np.inf, -np.inf, np.nan, 1e30, -5),
        odd(SCENE.astype(np.float32), np.inf, 1e6, np.nan),
        (SCENE * 257).astype(np.float32),
        SCENE.astype(np.int32),
        (SCENE * 16).astype(np.int32),
        (SCENE * 257).astype(np.int32),
        (SCENE * 2**23).astype(np.int32),
        SCENE.astype(np.uint16),
        (SCENE * 4).astype(np.uint16),
        (SCENE * 16).astype(np.uint16),
        odd((SCENE * 16).astype(np.uint16), 65535, 65535),
        (SCENE * 64).astype(np.uint16),
        (SCENE * 257).astype(np.uint16),
    ],
    ids=lambda values: f"{values.dtype}-{values.max():.5g}",
)
def test_values_of_every_range_are_seen(values):
    image = Image.fromarray(values)
    for photo in (image, saved(image, "TIFF"), values):
        pixels = np.asarray(open_photo(photo), float)[..., 0]
        assert np.sort(np.abs(pixels - SCENE).ravel())[:-6].max() <= 1.5


@pytest.mark.parametrize(
    "values",
    [
        (SCENE * 257 - 32768).astype(np.int16),
        (SCENE * 2**24 - 2**31).astype(np.int32),
        (SCENE * 2**24).astype(np.uint32),
        SCENE.astype(np.uint32),
        (SCENE / 127.5 - 1).astype(np.float32),
        SCENE.astype(np.uint8),
        (SCENE * 257).astype(">u2"),
        (SCENE * 16).astype(">u2"),
        (SCENE / 255).astype(">f4"),
    ],
    ids=lambda values: values.dtype.str,
)
def test_tiffs_of_other_programs_are_seen(values):
    pixels = np.asarray(open_photo(tiff(values)), float)[..., 0]
    assert np.corrcoef(pixels.ravel(), SCENE.ravel())[0, 1] > 0.99
    if values.min() >= 0:
        assert np.abs(pixels - SCENE).max() <= 1.5
    else:
        assert (pixels.min(), pixels.max()) == (0, 255)  # no scale is known, so all of it is used


def test_a_declared_depth_counts(photo):
    dim = (SCENE * 2).astype(np.uint16)  # 12 bits of which 9 are used
    plain = np.asarray(open_photo(tiff(dim)), float)[..., 0]
    declared = np.asarray(open_photo(tiff(dim, MaxSampleValue=4095)), float)[..., 0]
    assert np.abs(declared - SCENE / 8).max() <= 1 < np.abs(plain - SCENE / 8).max()
    file = saved(Image.fromarray(dim), "PNG")
    sbit = b"\0\0\0\x01sBIT\x0c"
    with_sbit = file[:33] + sbit + zlib.crc32(sbit[4:]).to_bytes(4, "big") + file[33:]
    assert np.array_equal(np.asarray(open_photo(with_sbit))[..., 0], declared)
    # Whoever scales 12 bits up to 16, as PNG asks, is not made white.
    full = saved(Image.fromarray((SCENE * 257).astype(np.uint16)), "PNG")
    assert np.abs(np.asarray(open_photo(full[:33] + with_sbit[33:46] + full[33:]), float)[..., 0] - SCENE).max() <= 1


def in_sixteen_bits(values: np.ndarray, kind: str, depth: int) -> bytes:
    """The kind of file, with values of a depth in 16 bits; the values are (H, W, 3)."""
    opaque = np.full((*values.shape[:2], 1), 2**depth - 1, np.uint16)
    if kind in ("PNG", "PNG, declared"):
        return png(values, *[png_chunk(b"sBIT", bytes([depth] * 3))] * (kind != "PNG"))
    if kind == "PNG with opacity":
        return png(np.dstack([values, opaque]))
    if kind == "gray PNG with opacity":
        return png(np.dstack([values[..., :1], opaque]))
    if kind == "PPM":
        return b"P6\n%d %d\n65535\n" % values.shape[1::-1] + values.astype(">u2").tobytes()
    tifffile, file = pytest.importorskip("tifffile"), io.BytesIO()
    options = {"byteorder": ">" if "big-endian" in kind else "<"}
    if "planes" in kind:
        values, options = values.transpose(2, 0, 1), options | {"planarconfig": "separate"}
    if "deflated" in kind:
        options |= {"compression": "zlib", "predictor": True}
    tifffile.imwrite(file, values, photometric="rgb", **options)
    return file.getvalue()


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    "kind",
    ["PNG", "PNG, declared", "PNG with opacity", "gray PNG with opacity", "PPM", "TIFF", "big-endian TIFF",
     "deflated TIFF", "deflated big-endian TIFF", "TIFF in planes", "big-endian TIFF in planes"],
)  # fmt: skip
def test_colours_of_few_bits_in_sixteen_keep_their_brightness(kind, depth):
    scene = np.dstack([SCENE, SCENE[::-1], SCENE.mean() + 0 * SCENE]).round()
    values = (scene * (2**depth - 1) / 255).round().astype(np.uint16)
    values[5, 5] = 65535  # what a sensor's dead pixel shows
    pixels = np.asarray(open_photo(in_sixteen_bits(values, kind, depth)), int)
    expected = scene if "gray" not in kind else scene[..., :1]
    assert np.sort(np.abs(pixels - expected).max(axis=2).ravel())[-2] <= 1


def test_a_declared_depth_counts_in_colour_too():
    dim = np.dstack([SCENE * 2] * 3).astype(np.uint16)  # 12 bits of which 9 are used
    for depth, factor in ((12, 1 / 8), (16, 2 / 257), (3, 1 / 2), (200, 1 / 2)):  # the last two cannot be
        data = png(dim, png_chunk(b"sBIT", bytes([depth] * 3)))
        pixels = np.asarray(open_photo(data), int)
        assert np.abs(pixels - SCENE[..., None] * factor).max() <= 1


def test_usual_photos_stay_as_they_were_to_the_last_bit():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert np.array_equal(open_photo(saved(Image.fromarray(noise), "PNG")), noise)
    dark = noise // 64
    assert np.array_equal(open_photo(saved(Image.fromarray(dark), "PNG")), dark)
    sixteen = np.random.default_rng(0).integers(0, 65536, (40, 60), np.uint16)
    expected = (sixteen.astype(np.float32) * np.float32(1 / 257)).round().astype(np.uint8)
    assert np.array_equal(np.asarray(open_photo(saved(Image.fromarray(sixteen), "PNG")))[..., 0], expected)


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (SCENE > 128, np.where(SCENE > 128, 255, 0)),
        (SCENE[..., None], SCENE),
        ((SCENE / 255).astype(np.float16), SCENE),
        (np.where(SCENE > 128, 1, 0), np.where(SCENE > 128, 255, 0)),
        (np.full((4, 4), np.nan), np.zeros((4, 4))),
        (np.full((4, 4), 0.5), np.full((4, 4), 128)),
        (np.full((4, 4), -7), np.zeros((4, 4))),
        (np.full((4, 4), 70_000), np.full((4, 4), 255)),
    ],
)
def test_arrays_of_other_dtypes(array, shown):
    assert np.abs(np.asarray(open_photo(array), float)[..., 0] - shown).max() <= 1.5


def test_colour_arrays_of_other_dtypes(photo):
    values = np.asarray(photo)
    for same in (values / 255, values.astype(np.uint16) * 257, values.astype(np.int64), values.astype(np.float32)):
        assert np.abs(np.asarray(open_photo(same), int) - values).max() <= 1
    clear = np.dstack([values, np.full(values.shape[:2], 255, np.uint8)]) / 255
    assert np.abs(np.asarray(open_photo(clear), int) - values).max() <= 1


# Transparency.


def logo(colour: tuple[int, int, int], under: int = 0) -> Image.Image:
    image = Image.new("RGBA", (80, 60), (under, under, under, 0))
    ImageDraw.Draw(image).ellipse((20, 10, 60, 50), fill=(*colour, 255))
    return image


@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 245, 240), (232, 232, 232)])
def test_a_white_logo_is_laid_over_what_shows_it(colour):
    for image in (logo(colour), logo(colour).resize((200, 150), Image.Resampling.BICUBIC)):
        pixels = np.asarray(open_photo(saved(image, "PNG")), int)
        assert pixels[1, 1].tolist() == [64, 64, 64]
        assert np.ptp(pixels[..., 0]) > 150


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 30, 30), (255, 255, 0), (128, 128, 128)])
def test_other_logos_stay_on_white(colour):
    pixels = np.asarray(open_photo(saved(logo(colour), "PNG")))
    assert pixels[1, 1].tolist() == [255, 255, 255]
    assert pixels[30, 40].tolist() == list(colour)


def test_a_white_photo_that_is_opaque_stays_white():
    assert np.asarray(open_photo(Image.new("RGBA", (9, 9), (255, 255, 255, 255)))).min() == 255
    gray = Image.new("LA", (9, 9), (255, 255))
    gray.putpixel((4, 4), (0, 0))
    assert np.asarray(open_photo(gray))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_lies_under_a_wholly_transparent_photo_is_seen(photo, alpha, mode):
    clear = photo.copy()
    clear.putalpha(alpha)
    clear = clear.convert(mode)
    assert_alike(open_photo(saved(clear, "PNG")), photo.convert(mode[:-1]).convert("RGB"), within=0)
