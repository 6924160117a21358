"""Maps: streets, countries, relief, contour lines, underground lines."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sightline.not_photos.pens import (
    Colour,
    Rng,
    Writer,
    between,
    chance,
    colour,
    curve,
    field,
    mixed,
    palette,
    pick,
    tinted,
)


def map_(rng: Rng) -> Image.Image:
    """One of the kinds of map, with names, sometimes with a grid, a scale and a legend."""
    width, height = between(rng, 300, 760), between(rng, 260, 700)
    kinds = (_streets, _streets, _countries, _countries, _countries, _relief, _contour_lines, _underground)
    image = kinds[between(rng, 0, len(kinds) - 1)](rng, width, height)
    if chance(rng, 0.25):
        _grid(rng, image)
    if chance(rng, 0.2):
        _legend(rng, image)
    return image


def _names(rng: Rng, image: Image.Image, count: int, ink: Colour) -> None:
    writer, pen = Writer(rng, latin=chance(rng, 0.6)), ImageDraw.Draw(image)
    size = max(8, int(image.height * rng.uniform(0.018, 0.04)))
    halo = between(rng, 0, 2)
    for _ in range(count):
        place = (rng.uniform(0, 0.9) * image.width, rng.uniform(0.02, 0.95) * image.height)
        scale = between(rng, 1, 2) if chance(rng, 0.3) else 1
        font = writer.font(size * scale)
        pen.text(place, writer.word(rng).capitalize(), ink, font, stroke_width=halo, stroke_fill=(255, 255, 255))
        if chance(rng, 0.4):
            pen.ellipse((place[0] - 5, place[1], place[0] - 1, place[1] + 4), ink)


def _streets(rng: Rng, width: int, height: int) -> Image.Image:
    """Main and side streets with edges, blocks, parks, water."""
    dark = chance(rng, 0.12)
    ground = colour(rng, (0, 0.12), (0.05, 0.25) if dark else (0.85, 0.98))
    image = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(image)
    green, blue = (mixed(each, ground, rng.uniform(0.1, 0.6)) for each in ((120, 190, 90), (110, 170, 220)))
    for shade in (green, green, blue, colour(rng, (0.05, 0.3), (0.75, 0.95))):
        for _ in range(between(rng, 0, 4)):
            outline = curve(rng, 40, 0.5) * width * rng.uniform(0.04, 0.25) + rng.uniform(0, 1, 2) * (width, height)
            pen.polygon([tuple(point) for point in outline], shade)
    if chance(rng, 0.4):
        _road(rng, pen, (width, height), rng.uniform(0, 1, 2), blue, blue, width * rng.uniform(0.02, 0.08))
    turn, spacing = rng.uniform(0, math.pi), width * rng.uniform(0.05, 0.18)
    street, edge = ((70, 70, 70), (20, 20, 20)) if dark else ((255, 255, 255), mixed(ground, (0, 0, 0), 0.25))
    if chance(rng, 0.6):  # blocks of a planned town
        for angle in (turn, turn + math.pi / 2):
            for shift in np.arange(-width, width, spacing * rng.uniform(0.7, 1.5)):
                _street(pen, (width / 2, height / 2), angle, shift, width * 2, edge, street, spacing * 0.16)
    if chance(rng, 0.4):  # houses
        for _ in range(between(rng, 50, 300)):
            x, y = rng.uniform(0, 1, 2) * (width, height)
            side = rng.uniform(3, 12, 2)
            pen.rectangle((x, y, x + side[0], y + side[1]), mixed(ground, (150, 120, 100), 0.3), edge)
    for _ in range(between(rng, 3, 22)):
        major = chance(rng, 0.35)
        fill = colour(rng, (0.3, 0.9), (0.85, 1)) if major and chance(rng, 0.7) else street
        _road(rng, pen, (width, height), rng.uniform(0, 1, 2), edge, fill, spacing * (0.22 if major else 0.12))
    if chance(rng, 0.25):
        _road(rng, pen, (width, height), rng.uniform(0.2, 0.8, 2), (40, 80, 220), (60, 120, 255), spacing * 0.12)
    _names(rng, image, between(rng, 0, 40), (230, 230, 230) if dark else (60, 60, 60))
    if chance(rng, 0.3):
        for _ in range(between(rng, 1, 8)):
            _pin(rng, pen, rng.uniform(0.1, 0.9, 2) * (width, height), height * rng.uniform(0.02, 0.06))
    return image


def _street(
    pen: ImageDraw.ImageDraw,
    middle: tuple[float, float],
    angle: float,
    shift: float,
    length: float,
    edge: Colour,
    fill: Colour,
    width: float,
) -> None:
    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    ends = [tuple(np.array(middle) + across * shift + along * reach) for reach in (-length, length)]
    pen.line(ends, edge, max(2, int(width) + 2))
    pen.line(ends, fill, max(1, int(width)))


def _road(
    rng: Rng,
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    start: np.ndarray,
    edge: Colour,
    fill: Colour,
    width: float,
) -> None:
    """A road or river that turns a little at every step, both ways from ``start``."""
    heading, place = rng.uniform(0, 2 * math.pi), start * size
    bend = rng.uniform(0.02, 0.25)
    points: list[tuple[float, ...]] = []
    for way in (0, math.pi):
        angle, at, half = heading + way, place.copy(), [tuple(place)]
        for _ in range(60):
            angle += rng.normal(0, bend)
            at = at + np.array([math.cos(angle), math.sin(angle)]) * size[0] / 40
            half.append(tuple(at))
        points = half[::-1] + points
    pen.line(points, edge, max(2, int(width) + 2), "curve")
    pen.line(points, fill, max(1, int(width)), "curve")


def _pin(rng: Rng, pen: ImageDraw.ImageDraw, place: np.ndarray, size: float) -> None:
    x, y = place
    fill = colour(rng, (0.6, 1), (0.6, 1))
    pen.polygon([(x, y), (x - size * 0.6, y - size), (x + size * 0.6, y - size)], fill)
    pen.ellipse((x - size * 0.7, y - size * 1.9, x + size * 0.7, y - size * 0.5), fill)
    pen.ellipse((x - size * 0.25, y - size * 1.45, x + size * 0.25, y - size * 0.95), (255, 255, 255))


def _countries(rng: Rng, width: int, height: int) -> Image.Image:
    """Land from random hills, parted among the nearest of random towns; each country in a colour of its own."""
    small = (width // 2, height // 2)
    hills = field(rng, *small, rng.uniform(1.5, 2.3))
    land = hills > np.quantile(hills, rng.uniform(0, 0.7))
    count = between(rng, 3, 60)
    towns = rng.uniform(0, 1, (count, 2)) * small[::-1]
    y, x = np.mgrid[0 : small[1], 0 : small[0]]
    y = y + 18 * (field(rng, *small, 2) - 0.5) * 2
    x = x + 18 * (field(rng, *small, 2) - 0.5) * 2
    owner = np.argmin(((np.stack([y, x], -1)[:, :, None] - towns) ** 2).sum(-1), axis=2)
    look = rng.random()
    if look < 0.5:
        colours = np.array(palette(rng, count))[rng.permutation(count)]
    elif look < 0.75:  # all alike but a few
        colours = np.array([colour(rng, (0, 0.35), (0.6, 1))] * count)
        colours[rng.random(count) < 0.15] = colour(rng, (0.6, 1), (0.5, 1))
    else:  # darker where there is more of something
        shades = np.array(tinted(rng.random((1, count)), [(255, 245, 230), colour(rng, (0.6, 1), (0.3, 0.8))]))
        colours = shades[0]
    sea = mixed((170, 205, 235), colour(rng, (0, 0.4), (0.7, 1)), rng.uniform(0, 0.8))
    if chance(rng, 0.3):
        sea = (255, 255, 255)
    pixels = np.where(land[..., None], colours[owner], sea).astype(np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    borders = np.zeros(owner.shape, bool)
    for where in (owner * land, land.astype(int)):
        borders[1:] |= where[1:] != where[:-1]
        borders[:, 1:] |= where[:, 1:] != where[:, :-1]
    lines = Image.fromarray(borders).convert("L").resize((width, height), Image.Resampling.BICUBIC)
    image.paste(pick_ink(rng), mask=lines)
    if chance(rng, 0.5):
        image = image.filter(ImageFilter.SMOOTH)
    if chance(rng, 0.65):
        _names(rng, image, between(rng, 3, 40), (20, 20, 20))
    return image


def pick_ink(rng: Rng) -> Colour:
    """Black, grey or white, for borders."""
    return ((0, 0, 0), (90, 90, 90), (255, 255, 255))[between(rng, 0, 2)]


def _relief(rng: Rng, width: int, height: int) -> Image.Image:
    """Heights by colour, lit from the side."""
    hills = field(rng, width, height, rng.uniform(1.7, 2.4))
    water = rng.uniform(0, 0.55)
    lowland = [(110, 160, 90), (200, 200, 130), (170, 130, 90), (250, 250, 250)]
    if chance(rng, 0.3):
        lowland = palette(rng, 4)
    image = tinted(((hills - water) / (1 - water)).clip(0, 1), lowland)
    light = np.gradient(hills, axis=1) * rng.uniform(20, 90) + np.gradient(hills, axis=0) * rng.uniform(-40, 40)
    pixels = np.asarray(image) * (1 + light.clip(-0.5, 0.5))[..., None]
    sea = np.array(colour(rng, (0.3, 0.8), (0.4, 0.95)))
    deep = np.where((hills < water)[..., None], sea * (0.6 + 0.4 * hills / max(water, 1e-3))[..., None], pixels)
    image = Image.fromarray(deep.clip(0, 255).astype(np.uint8))
    if chance(rng, 0.6):
        _names(rng, image, between(rng, 2, 25), (0, 0, 0))
    return image


def _contour_lines(rng: Rng, width: int, height: int) -> Image.Image:
    """Lines of equal height on a plain or wooded ground."""
    hills = field(rng, width, height, rng.uniform(2, 3))
    ground = colour(rng, (0, 0.15), (0.9, 1))
    wooded = field(rng, width, height, 2.2) > rng.uniform(0.4, 0.9)
    pixels = np.where(wooded[..., None], mixed((170, 215, 150), ground, 0.3), ground).astype(float)
    level = np.floor(hills * between(rng, 8, 40))
    lines = (np.diff(level, axis=0, prepend=level[:1]) != 0) | (np.diff(level, axis=1, prepend=level[:, :1]) != 0)
    pixels[lines] = colour(rng, (0.2, 0.9), (0.3, 0.7))
    image = Image.fromarray(pixels.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(between(rng, 0, 6)):
        fill = [(230, 120, 60), (80, 140, 220), (90, 90, 90)][between(rng, 0, 2)]
        _road(rng, pen, (width, height), rng.uniform(0, 1, 2), mixed(fill, (0, 0, 0), 0.4), fill, between(rng, 1, 4))
    _names(rng, image, between(rng, 0, 30), (40, 40, 40))
    return image


def _underground(rng: Rng, width: int, height: int) -> Image.Image:
    """Thick lines of strong colours with stops, straight or at 45 degrees."""
    image = Image.new("RGB", (width, height), (255, 255, 255) if chance(rng, 0.8) else colour(rng, (0, 0.3), (0.1, 1)))
    pen, writer = ImageDraw.Draw(image), Writer(rng, latin=True)
    thick = max(2, int(width * rng.uniform(0.008, 0.02)))
    font = writer.font(max(7, int(width * 0.02)))
    for line in palette(rng, between(rng, 2, 9)):
        at, angle = rng.uniform(0.05, 0.95, 2) * (width, height), rng.integers(0, 8) * math.pi / 4
        points = [tuple(at)]
        for _ in range(between(rng, 3, 9)):
            angle += rng.choice([-1, 0, 1]) * math.pi / 4
            at = at + np.array([math.cos(angle), math.sin(angle)]) * width * rng.uniform(0.06, 0.2)
            points.append(tuple(at))
        pen.line(points, line, thick, "curve")
        for x, y in points:
            pen.ellipse((x - thick, y - thick, x + thick, y + thick), (255, 255, 255), (0, 0, 0), max(1, thick // 3))
            if chance(rng, 0.7):
                pen.text((x + thick * 1.5, y - thick), writer.word(rng), (0, 0, 0), font)
    return image


def _grid(rng: Rng, image: Image.Image) -> None:
    pen, shade = ImageDraw.Draw(image), colour(rng, (0, 0.6), (0.2, 0.7))
    step = image.width * rng.uniform(0.08, 0.25)
    for place in np.arange(rng.uniform(0, step), max(image.size), step):
        pen.line([(place, 0), (place, image.height)], shade)
        pen.line([(0, place), (image.width, place)], shade)


def _legend(rng: Rng, image: Image.Image) -> None:
    pen, writer = ImageDraw.Draw(image), Writer(rng, latin=True)
    size = max(8, int(image.height * 0.025))
    x, y = (image.width * float(rng.choice([0.02, 0.75])), image.height * float(rng.choice([0.02, 0.7])))
    rows = between(rng, 2, 6)
    pen.rectangle((x, y, x + size * 9, y + rows * size * 1.6 + size), (255, 255, 255), (0, 0, 0))
    for row, shade in enumerate(palette(rng, rows)):
        top = y + size * 0.5 + row * size * 1.6
        pen.rectangle((x + size * 0.5, top, x + size * 1.7, top + size), shade)
        pen.text((x + size * 2.2, top), writer.word(rng) + pick(rng, "", " 10", " km"), (0, 0, 0), writer.font(size))
