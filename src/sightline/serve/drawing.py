"""Drawing of scenes from back to front, with enough texture that a model of photos takes them for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]

WIDTH, HEIGHT = 640, 480
_SCALE = 2  # drawn this many times larger, for smooth edges


class Drawing:
    """A scene under a sky; lengths in pixels of the finished picture, ``WIDTH`` by ``HEIGHT``."""

    def __init__(self, top: Color, bottom: Color, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._image = Image.fromarray(_gradient(top, bottom, HEIGHT).round().astype(np.uint8))

    def finished(self) -> Image.Image:
        """The picture, RGB, with a photo's softness and grain."""
        small = self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))
        grain = self._rng.normal(0, 3.5, (HEIGHT, WIDTH, 1))
        return Image.fromarray((np.asarray(small) + grain).clip(0, 255).astype(np.uint8))

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """A filled polygon."""
        ImageDraw.Draw(self._image).polygon([(x * _SCALE, y * _SCALE) for x, y in points], color)

    def ellipse(self, box: Box, color: Color) -> None:
        """A filled ellipse within (left, top, right, bottom)."""
        ImageDraw.Draw(self._image).ellipse([value * _SCALE for value in box], color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """A filled circle."""
        x, y = center
        self.ellipse((x - radius, y - radius, x + radius, y + radius), color)

    def limb(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A bent bar with round joints and ends."""
        line = [(x * _SCALE, y * _SCALE) for x, y in points]
        ImageDraw.Draw(self._image).line(line, color, round(width * _SCALE), "curve")
        for point in points:
            self.disc(point, width / 2, color)

    def ground(self, top: int, far: Color, near: Color, roughness: float) -> None:
        """From ``top`` down: blades, ripples or snow, coarser the nearer they are."""
        color = _gradient(far, near, HEIGHT - top)
        share = np.linspace(0, 1, len(color), dtype=np.float32)[:, None]
        fine, coarse = (self._noise(len(color), grain) for grain in (2, 9))
        texture = (fine * (1.5 - share) + coarse * share) * roughness
        pixels = (color + texture[..., None]).clip(0, 255).astype(np.uint8)
        self._image.paste(Image.fromarray(pixels), (0, top * _SCALE))

    def _noise(self, height: int, grain: int) -> NDArray[np.float32]:
        shape = (height // grain + 1, WIDTH * _SCALE // (3 * grain) + 1)
        small = Image.fromarray(self._rng.normal(0, 1, shape).astype(np.float32))
        return np.asarray(small.resize((WIDTH * _SCALE, height), Image.Resampling.BICUBIC))

    def hedge(self, line: float, color: Color) -> None:
        """A row of bushes that stands on ``line``."""
        for x in range(-20, WIDTH + 20, 14):
            high, shade = self._rng.uniform(14, 42), self._rng.uniform(0.75, 1.25)
            red, green, blue = (round(value * shade) for value in color)
            self.ellipse((x - 24, line - high, x + 24, line + 18), (red, green, blue))

    def shadow(self, box: Box) -> None:
        """A soft shadow on the ground."""
        mask = Image.new("L", self._image.size)
        ImageDraw.Draw(mask).ellipse([value * _SCALE for value in box], 120)
        self._image.paste((18, 26, 14), (0, 0), mask.filter(ImageFilter.GaussianBlur(8 * _SCALE)))

    def spray(self, *boxes: Box) -> None:
        """White water or snow in the air, in clouds that fill the boxes."""
        mask = Image.new("L", self._image.size)
        draw = ImageDraw.Draw(mask)
        for left, top, right, bottom in boxes:
            center, spread = ((left + right) / 2, (top + bottom) / 2), ((right - left) / 5, (bottom - top) / 5)
            for x, y in self._rng.normal(center, spread, (260, 2)):
                radius, density = self._rng.uniform(1.5, 9), int(self._rng.uniform(90, 240))
                places = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse([value * _SCALE for value in places], density)
        mask = ImageChops.lighter(mask, mask.filter(ImageFilter.GaussianBlur(6)))
        self._image.paste((244, 248, 250), (0, 0), mask.filter(ImageFilter.GaussianBlur(2)))


def _gradient(top: Color, bottom: Color, height: int) -> NDArray[np.float32]:
    share = np.linspace(0, 1, height * _SCALE, dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return np.repeat(rows, WIDTH * _SCALE, axis=1)
