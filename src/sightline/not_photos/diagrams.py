"""Diagrams: boxes and circles that arrows join, trees, layers, timelines; they count as charts."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from sightline.not_photos.pens import Colour, Rng, Writer, between, chance, mixed, palette, paper_and_ink, pick


def diagram(rng: Rng) -> Image.Image:
    """Named nodes, and lines or arrows between them."""
    paper, ink = paper_and_ink(rng, dark=0.12)
    if chance(rng, 0.5):
        paper, ink = (255, 255, 255), (0, 0, 0)
    width, height = between(rng, 250, 900), between(rng, 200, 800)
    image = Image.new("RGB", (width, height), paper)
    pen = _Pen(rng, ImageDraw.Draw(image), ink, paper, min(width, height))
    places = (_layers, _ring, _scattered, _tree)[between(rng, 0, 3)](rng, width, height)
    for one, other in _links(rng, places):
        pen.link(places[one], places[other])
    for place in places:
        pen.node(place)
    return image


Place = tuple[float, float]


class _Pen:
    """Draws a diagram's nodes and links, all in one way."""

    def __init__(self, rng: Rng, draw: ImageDraw.ImageDraw, ink: Colour, paper: Colour, side: int) -> None:
        self.rng, self.draw, self.ink, self.paper = rng, draw, ink, paper
        self.writer = Writer(rng, latin=chance(rng, 0.6))
        self.shape = pick(rng, "box", "round", "ellipse", "circle", "diamond", "text", "dot")
        self.mixed = chance(rng, 0.25)
        self.fills = [mixed(each, paper, rng.uniform(0, 0.8)) for each in palette(rng, between(rng, 1, 5))]
        if chance(rng, 0.3):
            self.fills = [paper]
        self.size = max(7, int(side * rng.uniform(0.018, 0.045)))
        self.width = between(rng, 1, 3)
        self.arrows, self.bent = chance(rng, 0.65), chance(rng, 0.35)

    def node(self, place: Place) -> None:
        shape = pick(self.rng, "box", "round", "ellipse", "diamond") if self.mixed else self.shape
        text = "" if shape == "dot" else self.writer.words(self.rng, between(self.rng, 1, 2))[:16]
        font = self.writer.font(self.size)
        half_width, half_height = font.getlength(text) / 2 + self.size * 0.8, self.size * self.rng.uniform(1, 1.6)
        if shape in ("circle", "dot"):
            half_width = half_height = max(self.size * (0.6 if shape == "dot" else 1.4), 4)
            text = text[:3]
        x, y = place
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        fill = self.fills[int(self.rng.integers(len(self.fills)))]
        if shape in ("ellipse", "circle", "dot"):
            self.draw.ellipse(box, fill, self.ink, self.width)
        elif shape == "diamond":
            corners = [(x - half_width * 1.4, y), (x, y - half_height * 1.6)]
            corners += [(x + half_width * 1.4, y), (x, y + half_height * 1.6)]
            self.draw.polygon(corners, fill, self.ink, self.width)
        elif shape != "text":
            self.draw.rounded_rectangle(box, 0 if shape == "box" else half_height / 2, fill, self.ink, self.width)
        readable = (0, 0, 0) if sum(fill) > 380 else (255, 255, 255)
        self.draw.text((x - font.getlength(text) / 2, y - self.size * 0.6), text, readable, font)

    def link(self, one: Place, other: Place) -> None:
        """A straight or a bent line, with a head at its end if the diagram has arrows."""
        corner = [(other[0], one[1])] if self.bent else []
        self.draw.line([one, *corner, other], self.ink, self.width)
        if self.arrows:
            start = corner[0] if corner else one
            angle = math.atan2(other[1] - start[1], other[0] - start[0])
            tip = np.array(other) - np.array([math.cos(angle), math.sin(angle)]) * self.size * 1.6
            wings = [
                tip - np.array([math.cos(angle + turn), math.sin(angle + turn)]) * self.size for turn in (0.4, -0.4)
            ]
            self.draw.polygon([tuple(tip), *map(tuple, wings)], self.ink)
        if chance(self.rng, 0.15):
            middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
            self.draw.text(middle, self.writer.word(self.rng), self.ink, self.writer.font(self.size))


def _layers(rng: Rng, width: int, height: int) -> list[Place]:
    rows = between(rng, 2, 6)
    places = []
    for row in range(rows):
        count = between(rng, 1, 5)
        places += [((column + 1) / (count + 1) * width, (row + 0.5) / rows * height) for column in range(count)]
    turned = chance(rng, 0.3)
    return [(y / height * width, x / width * height) for x, y in places] if turned else places


def _ring(rng: Rng, width: int, height: int) -> list[Place]:
    count = between(rng, 3, 16)
    angles = [2 * math.pi * index / count for index in range(count)]
    return [(width * (0.5 + 0.38 * math.cos(angle)), height * (0.5 + 0.38 * math.sin(angle))) for angle in angles]


def _scattered(rng: Rng, width: int, height: int) -> list[Place]:
    count = between(rng, 4, 40)
    return [(float(x * width), float(y * height)) for x, y in rng.uniform(0.08, 0.92, (count, 2))]


def _tree(rng: Rng, width: int, height: int) -> list[Place]:
    """Each node under the middle of its parent's share of the width; a node's parent is at half its index."""
    depth = between(rng, 2, 4)
    return [
        ((index + 0.5) / 2**level * width, (level + 0.5) / (depth + 1) * height)
        for level in range(depth + 1)
        for index in range(2**level)
    ]


def _links(rng: Rng, places: list[Place]) -> list[tuple[int, int]]:
    if chance(rng, 0.5):
        links = [((index - 1) // 2, index) for index in range(1, len(places))]
    else:
        links = [(index, index + 1) for index in range(len(places) - 1)]
    extra = between(rng, 0, len(places))
    return links + [(int(one), int(other)) for one, other in rng.integers(0, len(places), (extra, 2)) if one != other]
