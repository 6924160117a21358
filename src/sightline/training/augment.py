"""Photos changed a little at every look, so that their captions stay true."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from sightline.vocabulary import split_words


def augment(image: Image.Image, size: int, captions: Sequence[str], seed: int) -> Image.Image:
    """A crop of at least two thirds of the photo, resized to ``size``, its light and colours shifted, maybe mirrored.

    A photo one of whose captions says left or right is never mirrored. The same ``seed`` gives the same picture.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image = _transforms(size)(image)
        if not _names_a_side(captions):
            image = v2.RandomHorizontalFlip()(image)
    return image


@cache
def _transforms(size: int) -> v2.Compose:
    bicubic = InterpolationMode.BICUBIC
    crop = v2.RandomResizedCrop(size, scale=(0.67, 1.0), ratio=(0.75, 1.6), interpolation=bicubic, antialias=True)
    return v2.Compose([crop, v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2)])


def _names_a_side(captions: Sequence[str]) -> bool:
    return any(not {"left", "right"}.isdisjoint(split_words(caption)) for caption in captions)
