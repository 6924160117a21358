"""What happens to pictures on their way: cropping, turning, photographing, scanning, blurring, compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from sightline.not_photos.pens import Colour, Rng, between, chance, colour, field


def worn(rng: Rng, image: Image.Image) -> Image.Image:
    """The same picture as it may reach a person: often whole, else cut, turned, grey, blurred or compressed."""
    if chance(rng, 0.3):
        image = _cropped(rng, image)
    if chance(rng, 0.1):
        image = ImageOps.expand(image, between(rng, 4, 60), colour(rng) if chance(rng, 0.4) else (255, 255, 255))
    if chance(rng, 0.1):
        image = _photographed(rng, image)
    if chance(rng, 0.12):
        image = image.convert("L").convert("RGB")
    if chance(rng, 0.1):
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.6)))
    if chance(rng, 0.08):
        grain = rng.normal(0, rng.uniform(2, 14), (image.height, image.width, 1))
        image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
    if chance(rng, 0.3):
        side = between(rng, 96, 320)
        image = image.resize((side, max(16, round(side * image.height / image.width))), Image.Resampling.BICUBIC)
    if chance(rng, 0.6):
        image = _squashed(image) if chance(rng, 0.6) else image
        image = _compressed(image, between(rng, 25, 95))
    return image


def _cropped(rng: Rng, image: Image.Image) -> Image.Image:
    width, height = (max(48, int(side * rng.uniform(0.3, 0.95))) for side in image.size)
    left, top = between(rng, 0, max(0, image.width - width)), between(rng, 0, max(0, image.height - height))
    return image.crop((left, top, min(left + width, image.width), min(top + height, image.height)))


def _photographed(rng: Rng, image: Image.Image) -> Image.Image:
    """Slightly turned and seen from the side, on a table, in uneven light."""
    width, height = image.size
    table: Colour = colour(rng, (0, 0.6), (0.1, 0.9))
    edge = int(min(width, height) * rng.uniform(0, 0.12))
    image = ImageOps.expand(image, edge, table)
    image = image.rotate(rng.normal(0, 4), Image.Resampling.BICUBIC, fillcolor=table)
    width, height = image.size
    shift = rng.normal(0, 0.04, (4, 2)) * (width, height)
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)]) + shift
    image = image.transform((width, height), Image.Transform.QUAD, corners.flatten().tolist(), fillcolor=table)
    light = rng.uniform(0.6, 1) + rng.uniform(0, 0.5) * field(rng, width, height, 3)
    return Image.fromarray((np.asarray(image) * light[..., None]).clip(0, 255).astype(np.uint8))


def _squashed(image: Image.Image) -> Image.Image:
    """Square and small, as datasets keep photos."""
    return image.resize((224, 224), Image.Resampling.BICUBIC)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
