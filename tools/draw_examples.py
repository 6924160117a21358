"""Draw the example pictures of the page: scenes from back to front, textured enough for a model of photos to caption.

    python tools/draw_examples.py [FOLDER]

writes one JPEG a scene into src/sightline/serve/page/examples/, or into FOLDER. The committed files are used as they
are; run this again only to change a scene.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

EXAMPLES_FOLDER = Path(__file__).parents[1] / "src" / "sightline" / "serve" / "page" / "examples"

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]

WIDTH, HEIGHT = 640, 480
_SCALE = 2  # drawn this many times larger, for smooth edges
_SKIN, _HAIR, _BLACK = (206, 156, 122), (52, 36, 26), (24, 22, 26)


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


def dog_on_grass() -> Image.Image:
    """A brown dog that runs over a meadow."""
    scene = Drawing((150, 190, 225), (222, 234, 242), seed=1)
    scene.ground(190, (86, 132, 50), (58, 104, 34), roughness=34)
    scene.hedge(178, (44, 78, 40))
    scene.shadow((190, 372, 470, 402))
    _dog(scene, (133, 86, 45), (92, 56, 28))
    return scene.finished()


def surfer() -> Image.Image:
    """Somebody in a black suit on a surfboard, a wave breaking behind."""
    scene = Drawing((176, 206, 226), (216, 230, 236), seed=2)
    scene.ground(110, (30, 104, 136), (20, 84, 112), roughness=22)
    crest = [(0, 300), (60, 210), (150, 150), (300, 128), (470, 150), (560, 214), (640, 262), (640, 330), (0, 360)]
    scene.polygon(crest, (44, 128, 152))
    hollow = [(0, 330), (90, 250), (200, 212), (340, 196), (470, 216), (640, 300), (640, 340), (0, 370)]
    scene.polygon(hollow, (26, 96, 124))
    scene.spray((20, 150, 170, 290), (120, 110, 330, 180), (300, 108, 520, 190), (470, 150, 640, 270))
    scene.polygon([(212, 352), (300, 372), (420, 366), (446, 350), (420, 344), (300, 350)], (245, 240, 225))
    _person(scene, (330, 205), 150, _BLACK, _BLACK, hands=((-78, -6), (74, -26)), stride=0.3)
    scene.spray((140, 330, 300, 420), (380, 350, 560, 420))
    return scene.finished()


def climber() -> Image.Image:
    """Somebody in a red jacket who stands on a snowy mountain."""
    scene = Drawing((72, 128, 196), (170, 204, 234), seed=3)
    scene.polygon([(-80, 400), (60, 190), (150, 120), (210, 176), (260, 160), (400, 400)], (226, 232, 242))
    scene.polygon([(150, 120), (166, 200), (120, 300), (190, 400), (400, 400), (260, 160), (210, 176)], (178, 192, 216))
    scene.polygon([(250, 400), (400, 180), (500, 70), (560, 130), (760, 400)], (234, 238, 246))
    scene.polygon([(500, 70), (520, 170), (470, 260), (560, 400), (760, 400), (560, 130)], (164, 180, 208))
    for rock in ([(110, 236), (138, 214), (146, 250)], [(430, 250), (462, 214), (474, 270)]):
        scene.polygon(rock, (84, 86, 98))
    scene.ground(330, (240, 244, 250), (222, 230, 242), roughness=9)
    _person(scene, (320, 190), 210, (204, 34, 34), (36, 40, 54), hands=((-50, 56), (62, 40)), stride=0.1)
    scene.limb([(386, 226), (402, 404)], 4, (60, 60, 66))
    return scene.finished()


def player() -> Image.Image:
    """Somebody in a red shirt and white shorts who runs after a football."""
    scene = Drawing((120, 160, 196), (196, 214, 226), seed=4)
    scene.ground(150, (92, 150, 60), (72, 128, 46), roughness=24)
    scene.hedge(150, (52, 92, 48))
    scene.shadow((220, 414, 400, 434))
    _person(scene, (300, 170), 240, (206, 34, 40), _SKIN, hands=((-70, 46), (70, 20)), stride=0.35)
    for hip, hem in (((278, 272), (262, 306)), ((296, 272), (316, 306))):
        scene.limb([hip, hem], 32, (240, 240, 240))
    _football(scene, (452, 396), 26)
    return scene.finished()


EXAMPLES: Mapping[str, Callable[[], Image.Image]] = MappingProxyType(
    {"dog-on-grass": dog_on_grass, "surfer": surfer, "climber": climber, "player": player}
)


def _dog(scene: Drawing, coat: Color, dark: Color) -> None:
    for leg in ([(410, 300), (446, 338), (474, 378)], [(230, 300), (196, 338), (168, 384)]):
        scene.limb(leg, 17, dark)
    scene.limb([(222, 268), (190, 236), (162, 222)], 13, coat)
    back, belly = [(216, 250), (300, 240), (392, 236), (430, 262)], [(424, 306), (360, 318), (290, 300), (226, 312)]
    scene.polygon([*back, *belly], coat)
    for part in ((204, 246, 276, 320), (360, 236, 440, 324), (424, 176, 494, 238)):
        scene.ellipse(part, coat)
    scene.limb([(410, 262), (446, 218)], 44, coat)
    scene.limb([(474, 214), (516, 222)], 28, coat)
    scene.ellipse((514, 206, 532, 222), _BLACK)
    scene.polygon([(428, 184), (452, 180), (444, 232), (424, 238)], dark)
    scene.disc((474, 198), 4.5, _BLACK)
    scene.limb([(506, 238), (514, 250)], 9, (214, 96, 104))
    for leg in ([(396, 304), (404, 348), (440, 382)], [(246, 304), (252, 346), (214, 386)]):
        scene.limb(leg, 19, coat)


def _person(
    scene: Drawing, neck: Point, tall: float, top: Color, legs: Color, hands: Sequence[Point], stride: float
) -> None:
    """Somebody ``tall`` from neck to foot; ``hands``: where they are from the neck, for somebody of 210."""
    x, y = neck
    hip, wide = (x - 40 * stride, y + 0.42 * tall), 0.13 * tall
    for side in (-1, 1):
        knee = (hip[0] + side * wide * (0.8 + 2.2 * stride), y + 0.7 * tall)
        foot = (x + side * wide * (0.8 + 2 * stride), y + tall)
        scene.limb([(hip[0] + 0.4 * side * wide, hip[1]), knee, foot], 0.9 * wide, legs)
        scene.limb([foot, (foot[0] + 0.35 * wide, foot[1])], 0.6 * wide, _HAIR)
    for dx, dy in hands:
        hand = (x + dx * tall / 210, y + dy * tall / 210 + wide)
        elbow = ((x + hand[0]) / 2, (y + hand[1]) / 2 + 0.5 * wide)
        scene.limb([(x, y + 0.7 * wide), elbow, hand], 0.62 * wide, top)
        scene.disc(hand, 0.31 * wide, _SKIN)
    scene.limb([(x, y + 0.8 * wide), hip], 1.75 * wide, top)
    scene.limb([(x, y - 0.1 * wide), (x, y + 0.2 * wide)], 0.7 * wide, _SKIN)
    head = 0.78 * wide
    scene.ellipse((x - head, y - 2.2 * head, x + head, y + 0.1 * head), _SKIN)
    scene.ellipse((x - 1.08 * head, y - 2.4 * head, x + 1.08 * head, y - 1.15 * head), _HAIR)


def _football(scene: Drawing, center: Point, radius: float) -> None:
    x, y = center
    scene.shadow((x - radius, y + 0.7 * radius, x + radius, y + 1.2 * radius))
    scene.disc(center, radius, (244, 244, 240))
    for dx, dy in ((0, 0), (0, -0.8), (0.76, -0.25), (0.47, 0.65), (-0.47, 0.65), (-0.76, -0.25)):
        scene.disc((x + dx * radius, y + dy * radius), 0.24 * radius, _BLACK)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in EXAMPLES.items():
        draw().save(folder / f"{name}.jpg", "JPEG", quality=85, optimize=True)


if __name__ == "__main__":
    main()
