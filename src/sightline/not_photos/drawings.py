"""Drawings: pages to colour in, sketches, cartoons, scenes in flat or shaded colours."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sightline.not_photos.pens import Colour, Rng, between, chance, colour, curve, field, mixed, palette, tinted


def drawing(rng: Rng) -> Image.Image:
    """Things that a person might draw: animals, people, plants, houses, vehicles, alone or in a scene."""
    width, height = between(rng, 260, 720), between(rng, 240, 680)
    hand = _Hand(rng, width, height)
    if chance(rng, 0.6):
        hand.one_thing()
    else:
        hand.scene()
    return hand.finished()


def pictogram(rng: Rng, side: int, ground: Colour) -> Image.Image:
    """RGB (side, side): one thing without its surroundings, shaded as if it were solid, as detailed icons are."""
    hand = _Hand(rng, 2 * side, 2 * side)
    hand.lines_only, hand.hatched, hand.shaded, hand.paper = False, False, True, ground
    hand.width = int(rng.choice([0, 0, 1, 3, 6])) * side // 128
    hand.image.paste(ground, (0, 0, *hand.image.size))
    if chance(rng, 0.4):
        grey, light = rng.uniform(0.1, 0.35), rng.uniform(0.6, 1)
        hand.colours = [colour(rng, (0, grey), (0.2, light)) for _ in range(5)] + hand.colours[:2]
    hand.one_thing(alone=True)
    return hand.image.resize((side, side), Image.Resampling.LANCZOS)


class _Hand:
    """One way of drawing: how thick, how steady, whether with colours, shades or hatching."""

    def __init__(self, rng: Rng, width: int, height: int) -> None:
        self.rng = rng
        self.lines_only = chance(rng, 0.35)
        paper = (255, 255, 255) if chance(rng, 0.6) else colour(rng, (0, 0.25), (0.8, 1))
        self.paper = paper
        self.ink: Colour = (0, 0, 0) if chance(rng, 0.6) else colour(rng, (0, 1), (0, 0.6))
        if self.lines_only and chance(rng, 0.08):
            self.paper, self.ink = self.ink, self.paper
        self.image = Image.new("RGB", (width, height), self.paper)
        self.pen = ImageDraw.Draw(self.image)
        self.width = 0 if not self.lines_only and chance(rng, 0.35) else between(rng, 1, 6)
        self.shake = rng.uniform(0, 0.012) if chance(rng, 0.5) else 0.0
        self.hatched = chance(rng, 0.3 if self.lines_only else 0.1)
        self.shaded = not self.lines_only and chance(rng, 0.5)
        self.colours = palette(rng, 8) if chance(rng, 0.5) else [colour(rng, (0.2, 1), (0.4, 1)) for _ in range(8)]

    def finished(self) -> Image.Image:
        """The picture, at times with the grain of paper or softened."""
        if chance(self.rng, 0.2):
            grain = field(self.rng, *self.image.size, 0.6)[..., None] * 40 - 20
            self.image = Image.fromarray((np.asarray(self.image) + grain).clip(0, 255).astype(np.uint8))
        if chance(self.rng, 0.15):
            self.image = self.image.filter(ImageFilter.SMOOTH_MORE)
        return self.image

    def fill(self) -> Colour:
        """A colour for the next part."""
        return self.colours[int(self.rng.integers(len(self.colours)))]

    def shape(self, points: np.ndarray, fill: Colour | None = None) -> None:
        """A closed outline (N, 2) in pixels, with what this hand does inside it."""
        points = points + self.rng.normal(0, self.shake * self.image.width + 1e-9, points.shape)
        corners = [tuple(point) for point in points.tolist()]
        if not self.lines_only:
            fill = fill or self.fill()
            self.pen.polygon(corners, fill)
            if self.shaded:
                self._shade(corners, fill)
        elif not self.hatched:
            self.pen.polygon(corners, self.paper)
        if self.hatched and chance(self.rng, 0.6):
            self._hatch(corners)
        if self.width:
            self.pen.line([*corners, corners[0]], self.ink, self.width, "curve")

    def _mask(self, corners: list[tuple[float, float]]) -> Image.Image:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(corners, 255)
        return mask

    def _shade(self, corners: list[tuple[float, float]], fill: Colour) -> None:
        """Darker on one side, lighter on the other, as a round thing is."""
        mask = self._mask(corners)
        box = mask.getbbox()
        if box is None or chance(self.rng, 0.3):
            return
        size = (box[2] - box[0], box[3] - box[1])
        ramp = (Image.radial_gradient("L") if chance(self.rng, 0.5) else Image.linear_gradient("L")).resize(size)
        dark, light = mixed(fill, (0, 0, 0), 0.45), mixed(fill, (255, 255, 255), 0.35)
        shade = Image.composite(Image.new("RGB", size, dark), Image.new("RGB", size, light), ramp)
        self.image.paste(shade, box[:2], mask.crop(box))

    def _hatch(self, corners: list[tuple[float, float]]) -> None:
        layer = Image.new("L", self.image.size)
        pen, (width, height) = ImageDraw.Draw(layer), self.image.size
        slope, step = self.rng.uniform(-1, 1), between(self.rng, 4, 12)
        for x in range(-height, width + height, step):
            pen.line([(x, 0), (x + slope * height, height)], 255, 1)
        inside = Image.composite(layer, Image.new("L", self.image.size), self._mask(corners))
        self.image.paste(self.ink, mask=inside)

    def blob(self, x: float, y: float, wide: float, high: float, roughness: float = 0.0, turn: float = 0.0) -> None:
        """A round part, in pixels."""
        points = curve(self.rng, 48, roughness) * (wide, high)
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        self.shape(points @ rotation + (x, y))

    def box(self, x: float, y: float, wide: float, high: float) -> None:
        """An upright rectangle around (x, y)."""
        self.shape(np.array([(x - wide, y - high), (x + wide, y - high), (x + wide, y + high), (x - wide, y + high)]))

    def stroke(self, *points: tuple[float, float]) -> None:
        """An open line."""
        self.pen.line(list(points), self.ink, max(1, self.width), "curve")

    def eye(self, x: float, y: float, size: float) -> None:
        """A white disc with a dark one in it, or a dot."""
        if chance(self.rng, 0.6):
            self.pen.ellipse((x - size, y - size, x + size, y + size), (255, 255, 255), self.ink)
            size /= 2
        self.pen.ellipse((x - size, y - size, x + size, y + size), self.ink)

    def one_thing(self, alone: bool = False) -> None:
        """One large thing in the middle, at times before a background or over its own soft shadow."""
        thing = _THINGS[int(self.rng.integers(len(_THINGS)))]
        width, height = self.image.size
        if chance(self.rng, 0.2) and not alone:
            self.background()
        if not self.lines_only and chance(self.rng, 0.3):
            shadow = Image.new("L", self.image.size)
            box = (width * 0.2, height * 0.76, width * 0.8, height * self.rng.uniform(0.85, 0.98))
            ImageDraw.Draw(shadow).ellipse(box, between(self.rng, 60, 170))
            self.image.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(width / 40)))
        thing(self, width / 2, height / 2, min(width, height) * self.rng.uniform(0.3, 0.48))

    def background(self) -> None:
        """Sky, hills and ground."""
        width, height = self.image.size
        if not self.lines_only:
            ramp = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
            sky = colour(self.rng, (0.1, 0.6), (0.6, 1))
            self.image.paste(tinted(ramp, [sky, mixed(sky, (255, 255, 255), self.rng.uniform(0, 0.8))]))
        x = np.linspace(0, width, 30)
        for index in range(between(self.rng, 0, 4)):
            level = height * (0.4 + 0.14 * index)
            waves = sum(
                self.rng.uniform(0, 0.08) * height * np.sin(wave * x / width * 6 + self.rng.uniform(0, 6))
                for wave in (1, 2, 3)
            )
            edge = np.stack([x, level + waves], axis=1)
            self.shape(np.concatenate([edge, [(width + 9, height + 9), (-9, height + 9)]]))

    def scene(self) -> None:
        """Several things, smaller far away."""
        self.background()
        width, height = self.image.size
        if chance(self.rng, 0.4):
            sun = (width * self.rng.uniform(0.1, 0.9), height * 0.15, width * 0.06)
            for angle in np.linspace(0, 2 * math.pi, between(self.rng, 0, 12), endpoint=False):
                way = np.array([math.cos(angle), math.sin(angle)]) * sun[2]
                self.stroke((sun[0] + way[0] * 1.2, sun[1] + way[1] * 1.2), (sun[0] + way[0] * 2, sun[1] + way[1] * 2))
            self.blob(*sun, sun[2])
        for _ in range(between(self.rng, 0, 3)):
            self.blob(self.rng.uniform(0, width), height * self.rng.uniform(0.05, 0.3), width * 0.1, height * 0.04, 0.5)
        for y in sorted(self.rng.uniform(0.4, 0.85, between(self.rng, 1, 8))):
            thing = _THINGS[int(self.rng.integers(len(_THINGS)))]
            thing(self, self.rng.uniform(0.05, 0.95) * width, y * height, min(width, height) * 0.3 * y * y)


def _face(hand: _Hand, x: float, y: float, size: float) -> None:
    if chance(hand.rng, 0.7):
        hand.blob(x, y - size * 0.4, size * 0.8, size * 0.7, 0.3)  # hair
    hand.blob(x, y, size * hand.rng.uniform(0.6, 0.85), size * 0.85, 0.05)
    for side in (-1, 1):
        hand.eye(x + side * size * 0.28, y - size * 0.15, size * hand.rng.uniform(0.05, 0.13))
        hand.stroke((x + side * size * 0.15, y - size * 0.35), (x + side * size * 0.4, y - size * 0.38))
    hand.stroke((x, y - size * 0.05), (x - size * 0.07, y + size * 0.2), (x + size * 0.05, y + size * 0.2))
    bend = size * hand.rng.uniform(-0.1, 0.2)
    hand.stroke((x - size * 0.3, y + size * 0.4), (x, y + size * 0.4 + bend), (x + size * 0.3, y + size * 0.4))


def _body(hand: _Hand, x: float, y: float, size: float) -> None:
    """A person or a figure: limbs, a trunk, a head."""
    for side in (-1, 1):
        hand.blob(x + side * size * 0.22, y + size * 0.7, size * 0.12, size * 0.35)
        turn = side * hand.rng.uniform(-1, 1)
        hand.blob(x + side * size * 0.42, y + size * 0.1, size * 0.09, size * 0.35, 0, turn)
    hand.blob(x, y + size * 0.2, size * 0.35, size * 0.45, 0.1)
    _face(hand, x, y - size * 0.5, size * hand.rng.uniform(0.3, 0.5))


def _animal(hand: _Hand, x: float, y: float, size: float) -> None:
    """Four legs, a body, a neck, a head with ears and a tail, in any proportions."""
    rng = hand.rng
    leg, neck = rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.7)
    for place in (-0.5, -0.3, 0.3, 0.5):
        hand.blob(x + place * size, y + size * (0.25 + leg / 2), size * 0.09, size * leg * 0.7)
    hand.stroke((x - size * 0.7, y), (x - size * 0.95, y - size * rng.uniform(-0.3, 0.5)))
    hand.blob(x, y, size * 0.75, size * rng.uniform(0.3, 0.5), 0.1)
    hand.blob(x + size * 0.65, y - size * neck * 0.6, size * 0.16, size * neck * 0.6, 0, -0.4)
    head = (x + size * 0.8, y - size * neck * 1.1)
    for side in (-1, 1):
        ear = rng.uniform(0.08, 0.3)
        hand.blob(head[0] + side * size * 0.14, head[1] - size * ear, size * 0.08, size * ear, 0.1, side * 0.3)
    hand.blob(*head, size * rng.uniform(0.22, 0.34), size * 0.24, 0.1)
    hand.eye(head[0] + size * 0.08, head[1] - size * 0.04, size * 0.04)


def _bird(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.blob(x, y, size * 0.6, size * 0.4, 0.1, 0.3)
    hand.blob(x - size * 0.1, y - size * 0.05, size * 0.35, size * 0.2, 0.3, 0.6)
    hand.blob(x + size * 0.5, y - size * 0.4, size * 0.26, size * 0.26)
    beak = np.array([(0.72, -0.48), (1.0, -0.36), (0.7, -0.28)]) * size + (x, y)
    hand.shape(beak)
    hand.eye(x + size * 0.55, y - size * 0.45, size * 0.05)
    for place in (-0.1, 0.15):
        hand.stroke((x + place * size, y + size * 0.35), (x + place * size, y + size * 0.7))


def _fish(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.shape(np.array([(-0.5, 0), (-1, -0.4), (-0.85, 0), (-1, 0.4)]) * size + (x, y))
    hand.blob(x, y, size * 0.7, size * hand.rng.uniform(0.25, 0.5), 0.05)
    hand.shape(np.array([(-0.1, -0.3), (0.2, -0.65), (0.3, -0.3)]) * size + (x, y))
    hand.eye(x + size * 0.4, y - size * 0.1, size * 0.06)


def _tree(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.box(x, y + size * 0.5, size * 0.1, size * 0.45)
    if chance(hand.rng, 0.5):
        for _ in range(between(hand.rng, 1, 5)):
            spread = hand.rng.normal(0, 0.25, 2) * size
            hand.blob(x + spread[0], y - size * 0.3 + spread[1], size * 0.5, size * 0.45, 0.4)
    else:
        for level in range(3):
            wide, top = size * (0.3 + 0.15 * level), y - size * (0.9 - 0.35 * level)
            hand.shape(np.array([(x, top), (x - wide, top + size * 0.55), (x + wide, top + size * 0.55)]))


def _flower(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.stroke((x, y), (x + size * 0.1, y + size))
    hand.blob(x + size * 0.3, y + size * 0.6, size * 0.3, size * 0.1, 0, -0.5)
    petals, fill = between(hand.rng, 4, 12), hand.fill()
    for angle in np.linspace(0, 2 * math.pi, petals, endpoint=False):
        points = curve(hand.rng, 24, 0.05) * (size * 0.28, size * 0.13) + (size * 0.35, 0)
        rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        hand.shape(points @ rotation + (x, y), fill)
    hand.blob(x, y, size * 0.17, size * 0.17)


def _house(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.box(x, y + size * 0.3, size * 0.7, size * 0.5)
    hand.shape(np.array([(-0.85, -0.2), (0, -hand.rng.uniform(0.5, 1)), (0.85, -0.2)]) * size + (x, y))
    hand.box(x, y + size * 0.55, size * 0.13, size * 0.25)
    for side in (-1, 1):
        hand.box(x + side * size * 0.42, y + size * 0.2, size * 0.14, size * 0.14)
        hand.stroke((x + side * size * 0.42, y + size * 0.06), (x + side * size * 0.42, y + size * 0.34))


def _vehicle(hand: _Hand, x: float, y: float, size: float) -> None:
    """A car, a bus or a train: a body, windows and wheels."""
    high, count = size * hand.rng.uniform(0.2, 0.5), between(hand.rng, 2, 5)
    hand.box(x, y, size * 0.95, high)
    if chance(hand.rng, 0.6):
        hand.shape(np.array([(-0.6, 0), (-0.4, -0.4), (0.35, -0.4), (0.6, 0)]) * size + (x, y - high))
    for place in np.linspace(-0.7, 0.7, count):
        hand.box(x + place * size, y - high * 0.3, size * 0.5 / count, high * 0.35)
    for place in np.linspace(-0.6, 0.6, between(hand.rng, 2, 3)):
        hand.blob(x + place * size, y + high, size * 0.17, size * 0.17)
        hand.blob(x + place * size, y + high, size * 0.07, size * 0.07)


def _boat(hand: _Hand, x: float, y: float, size: float) -> None:
    hand.stroke((x, y - size * 0.9), (x, y + size * 0.3))
    hand.shape(np.array([(0.05, -0.9), (0.7, 0.1), (0.05, 0.15)]) * size + (x, y))
    hand.shape(np.array([(-0.9, 0.3), (0.9, 0.3), (0.6, 0.75), (-0.6, 0.75)]) * size + (x, y))


def _thing(hand: _Hand, x: float, y: float, size: float) -> None:
    """A thing of a few simple parts: a bottle, a cup, a tool, whatever comes of it."""
    for _ in range(between(hand.rng, 2, 7)):
        spread, wide, high = hand.rng.normal(0, 0.3, 2) * size, *hand.rng.uniform(0.08, 0.5, 2) * size
        if chance(hand.rng, 0.5):
            hand.box(x + spread[0], y + spread[1], wide, high)
        else:
            hand.blob(x + spread[0], y + spread[1], wide, high, 0.15, hand.rng.uniform(0, 3))


def _scribble(hand: _Hand, x: float, y: float, size: float) -> None:
    """Open lines, as a sketch has before it is a thing."""
    for _ in range(between(hand.rng, 3, 25)):
        steps = hand.rng.normal(0, size * 0.15, (between(hand.rng, 4, 20), 2)).cumsum(axis=0)
        hand.stroke(*[(x + a, y + b) for a, b in (steps - steps.mean(axis=0)).tolist()])


_THINGS = (
    *(_face, _face, _body, _body, _animal, _animal, _animal, _bird, _fish, _tree, _flower, _house, _vehicle, _boat),
    *(_thing, _thing, _scribble),
)
