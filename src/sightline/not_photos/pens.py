"""What all drawings take from: random colours, words in several scripts, fonts of this machine, curves and fields."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from sightline.images.fonts import fonts_with

Rng: TypeAlias = np.random.Generator
Colour: TypeAlias = tuple[int, int, int]

# Letters that words are made of, by script; a script is drawn only where a font of this machine has its letters.
_SCRIPTS = {
    "Latin": "abcdefghijklmnopqrstuvwxyz",
    "accented Latin": "abcdefghilmnoprstuvzéèüöäßñçåø",
    "Greek": "αβγδεζηθικλμνξοπρσςτυφχψω",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщыьэюя",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "Devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
    "Thai": "กขคงจชซญดตถทนบปผพฟมยรลวสหอ",
    "Han": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろ",
    "Hangul": "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루",
}
_SHARES = {"Latin": 12, "accented Latin": 4, "Cyrillic": 3, "Han": 4, "kana": 2}  # of the others: one each
_WITHOUT_SPACES = {"Han", "kana", "Thai"}


def chance(rng: Rng, share: float) -> bool:
    """True in ``share`` of the calls."""
    return bool(rng.random() < share)


def pick(rng: Rng, *choices: str) -> str:
    """One of ``choices``, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def between(rng: Rng, low: float, high: float) -> int:
    """A whole number from ``low`` to ``high``, both included."""
    return int(rng.integers(int(low), int(high) + 1))


def colour(rng: Rng, saturation: tuple[float, float] = (0, 1), value: tuple[float, float] = (0, 1)) -> Colour:
    """Any hue, with saturation and value (of HSV) in these ranges."""
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value))
    return int(red * 255), int(green * 255), int(blue * 255)


def palette(rng: Rng, count: int) -> list[Colour]:
    """``count`` colours that look as if one person had chosen them: hues that spread from one, alike in strength."""
    hue, spread = rng.random(), rng.uniform(0.05, 0.7)
    saturation, value = rng.uniform(0.15, 1), rng.uniform(0.45, 1)
    colours = []
    for index in range(count):
        parts = (hue + spread * index / count) % 1, saturation * rng.uniform(0.7, 1), value * rng.uniform(0.75, 1)
        red, green, blue = colorsys.hsv_to_rgb(*parts)
        colours.append((int(red * 255), int(green * 255), int(blue * 255)))
    return colours


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with ``share`` of ``other`` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def paper_and_ink(rng: Rng, dark: float = 0.2) -> tuple[Colour, Colour]:
    """A background and a colour that is read on it; a dark background in ``dark`` of the calls."""
    light = mixed((255, 255, 255), colour(rng, (0, 0.5), (0.7, 1)), rng.uniform(0, 0.3) if chance(rng, 0.6) else 0)
    deep = mixed((0, 0, 0), colour(rng, (0, 1), (0, 0.7)), rng.uniform(0, 0.5) if chance(rng, 0.5) else 0.05)
    return (deep, light) if chance(rng, dark) else (light, deep)


class Writer:
    """Words of one script in one font.

    Args:
        rng: draws the script, the font and later the words.
        fixed: whether all letters are to be equally wide, as in a terminal.
    """

    def __init__(self, rng: Rng, fixed: bool = False, latin: bool = False) -> None:
        scripts = ["Latin"] if fixed or latin else [name for name in _SCRIPTS if _fonts(_SCRIPTS[name])] or ["Latin"]
        shares = np.array([_SHARES.get(name, 1) for name in scripts], float)
        self.script = str(rng.choice(scripts, p=shares / shares.sum()))
        self._letters = _SCRIPTS[self.script]
        fonts = _fonts(self._letters)
        if fixed:
            fonts = tuple(name for name in fonts if "mono" in name.lower() or "cour" in name.lower()) or fonts
        self._path = fonts[int(rng.integers(len(fonts)))] if fonts else None
        self._space = "" if self.script in _WITHOUT_SPACES else " "

    def font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """The font with letters ``size`` pixels high."""
        return _font(self._path, max(size, 4))

    def word(self, rng: Rng) -> str:
        """A word that means nothing, sometimes capitalised."""
        letters = rng.choice(list(self._letters), int(rng.integers(1, 11)))
        word = "".join(letters)
        return word.capitalize() if chance(rng, 0.15) else word

    def words(self, rng: Rng, count: int) -> str:
        """``count`` words with the script's spaces, and now and then a comma, a full stop or a number."""
        marked = [
            self.word(rng) + pick(rng, ",", ".", ";", "") * chance(rng, 0.15)
            if chance(rng, 0.95)
            else str(rng.integers(2000))
            for _ in range(count)
        ]
        return self._space.join(marked)

    def lines(self, rng: Rng, size: int, width: float, count: int) -> list[str]:
        """``count`` lines that are about ``width`` pixels wide, in letters of ``size``."""
        font = self.font(size)
        text = self.words(rng, 40)
        letters = max(1, int(width / max(font.getlength(text) / len(text), 1)))
        long = self.words(rng, max(1, count * letters // 6 + 5))
        while len(long) < count * letters:
            long += self._space + long
        return [long[start * letters : (start + 1) * letters].strip() for start in range(count)]


def curve(rng: Rng, points: int, roughness: float = 0.3, corners: int = 8) -> NDArray[np.float64]:
    """(points, 2), a closed curve around the origin of radius about one, smooth, of random waves."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.ones(points)
    for wave in range(2, corners + 2):
        radius += roughness / wave * rng.standard_normal() * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def field(rng: Rng, width: int, height: int, smoothness: float = 2.0) -> NDArray[np.float64]:
    """(height, width) in [0, 1], random hills: noise whose spectrum falls as frequency to the power ``smoothness``."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    frequency[0, 0] = 1
    hills = np.fft.irfft2(spectrum / frequency**smoothness, (height, width))
    return (hills - hills.min()) / max(float(np.ptp(hills)), 1e-9)


def tinted(values: NDArray[np.float64], stops: Sequence[Colour]) -> Image.Image:
    """An RGB picture of ``values`` (H, W) in [0, 1], from the first colour of ``stops`` over all others to the last."""
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(values, places, [stop[channel] for stop in stops]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


@lru_cache(maxsize=64)
def _fonts(letters: str) -> tuple[str, ...]:
    return fonts_with(letters)


@lru_cache(maxsize=512)
def _font(path: str | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    layout = ImageFont.Layout.BASIC
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size, layout_engine=layout)
