"""Noise, and patterns: gradients, plain colours, stripes, checks, and the abstract pictures behind a desktop."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from sightline.not_photos.pens import Rng, between, chance, colour, curve, field, mixed, palette, tinted


def noise(rng: Rng) -> Image.Image:
    """Random pixels: coarse or fine, grey or coloured, over one colour or from black to white."""
    width, height = between(rng, 100, 640), between(rng, 100, 640)
    grain = int(rng.choice([1, 1, 1, 2, 3, 5, 8, 16]))
    shape = (max(4, height // grain), max(4, width // grain), 1 if chance(rng, 0.4) else 3)
    kind = rng.random()
    pixels: NDArray[np.generic]
    if kind < 0.3:
        pixels = rng.random(shape) * 255
    elif kind < 0.6:
        pixels = rng.normal(rng.uniform(40, 215, 3 if shape[2] == 3 else 1), rng.uniform(12, 90), shape)
    elif kind < 0.72:
        pixels = (rng.random(shape) < rng.uniform(0.02, 0.9)) * 255.0
    elif kind < 0.8:
        base = np.full(shape, rng.uniform(0, 255))
        spots = rng.random(shape[:2]) < rng.uniform(0.02, 0.4)
        base[spots] = rng.random((int(spots.sum()), shape[2])) * 255
        pixels = base
    else:  # between white noise and clouds
        smoothness = rng.uniform(0.2, 1.3)
        channels = [field(rng, shape[1], shape[0], smoothness) for _ in range(shape[2])]
        pixels = np.stack(channels, axis=-1) * 255
    pixels = np.broadcast_to(pixels.astype(float).clip(0, 255), (*shape[:2], 3)).astype(np.uint8)
    smooth = [Image.Resampling.NEAREST, Image.Resampling.BILINEAR][int(rng.integers(2))]
    image = Image.fromarray(pixels).resize((width, height), smooth)
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2))) if chance(rng, 0.15) else image


def pattern(rng: Rng) -> Image.Image:
    """A gradient, one colour, stripes, checks, tiles, or an abstract background."""
    width, height = between(rng, 160, 640), between(rng, 160, 640)
    kinds = (_gradient, _gradient, _gradient, _waves, _blobs, _facets, _stripes, _tiles, _clouds, _plain, _rays)
    return kinds[int(rng.integers(len(kinds)))](rng, width, height)


def _grid(width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0:height, 0:width]
    return x / width - 0.5, y / height - 0.5


def _gradient(rng: Rng, width: int, height: int) -> Image.Image:
    x, y = _grid(width, height)
    angle, kind = rng.uniform(0, 2 * math.pi), rng.random()
    across = x * math.cos(angle) + y * math.sin(angle)
    if kind < 0.55:
        values = across
    elif kind < 0.85:
        values = np.hypot(x - rng.uniform(-0.5, 0.5), (y - rng.uniform(-0.5, 0.5)) * rng.uniform(0.4, 1.6))
    else:
        values = np.abs(np.arctan2(y - rng.uniform(-0.3, 0.3), x - rng.uniform(-0.3, 0.3)))
    values = (values - values.min()) / np.ptp(values)
    if chance(rng, 0.3):
        values = values ** rng.uniform(0.4, 3)
    stops = palette(rng, between(rng, 2, 4)) if chance(rng, 0.6) else [colour(rng) for _ in range(between(rng, 2, 5))]
    if chance(rng, 0.3):
        stops[0] = (0, 0, 0) if chance(rng, 0.5) else (255, 255, 255)
    image = tinted(values, stops)
    if chance(rng, 0.25):
        grain = rng.normal(0, rng.uniform(1, 8), (height, width, 1))
        image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
    return image


def _plain(rng: Rng, width: int, height: int) -> Image.Image:
    """One colour; at most a frame or a faint shade is seen on it."""
    image = Image.new("RGB", (width, height), colour(rng))
    shade = rng.uniform(-12, 12) * field(rng, width, height, 3)[..., None]
    image = Image.fromarray((np.asarray(image) + shade).clip(0, 255).astype(np.uint8))
    if chance(rng, 0.4):
        inset = between(rng, 2, width / 5)
        ImageDraw.Draw(image).rectangle((inset, inset, width - inset, height - inset), outline=colour(rng), width=4)
    return image


def _waves(rng: Rng, width: int, height: int) -> Image.Image:
    """Layers with a wavy edge, each over the last."""
    image = _gradient(rng, width, height)
    across = np.linspace(0, 2 * math.pi, 60)
    layers = between(rng, 2, 9)
    colours = palette(rng, layers)
    for index in range(layers):
        level = height * (index + rng.uniform(0.3, 1.2)) / (layers + 1)
        edge = np.full(len(across), level)
        for wave in (1, 2, 3):
            edge += height * rng.uniform(0, 0.12) / wave * np.sin(wave * across + rng.uniform(0, 6))
        points = [*zip(across / (2 * math.pi) * width, edge, strict=True), (width, height), (0, height)]
        layer = Image.new("L", image.size)
        ImageDraw.Draw(layer).polygon(points, fill=between(rng, 60, 255))
        if chance(rng, 0.4):
            layer = layer.filter(ImageFilter.GaussianBlur(rng.uniform(1, 12)))
        image.paste(colours[index], mask=layer)
    return image.rotate(90 * between(rng, 0, 3), expand=True)


def _blobs(rng: Rng, width: int, height: int) -> Image.Image:
    """Soft or sharp discs and curves of light over a gradient."""
    image = _gradient(rng, width, height)
    colours = palette(rng, 5)
    soft = chance(rng, 0.6)
    for _ in range(between(rng, 3, 40)):
        layer = Image.new("L", image.size)
        pen = ImageDraw.Draw(layer)
        middle, radius = rng.uniform(0, 1, 2) * (width, height), width * rng.uniform(0.02, 0.3)
        strength = between(rng, 30, 200)
        if chance(rng, 0.7):
            pen.ellipse((*(middle - radius), *(middle + radius)), fill=strength)
        else:
            pen.polygon([tuple(point) for point in curve(rng, 60, 0.6) * radius + middle], fill=strength)
        if soft:
            layer = layer.filter(ImageFilter.GaussianBlur(rng.uniform(1, 20)))
        image.paste(colours[between(rng, 0, 4)], mask=layer)
    return image


def _facets(rng: Rng, width: int, height: int) -> Image.Image:
    """Triangles of slightly different shades, as if the picture were folded."""
    shades = field(rng, width, height, rng.uniform(1.5, 3))
    stops = palette(rng, 3)
    columns, rows = between(rng, 3, 24), between(rng, 3, 24)
    x = np.linspace(-0.1, 1.1, columns + 1) * width + rng.normal(0, width / columns / 5, (rows + 1, columns + 1))
    y = np.linspace(-0.1, 1.1, rows + 1)[:, None] * height + rng.normal(0, height / rows / 5, (rows + 1, columns + 1))
    image = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(image)
    jitter = rng.uniform(0, 0.25)
    for row, column in np.ndindex(rows, columns):
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        points = [(float(x[corner]), float(y[corner])) for corner in corners]
        for half in (points[:3], [points[0], *points[2:]]):
            at = (min(max(int(half[1][1]), 0), height - 1), min(max(int(half[1][0]), 0), width - 1))
            value = min(max(shades[at] + jitter * rng.standard_normal(), 0), 1)
            pen.polygon(half, fill=tuple(int(np.interp(value, [0, 0.5, 1], each)) for each in zip(*stops, strict=True)))
    return image


def _stripes(rng: Rng, width: int, height: int) -> Image.Image:
    x, y = _grid(width, height)
    angle = rng.choice([0, math.pi / 2, rng.uniform(0, math.pi)])
    values = (x * math.cos(angle) + y * math.sin(angle)) * rng.uniform(2, 40)
    colours = palette(rng, between(rng, 2, 5))
    if chance(rng, 0.3):
        return tinted(0.5 + 0.5 * np.sin(2 * math.pi * values), colours)
    index = np.floor(values).astype(int) % len(colours)
    if chance(rng, 0.4):  # checks
        index = (index + np.floor((y * math.cos(angle) - x * math.sin(angle)) * rng.uniform(2, 40)).astype(int)) % len(
            colours
        )
    return Image.fromarray(np.array(colours, np.uint8)[index])


def _tiles(rng: Rng, width: int, height: int) -> Image.Image:
    """One small drawing, again and again in rows."""
    side = between(rng, 16, 90)
    paper, ink = palette(rng, 2)
    tile = Image.new("RGB", (side, side), paper)
    pen = ImageDraw.Draw(tile)
    for _ in range(between(rng, 1, 4)):
        outline = curve(rng, 40, rng.uniform(0, 0.9)) * side * rng.uniform(0.1, 0.5) + rng.uniform(0, side, 2)
        points = [tuple(point) for point in outline]
        if chance(rng, 0.5):
            pen.polygon(points, fill=mixed(ink, paper, rng.uniform(0, 0.6)))
        else:
            pen.line(points, fill=ink, width=between(rng, 1, 4))
    image = Image.new("RGB", (width, height), paper)
    for row in range(-1, height // side + 1):
        for column in range(-1, width // side + 1):
            image.paste(tile, (column * side + side // 2 * (row % 2), row * side))
    return image


def _clouds(rng: Rng, width: int, height: int) -> Image.Image:
    """Smooth random hills in a few colours, as a plasma."""
    return tinted(field(rng, width, height, rng.uniform(1.6, 3.2)), palette(rng, between(rng, 2, 5)))


def _rays(rng: Rng, width: int, height: int) -> Image.Image:
    """Beams or rings around one point."""
    x, y = _grid(width, height)
    x, y = x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5)
    turns = np.arctan2(y, x) * between(rng, 3, 20) if chance(rng, 0.6) else np.hypot(x, y) * rng.uniform(10, 80)
    values = 0.5 + 0.5 * np.sin(turns + rng.uniform(0, 3) * np.hypot(x, y))
    return tinted(values.round() if chance(rng, 0.5) else values, palette(rng, between(rng, 2, 3)))
