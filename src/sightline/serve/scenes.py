"""Pictures for people who have no photo at hand, drawn by code: nobody's photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

WIDTH, HEIGHT = 640, 480
_SCALE = 2  # drawn this many times larger, for smooth edges


def dog_on_grass() -> Image.Image:
    """A brown dog that runs over a meadow."""
    scene = _Scene(_gradient((150, 190, 225), (222, 234, 242)), seed=1)
    scene.ground(190, (86, 132, 50), (58, 104, 34), roughness=34)
    scene.hedge(178, (44, 78, 40))
    scene.shadow((190, 372, 470, 402))
    scene.dog(brown=(133, 86, 45), dark=(92, 56, 28))
    return scene.finished()


def surfer() -> Image.Image:
    """Somebody in a black suit on a surfboard, a wave breaking behind."""
    scene = _Scene(_gradient((176, 206, 226), (216, 230, 236)), seed=2)
    scene.ground(110, (30, 104, 136), (20, 84, 112), roughness=22)
    scene.wave()
    scene.polygon([(212, 352), (300, 372), (420, 366), (446, 350), (420, 344), (300, 350)], (245, 240, 225))
    scene.person((330, 205), 150, suit=(22, 24, 30), legs=(22, 24, 30), arms=((-78, -6), (74, -26)), crouch=0.3)
    scene.spray([(140, 330, 300, 420), (380, 350, 560, 420)])
    return scene.finished()


def climber() -> Image.Image:
    """Somebody in a red jacket who stands on a snowy mountain."""
    scene = _Scene(_gradient((72, 128, 196), (170, 204, 234)), seed=3)
    scene.mountains()
    scene.ground(330, (238, 242, 248), (206, 216, 230), roughness=10)
    scene.person((330, 175), 210, suit=(204, 34, 34), legs=(36, 40, 54), arms=((-58, 34), (58, 44)), crouch=0.0)
    return scene.finished()


def player() -> Image.Image:
    """A child in a red shirt who kicks a ball on a field."""
    scene = _Scene(_gradient((58, 92, 52), (76, 112, 62)), seed=4)
    scene.ground(150, (92, 150, 60), (72, 128, 46), roughness=20)
    scene.shadow((210, 424, 400, 444))
    scene.person((300, 110), 320, suit=(206, 34, 40), legs=(240, 240, 240), arms=((-80, 40), (84, 20)), crouch=0.15)
    scene.ball((452, 408), 30)
    return scene.finished()


SCENES: Mapping[str, Callable[[], Image.Image]] = MappingProxyType(
    {"dog-on-grass": dog_on_grass, "surfer": surfer, "climber": climber, "player": player}
)


def _gradient(top: Color, bottom: Color) -> Image.Image:
    share = np.linspace(0, 1, HEIGHT * _SCALE, dtype=np.float32)[:, None, None]
    rows = np.float32(top) * (1 - share) + np.float32(bottom) * share
    return Image.fromarray(np.repeat(rows, WIDTH * _SCALE, axis=1).round().astype(np.uint8))


class _Scene:
    """A picture that is drawn from back to front; lengths in pixels of the finished one."""

    def __init__(self, sky: Image.Image, seed: int) -> None:
        self.image = sky
        self.rng = np.random.default_rng(seed)

    def finished(self) -> Image.Image:
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))
        grain = self.rng.normal(0, 3.5, (HEIGHT, WIDTH, 1)).astype(np.float32)
        return Image.fromarray((np.asarray(small) + grain).clip(0, 255).astype(np.uint8))

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        ImageDraw.Draw(self.image).polygon([(x * _SCALE, y * _SCALE) for x, y in points], color)

    def ellipse(self, box: tuple[float, float, float, float], color: Color) -> None:
        ImageDraw.Draw(self.image).ellipse([value * _SCALE for value in box], color)

    def limb(self, points: Sequence[Point], width: float, color: Color) -> None:
        """A bent bar with round ends and joints."""
        draw = ImageDraw.Draw(self.image)
        draw.line([(x * _SCALE, y * _SCALE) for x, y in points], color, round(width * _SCALE), "curve")
        for x, y in points:
            self.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), color)

    def ground(self, top: int, far: Color, near: Color, roughness: float) -> None:
        """From ``top`` down: blades, ripples or snow, coarser the nearer they are."""
        height = (HEIGHT - top) * _SCALE
        share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        color = np.float32(far) * (1 - share) + np.float32(near) * share
        fine, coarse = (self._noise(height, size) for size in (2, 9))
        texture = (fine * (1 - share[..., 0]) + coarse * share[..., 0] + 0.5 * fine) * roughness
        pixels = (color + texture[..., None]).clip(0, 255).astype(np.uint8)
        self.image.paste(Image.fromarray(pixels), (0, top * _SCALE))

    def _noise(self, height: int, grain: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        shape = (height // grain + 1, WIDTH * _SCALE // (3 * grain) + 1)
        small = Image.fromarray(self.rng.normal(0, 1, shape).astype(np.float32))
        return np.asarray(small.resize((WIDTH * _SCALE, height), Image.Resampling.BICUBIC))

    def hedge(self, line: int, color: Color) -> None:
        """A row of bushes that stands on ``line``."""
        for x in range(-20, WIDTH + 20, 14):
            high, shade = self.rng.uniform(14, 42), self.rng.uniform(0.75, 1.25)
            leaf = (round(color[0] * shade), round(color[1] * shade), round(color[2] * shade))
            self.ellipse((x - 24, line - high, x + 24, line + 18), leaf)

    def shadow(self, box: tuple[float, float, float, float]) -> None:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).ellipse([value * _SCALE for value in box], 120)
        mask = mask.filter(ImageFilter.GaussianBlur(8 * _SCALE))
        self.image.paste((18, 26, 14), (0, 0), mask)

    def dog(self, brown: Color, dark: Color) -> None:
        for leg in ([(410, 300), (446, 338), (474, 378)], [(230, 300), (196, 338), (168, 384)]):
            self.limb(leg, 17, dark)
        self.limb([(222, 268), (190, 236), (162, 222)], 13, brown)
        self.polygon([(216, 250), (300, 240), (392, 236), (430, 262), (424, 306), (360, 318), (290, 300), (226, 312)], brown)
        self.ellipse((204, 246, 276, 320), brown)
        self.ellipse((360, 236, 440, 324), brown)
        self.limb([(410, 262), (446, 218)], 44, brown)
        self.ellipse((424, 176, 494, 238), brown)
        self.limb([(474, 214), (516, 222)], 28, brown)
        self.ellipse((514, 206, 532, 222), (24, 18, 16))
        self.polygon([(428, 184), (452, 180), (444, 232), (424, 238)], dark)
        self.ellipse((470, 194, 479, 203), (20, 14, 12))
        self.limb([(506, 238), (514, 250)], 9, (214, 96, 104))
        for leg in ([(396, 304), (404, 348), (440, 382)], [(246, 304), (252, 346), (214, 386)]):
            self.limb(leg, 19, brown)

    def person(
        self, neck: Point, tall: float, suit: Color, legs: Color, arms: Sequence[Point], crouch: float
    ) -> None:
        """Somebody whose body from neck to foot is ``tall``; ``arms``: where the hands are from the neck."""
        x, y = neck
        hip, foot, wide = (x - crouch * 40, y + tall * 0.42), y + tall, tall * 0.13
        skin, hair = (206, 156, 122), (52, 36, 26)
        for side in (-1, 1):
            knee = (hip[0] + side * wide * (0.8 + 2.2 * crouch), y + tall * 0.7)
            self.limb([(hip[0] + side * wide * 0.4, hip[1]), knee, (x + side * wide * (0.8 + 2 * crouch), foot)], wide * 0.9, legs)
            self.limb([(x + side * wide * (0.8 + 2 * crouch), foot), (x + wide * (0.35 + side * (0.8 + 2 * crouch)), foot)], wide * 0.6, hair)
        for hand in arms:
            end, scale = (x + hand[0] * tall / 210, y + hand[1] * tall / 210 + wide), wide * 0.62
            self.limb([(x, y + wide * 0.7), ((x + end[0]) / 2, (y + end[1]) / 2 + wide * 0.5), end], scale, suit)
            self.ellipse((end[0] - scale / 2, end[1] - scale / 2, end[0] + scale / 2, end[1] + scale / 2), skin)
        self.limb([(x, y + wide * 0.8), hip], wide * 1.75, suit)
        self.limb([(x, y - wide * 0.1), (x, y + wide * 0.2)], wide * 0.7, skin)
        head = wide * 0.78
        self.ellipse((x - head, y - 2.2 * head, x + head, y + 0.1 * head), skin)
        self.ellipse((x - head * 1.08, y - 2.4 * head, x + head * 1.08, y - 1.15 * head), hair)

    def ball(self, center: Point, radius: float) -> None:
        x, y = center
        self.shadow((x - radius, y + radius * 0.7, x + radius, y + radius * 1.2))
        self.ellipse((x - radius, y - radius, x + radius, y + radius), (244, 244, 240))
        for angle in np.linspace(0, 2 * np.pi, 5, endpoint=False):
            px, py = x + 0.62 * radius * np.cos(angle), y + 0.62 * radius * np.sin(angle)
            self.ellipse((px - radius * 0.2, py - radius * 0.2, px + radius * 0.2, py + radius * 0.2), (30, 30, 34))

    def mountains(self) -> None:
        for peak, left, right, color in (((150, 120), -60, 380, (120, 134, 160)), ((470, 60), 220, 760, (140, 152, 176))):
            self.polygon([(left, 360), peak, (right, 360)], color)
            x, y = peak
            self.polygon([(x, y), (x - 78, y + 104), (x - 30, y + 84), (x + 4, y + 124), (x + 40, y + 80), (x + 92, y + 112)], (240, 244, 250))

    def wave(self) -> None:
        self.polygon([(0, 300), (60, 210), (150, 150), (300, 128), (470, 150), (560, 214), (640, 262), (640, 330), (0, 360)], (44, 128, 152))
        self.polygon([(0, 330), (90, 250), (200, 212), (340, 196), (470, 216), (640, 300), (640, 340), (0, 370)], (26, 96, 124))
        self.spray([(20, 150, 170, 290), (120, 110, 330, 180), (300, 108, 520, 190), (470, 150, 640, 270)])

    def spray(self, boxes: Sequence[tuple[float, float, float, float]]) -> None:
        """White water, in clouds that fill the boxes."""
        mask = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(mask)
        for left, top, right, bottom in boxes:
            for _ in range(260):
                x, y = self.rng.normal((left + right) / 2, (right - left) / 5), self.rng.normal((top + bottom) / 2, (bottom - top) / 5)
                r = self.rng.uniform(1.5, 9)
                draw.ellipse([value * _SCALE for value in (x - r, y - r, x + r, y + r)], int(self.rng.uniform(90, 240)))
        mask = ImageChops.lighter(mask, mask.filter(ImageFilter.GaussianBlur(6)))
        self.image.paste((244, 248, 250), (0, 0), mask.filter(ImageFilter.GaussianBlur(2)))
