"""Draw a small dataset of coloured shapes, in Kaggle's layout, with true captions and the objects' boxes."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sightline.errors import SightlineError
from sightline.model_folder import as_path
from sightline.shapes.captions import COLORS, RELATION_DISTANCE, SHAPES, SIZES, place_of, true_captions

WIDTH = 64  # pixels of a photo, both ways
SCALE = 4  # drawn this many times larger, then averaged, for smooth edges
SETTINGS, OBJECTS = "shapes.json", "objects.json"

_RGB = {
    "red": (216, 40, 46),
    "green": (40, 158, 78),
    "blue": (38, 96, 208),
    "yellow": (244, 206, 30),
    "purple": (136, 62, 178),
    "orange": (246, 128, 22),
}
_Y, _X = np.mgrid[0:WIDTH, 0:WIDTH].astype(np.float32) / (WIDTH - 1) - 0.5
_LIGHT = _Y * -24  # shapes are lit from above
_RADII = {"small": (8.0, 9.0), "large": (12.0, 13.5)}
_GAP = 3.0  # pixels between two objects, at least
_EDGE = 2.0  # pixels between a centre and a third's border, at least, so that places are unambiguous


def draw_shapes(
    root: str | os.PathLike[str], photos: int = 2000, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> bool:
    """Draw the dataset into the folder ``root``, which appears only once it is complete.

    There are ``Images/*.png`` (RGB, 64x64), ``captions.txt`` (five a photo), the split lists (of ten photos, the ninth
    is for validation and the tenth for testing) and ``objects.json``: image name -> one or two objects, as
    `sightline.shapes.captions` describes them. The same seed gives the same bytes, and the first photos are the
    same however many there are.

    Args:
        photos: how many, 10 or more.
        seed: 0 or more.
        progress: called with (photos drawn, photos) after each.

    Returns:
        True if it was drawn, False if ``root`` already holds just this dataset.

    Raises:
        SightlineError: ``root`` holds something else or cannot be written, or a number is too small.
    """
    root = as_path(root)
    if not isinstance(photos, int) or not isinstance(seed, int):
        raise SightlineError(f"{photos!r} photos with seed {seed!r}: both must be whole numbers")
    if photos < 10 or seed < 0:
        raise SightlineError(f"{photos} photos with seed {seed}: draw 10 photos or more, with a seed of 0 or more")
    settings = {"photos": photos, "seed": seed, "width": WIDTH, "version": 2}
    try:
        if _is_there(root, settings):
            return False
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-") as scratch:
            drawn = Path(scratch) / "dataset"
            _write(drawn, settings, progress)
            # Another process may have drawn it meanwhile.
            if _is_there(root, settings):
                return False
            if root.exists():
                root.rmdir()
            drawn.rename(root)
    except OSError as error:
        raise SightlineError(f"{root}: cannot be written ({error.strerror}); choose another folder") from None
    return True


def _is_there(root: Path, settings: dict[str, int]) -> bool:
    """Whether ``root`` holds the dataset of these settings; `SightlineError` if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        existing = json.loads((root / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SightlineError(f"{root}: exists already and is no shapes dataset; choose another folder") from None
    if existing != settings:
        made, wanted = json.dumps(existing), json.dumps(settings)
        raise SightlineError(f"{root}: exists already, drawn with {made}, not {wanted}; remove it or choose another")
    return True


def _write(root: Path, settings: dict[str, int], progress: Callable[[int, int], None] | None) -> None:
    (root / "Images").mkdir(parents=True)
    photos, seed = settings["photos"], settings["seed"]
    captions: list[tuple[str, str]] = []
    objects: dict[str, list[dict[str, Any]]] = {}
    for index in range(photos):
        rng = np.random.default_rng([seed, index])
        name = f"shapes-{index:05d}.png"
        picture, objects[name] = _draw_photo(rng)
        picture.save(root / "Images" / name, compress_level=1)
        captions += [(name, str(rng.choice(sorted(choices)))) for choices in true_captions(objects[name])]
        if progress:
            progress(index + 1, photos)
    names = list(objects)
    lists = {"train": [name for index, name in enumerate(names) if index % 10 < 8]}
    lists |= {"dev": names[8::10], "test": names[9::10]}
    rows = "".join(f"{name},{caption}\n" for name, caption in captions)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(items)}" for name, items in objects.items())
    texts = {f"shapes.{split}Images.txt": "".join(f"{name}\n" for name in part) for split, part in lists.items()}
    texts |= {"captions.txt": f"image,caption\n{rows}", OBJECTS: f"{{\n{lines}\n}}\n"}
    for file, text in {**texts, SETTINGS: json.dumps(settings) + "\n"}.items():
        (root / file).write_text(text, encoding="utf-8", newline="\n")


def _draw_photo(rng: np.random.Generator) -> tuple[Image.Image, list[dict[str, Any]]]:
    """An RGB photo and its one or two objects."""
    pixels = _background(rng)
    objects = []
    for spot, color, shape in zip(_arrange(rng), rng.permutation(COLORS), rng.permutation(SHAPES), strict=False):
        mask = _mask(_outline(str(shape), rng.uniform(-0.2, 0.2)) * spot.radius + (spot.x, spot.y))
        paint = (np.array(_RGB[color]) + rng.uniform(-10, 10, 3)).astype(np.float32)[:, None, None]
        pixels += (paint + _LIGHT - pixels) * (np.asarray(mask, np.float32) / 255)
        traits = {"color": str(color), "shape": str(shape), "size": spot.size, "place": place_of(spot.x, spot.y, WIDTH)}
        objects.append({**traits, "box": list(mask.getbbox() or ())})
    pixels += rng.standard_normal((WIDTH, WIDTH), np.float32) * 2.5
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)), objects


def _background(rng: np.random.Generator) -> NDArray[np.float32]:
    """float32 (3, WIDTH, WIDTH), 0 to 255: a gradient between two light, nearly grey colours, in any direction."""
    angle = rng.uniform(0, 2 * math.pi)
    ramp = (_X * math.cos(angle) + _Y * math.sin(angle) + 0.75) / 1.5
    start, end = (rng.uniform(205, 242, (2, 1)) + rng.uniform(-12, 12, (2, 3))).astype(np.float32)[:, :, None, None]
    return start + (end - start) * ramp


@dataclass(frozen=True)
class _Spot:
    x: float
    y: float
    radius: float
    size: str


def _arrange(rng: np.random.Generator) -> list[_Spot]:
    """Positions of one or two objects: well inside their thirds, apart, and clearly related or not along each axis."""
    count = 1 if rng.random() < 0.5 else 2
    while True:
        spots = [_spot(rng) for _ in range(count)]
        if count == 1 or _are_clear(*spots):
            return spots


def _spot(rng: np.random.Generator) -> _Spot:
    size = SIZES[rng.integers(len(SIZES))]
    radius = rng.uniform(*_RADII[size])
    thirds = WIDTH / 3 * rng.integers(0, 3, 2)
    x, y = (rng.uniform(max(start, radius) + _EDGE, min(start + WIDTH / 3, WIDTH - radius) - _EDGE) for start in thirds)
    return _Spot(x, y, radius, size)


def _are_clear(one: _Spot, other: _Spot) -> bool:
    distances = abs(one.x - other.x), abs(one.y - other.y)
    apart = max(distances) >= one.radius + other.radius + _GAP
    return apart and all(abs(distance - RELATION_DISTANCE) >= 4 for distance in distances)


def _outline(shape: str, turn: float) -> NDArray[np.float64]:
    """(N, 2), the corners (x, y) of a shape turned by ``turn`` radians; its box is centred and spans -1 to 1."""
    if shape == "cross":
        arm = 0.36
        quarter = np.array([(arm, -1), (arm, -arm), (1, -arm)])
        corners = np.concatenate([quarter @ _rotation(math.pi / 2 * k) for k in range(4)])
    else:
        # Corners around a circle from the top; a star's inner corners lie nearer the middle.
        count, inner = {"circle": (60, 1.0), "square": (4, 1.0), "triangle": (3, 1.0), "star": (10, 0.45)}[shape]
        angles = 2 * math.pi * np.arange(count) / count + (math.pi / 4 if shape == "square" else 0)
        reach = np.where(np.arange(count) % 2, inner, 1.0)
        corners = np.stack([reach * np.sin(angles), -reach * np.cos(angles)], axis=1)
    corners = corners @ _rotation(turn)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return (corners - (low + high) / 2) / ((high - low).max() / 2)


def _rotation(angle: float) -> NDArray[np.float64]:
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _mask(corners: NDArray[np.float64]) -> Image.Image:
    """The polygon as an 8-bit mask (WIDTH, WIDTH) with smooth edges."""
    canvas = Image.new("L", (WIDTH * SCALE, WIDTH * SCALE))
    ImageDraw.Draw(canvas).polygon([(x * SCALE, y * SCALE) for x, y in corners.tolist()], fill=255)
    return canvas.reduce(SCALE)
