"""Logos and icons: one sign, with or without a name, on a plain ground."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sightline.not_photos.drawings import pictogram
from sightline.not_photos.pens import (
    Colour,
    Rng,
    Writer,
    between,
    chance,
    colour,
    curve,
    mixed,
    palette,
    paper_and_ink,
)

Points = list[tuple[float, float]]


def logo(rng: Rng) -> Image.Image:
    """One sign in the middle, a name beside, below or alone, or a sheet of several signs."""
    ground = (255, 255, 255) if chance(rng, 0.6) else paper_and_ink(rng, dark=0.4)[0]
    kind = rng.random()
    if kind < 0.62:
        side = between(rng, 96, 320)
        image = pictogram(rng, side, ground) if chance(rng, 0.3) else emblem(rng, side, ground)
        if chance(rng, 0.3):  # a small one that was enlarged
            small = int(rng.choice([16, 24, 32, 48]))
            smooth = [Image.Resampling.NEAREST, Image.Resampling.BILINEAR][between(rng, 0, 1)]
            image = image.resize((small, small), Image.Resampling.BOX).resize((side, side), smooth)
        if chance(rng, 0.3):
            canvas = Image.new("RGB", (int(side * rng.uniform(1.1, 2.2)), int(side * rng.uniform(1.05, 1.8))), ground)
            canvas.paste(image, ((canvas.width - side) // 2, (canvas.height - side) // 2))
            return canvas
        return image
    if kind < 0.9:
        return _with_name(rng, ground)
    side, rows, columns = between(rng, 30, 80), between(rng, 2, 5), between(rng, 2, 6)
    sheet = Image.new("RGB", (columns * (side + 16), rows * (side + 16)), ground)
    for row in range(rows):
        for column in range(columns):
            sheet.paste(emblem(rng, side, ground), (column * (side + 16) + 8, row * (side + 16) + 8))
    return sheet


def emblem(rng: Rng, side: int, ground: Colour) -> Image.Image:
    """RGB (side, side): a sign on ``ground``, flat, shaded or glossy."""
    scale = 1 if side > 160 else 2
    size = side * scale
    image = Image.new("RGB", (size, size), ground)
    if chance(rng, 0.45):
        plate = _plate(rng, size)
        if chance(rng, 0.4):
            shadow = plate.filter(ImageFilter.GaussianBlur(size / 30))
            image.paste(mixed(ground, (0, 0, 0), 0.5), (size // 50, size // 40), shadow)
        fill = _filled(rng, size)
        image.paste(fill, mask=plate)
        inks = [(255, 255, 255), (0, 0, 0), colour(rng)]
        _figure(rng, image, 0.55, inks[: 1 if chance(rng, 0.5) else 3])
        if chance(rng, 0.25):
            _gloss(image, plate)
    else:
        _figure(rng, image, rng.uniform(0.75, 0.98), palette(rng, between(rng, 1, 4)))
        if chance(rng, 0.25):  # a second, smaller sign in a corner
            corner = emblem(rng, max(6, side // 2), ground).resize((size // 2, size // 2))
            mask = Image.new("L", corner.size)
            ImageDraw.Draw(mask).ellipse((0, 0, size // 2 - 1, size // 2 - 1), 255)
            image.paste(corner, (size // 2, size // 2), mask)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _filled(rng: Rng, size: int) -> Image.Image:
    """One colour, or two that run into each other from top to bottom."""
    one = colour(rng, (0.2, 1), (0.3, 1))
    other = mixed(one, (0, 0, 0) if chance(rng, 0.5) else (255, 255, 255), rng.uniform(0.1, 0.6))
    if chance(rng, 0.4):
        return Image.new("RGB", (size, size), one)
    if chance(rng, 0.4):
        other = colour(rng, (0.3, 1), (0.3, 1))
    ramp = Image.linear_gradient("L") if chance(rng, 0.7) else Image.radial_gradient("L")
    return Image.composite(
        Image.new("RGB", (size, size), one), Image.new("RGB", (size, size), other), ramp.resize((size, size))
    )


def _plate(rng: Rng, size: int) -> Image.Image:
    """What a sign lies on: a square, a disc, a shield or another simple outline, as a mask."""
    mask = Image.new("L", (size, size))
    pen, inset = ImageDraw.Draw(mask), size * rng.uniform(0.02, 0.1)
    box = (inset, inset, size - inset, size - inset)
    kind = rng.random()
    if kind < 0.5:
        pen.rounded_rectangle(box, size * rng.uniform(0, 0.35), 255)
    elif kind < 0.8:
        pen.ellipse(box, 255)
    else:
        corners = between(rng, 3, 8)
        pen.polygon(_placed(_regular(corners), size / 2, size / 2 - inset), 255)
    return mask


def _gloss(image: Image.Image, plate: Image.Image) -> None:
    """A light upper half, as on glass."""
    size = image.width
    light = Image.new("L", image.size)
    ImageDraw.Draw(light).ellipse((-size * 0.3, -size * 0.8, size * 1.3, size * 0.5), 90)
    image.paste((255, 255, 255), mask=Image.composite(light, Image.new("L", image.size), plate))


def _figure(rng: Rng, image: Image.Image, share: float, inks: list[Colour]) -> None:
    """A sign over ``share`` of the picture: one of the known ones, or a few outlines around a middle."""
    size = image.width
    layer = Image.new("L", image.size)
    known = chance(rng, 0.6)
    parts = _KNOWN[between(rng, 0, len(_KNOWN) - 1)](rng) if known else _abstract(rng)
    edge = mixed(inks[0], (0, 0, 0), 0.5)
    outlined, shaded = chance(rng, 0.5), chance(rng, 0.5)
    hollow = chance(rng, 0.15)
    for index, points in enumerate(parts):
        placed = _placed(points, size / 2, size / 2 * share)
        layer.paste(0, (0, 0, size, size))
        pen = ImageDraw.Draw(layer)
        if hollow:
            pen.line([*placed, placed[0]], 255, max(1, size // 22), "curve")
        else:
            pen.polygon(placed, 255)
        ink = inks[index % len(inks)]
        if shaded:
            ramp = Image.linear_gradient("L").resize((size, size))
            one, other = (
                Image.new("RGB", (size, size), mixed(ink, each, 0.35)) for each in ((0, 0, 0), (255, 255, 255))
            )
            image.paste(Image.composite(one, other, ramp), mask=layer)
        else:
            image.paste(ink, mask=layer)
        if outlined and not hollow:
            ImageDraw.Draw(image).line([*placed, placed[0]], edge, max(1, size // 40), "curve")


def _placed(points: Points, middle: float, reach: float) -> Points:
    return [(middle + x * reach, middle + y * reach) for x, y in points]


def _regular(corners: int, inner: float = 1.0, turn: float = 0.0) -> Points:
    count = corners * (1 if inner == 1 else 2)
    angles = [2 * math.pi * index / count - math.pi / 2 + turn for index in range(count)]
    reach = [1.0 if index % 2 == 0 or inner == 1 else inner for index in range(count)]
    return [(r * math.cos(angle), r * math.sin(angle)) for r, angle in zip(reach, angles, strict=True)]


def _moved(points: Points, x: float, y: float, scale: float, height: float | None = None) -> Points:
    return [(x + a * scale, y + b * (height or scale)) for a, b in points]


def _box(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _abstract(rng: Rng) -> list[Points]:
    """Petals, rings of shapes, or a few shapes over each other."""
    kind = rng.random()
    if kind < 0.4:
        count = between(rng, 2, 9)
        petal = [tuple(point) for point in curve(rng, 40, 0.5)]
        parts = []
        for index in range(count):
            angle = 2 * math.pi * index / count
            turned = [
                (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
                for x, y in _moved(petal, 0.55, 0, 0.45, 0.25)  # type: ignore[arg-type]
            ]
            parts.append(turned)
        return parts
    shapes: list[Callable[[], Points]] = [
        lambda: _regular(between(rng, 3, 8), 1, rng.uniform(0, 1)),
        lambda: _regular(40),
        lambda: _regular(between(rng, 4, 9), rng.uniform(0.3, 0.8)),
        lambda: [tuple(point) for point in curve(rng, 50, 0.7)],  # type: ignore[misc]
    ]
    return [
        _moved(shapes[between(rng, 0, 3)](), rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.8))
        for _ in range(between(rng, 1, 5))
    ]


def _document(rng: Rng) -> list[Points]:
    sheet = [(-0.65, -0.95), (0.3, -0.95), (0.65, -0.6), (0.65, 0.95), (-0.65, 0.95)]
    lines = [_box(-0.45, y, 0.45, y + 0.08) for y in np.linspace(-0.4, 0.7, between(rng, 2, 6))]
    return [sheet, [(0.3, -0.95), (0.3, -0.6), (0.65, -0.6)], *lines]


def _folder(rng: Rng) -> list[Points]:
    back = [(-0.95, -0.6), (-0.3, -0.6), (-0.15, -0.4), (0.95, -0.4), (0.95, 0.7), (-0.95, 0.7)]
    return [back, [(-0.95, 0.7), (-0.7, -0.15), (1.0, -0.15), (0.85, 0.7)]]


def _gear(rng: Rng) -> list[Points]:
    teeth = between(rng, 6, 14)
    outline = []
    for index in range(teeth * 4):
        reach = 0.95 if index % 4 < 2 else 0.72
        angle = 2 * math.pi * index / (teeth * 4)
        outline.append((reach * math.cos(angle), reach * math.sin(angle)))
    return [outline, _moved(_regular(30), 0, 0, rng.uniform(0.2, 0.4))]


def _screen(rng: Rng) -> list[Points]:
    return [
        _box(-0.95, -0.75, 0.95, 0.5),
        _box(-0.82, -0.62, 0.82, 0.37),
        _box(-0.2, 0.5, 0.2, 0.75),
        _box(-0.5, 0.75, 0.5, 0.88),
    ]


def _arrow(rng: Rng) -> list[Points]:
    arrow = [(-0.9, -0.25), (0.1, -0.25), (0.1, -0.7), (0.95, 0.0), (0.1, 0.7), (0.1, 0.25), (-0.9, 0.25)]
    turns = between(rng, 0, 3)
    for _ in range(turns):
        arrow = [(-y, x) for x, y in arrow]
    return [arrow]


def _heart(rng: Rng) -> list[Points]:
    angles = np.linspace(0, 2 * math.pi, 60)
    x = np.sin(angles) ** 3
    y = -(13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)) / 16
    return [list(zip(x.tolist(), y.tolist(), strict=True))]


def _lens(rng: Rng) -> list[Points]:
    handle = [(0.3, 0.45), (0.45, 0.3), (0.95, 0.8), (0.8, 0.95)]
    return [handle, _moved(_regular(40), -0.2, -0.2, 0.7), _moved(_regular(40), -0.2, -0.2, 0.5)]


def _letter(rng: Rng) -> list[Points]:
    return [_box(-0.95, -0.6, 0.95, 0.65), [(-0.95, -0.6), (0.95, -0.6), (0, 0.2)]]


def _house(rng: Rng) -> list[Points]:
    return [_box(-0.65, -0.1, 0.65, 0.9), [(-0.95, 0.0), (0, -0.9), (0.95, 0.0)], _box(-0.18, 0.3, 0.18, 0.9)]


def _person(rng: Rng) -> list[Points]:
    body = [(0.75 * math.cos(a), 0.95 - 0.8 * math.sin(a)) for a in np.linspace(0, math.pi, 30)]
    return [body, _moved(_regular(30), 0, -0.4, 0.42)]


def _disc(rng: Rng) -> list[Points]:
    return [_regular(60), _moved(_regular(40), 0, 0, 0.35), _moved(_regular(30), 0, 0, 0.14)]


def _lock(rng: Rng) -> list[Points]:
    ring = [(0.5 * math.cos(a), -0.1 - 0.75 * math.sin(a)) for a in np.linspace(0, math.pi, 30)]
    inner = [(0.32 * math.cos(a), -0.1 - 0.52 * math.sin(a)) for a in np.linspace(math.pi, 0, 30)]
    return [ring + inner, _box(-0.7, -0.1, 0.7, 0.9), _moved(_regular(20), 0, 0.3, 0.14)]


def _cross(rng: Rng) -> list[Points]:
    arm = rng.uniform(0.15, 0.35)
    plus = [(-arm, -0.9), (arm, -0.9), (arm, -arm), (0.9, -arm), (0.9, arm), (arm, arm), (arm, 0.9)]
    plus += [(-arm, 0.9), (-arm, arm), (-0.9, arm), (-0.9, -arm), (-arm, -arm)]
    turn = math.pi / 4 if chance(rng, 0.5) else 0
    return [[(x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)) for x, y in plus]]


def _bars(rng: Rng) -> list[Points]:
    count = between(rng, 3, 5)
    places = np.linspace(-0.8, 0.8, count + 1)
    return [_box(left + 0.04, rng.uniform(-0.9, 0.5), right - 0.04, 0.9) for left, right in pairwise(places)]


def _speaker(rng: Rng) -> list[Points]:
    horn = [(-0.9, -0.3), (-0.5, -0.3), (0.0, -0.8), (0.0, 0.8), (-0.5, 0.3), (-0.9, 0.3)]
    waves = []
    for reach in (0.35, 0.6, 0.85):
        arc = [(reach * math.cos(a), reach * math.sin(a)) for a in np.linspace(-0.8, 0.8, 15)]
        waves.append(arc + [(x - 0.1, y) for x, y in reversed(arc)])
    return [horn, *waves[: between(rng, 0, 3)]]


def _tick(rng: Rng) -> list[Points]:
    return [[(-0.9, 0.1), (-0.6, -0.2), (-0.25, 0.2), (0.6, -0.75), (0.9, -0.45), (-0.22, 0.85)]]


def _pencil(rng: Rng) -> list[Points]:
    return [
        [(-0.9, 0.9), (-0.75, 0.45), (0.5, -0.8), (0.8, -0.5), (-0.45, 0.75)],
        [(0.5, -0.8), (0.65, -0.95), (0.95, -0.65), (0.8, -0.5)],
    ]


def _clock(rng: Rng) -> list[Points]:
    return [
        _regular(50),
        _moved(_regular(50), 0, 0, 0.82),
        _box(-0.05, -0.6, 0.05, 0.05),
        _box(-0.05, -0.05, 0.45, 0.05),
    ]


def _star(rng: Rng) -> list[Points]:
    return [_regular(between(rng, 4, 12), rng.uniform(0.35, 0.75))]


def _boxes(rng: Rng) -> list[Points]:
    """A cube seen from a corner."""
    top = [(0, -0.95), (0.85, -0.5), (0, -0.05), (-0.85, -0.5)]
    return [
        top,
        [(-0.85, -0.5), (0, -0.05), (0, 0.95), (-0.85, 0.5)],
        [(0.85, -0.5), (0, -0.05), (0, 0.95), (0.85, 0.5)],
    ]


_KNOWN: list[Callable[[Rng], list[Points]]] = [
    *(_document, _folder, _gear, _screen, _arrow, _heart, _lens, _letter, _house, _person, _disc, _lock),
    *(_cross, _bars, _speaker, _tick, _pencil, _clock, _star, _boxes),
]


def _with_name(rng: Rng, ground: Colour) -> Image.Image:
    """A name in large letters, mostly with a sign beside or above it."""
    writer = Writer(rng, latin=chance(rng, 0.8))
    size = between(rng, 30, 90)
    text = writer.word(rng)[:12] if chance(rng, 0.7) else writer.words(rng, 2)[:18]
    text = text.upper() if chance(rng, 0.4) else text.capitalize()
    font = writer.font(size)
    width = int(font.getlength(text)) + 20
    dark = sum(ground) < 380
    ink = colour(rng, (0, 1), (0.7, 1) if dark else (0, 0.7))
    side = int(size * rng.uniform(1, 2.6)) if chance(rng, 0.75) else 0
    above = chance(rng, 0.35)
    margin = between(rng, 4, 60)
    if above:
        image = Image.new("RGB", (max(width, side) + 2 * margin, side + int(size * 1.5) + 2 * margin), ground)
        place = ((image.width - width) / 2 + 10, margin + side + size * 0.1)
        sign = ((image.width - side) // 2, margin)
    else:
        image = Image.new("RGB", (width + side + 2 * margin, max(side, int(size * 1.5)) + 2 * margin), ground)
        place, sign = (margin + side + 12, (image.height - size * 1.3) / 2), (margin, (image.height - side) // 2)
    if side > 8:
        image.paste(emblem(rng, side, ground), sign)
    ImageDraw.Draw(image).text(place, text, ink, font, stroke_width=between(rng, 0, 2))
    return image
