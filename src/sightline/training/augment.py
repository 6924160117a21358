"""Augmentation of training photos that keeps their captions true: crops, light, colours, mirroring."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.tv_tensors import BoundingBoxes, BoundingBoxFormat

from sightline.vocabulary import split_words


def augment(
    image: Image.Image, size: int, captions: Sequence[str], boxes: NDArray[np.float32], seed: int
) -> tuple[Image.Image, NDArray[np.float32]]:
    """A crop of at least two thirds of the photo, resized to ``size``, its light and colours shifted, maybe mirrored.

    ``boxes`` (B, 4), as `sightline.data.example.Box`, are moved along; one that is cropped away has no area left. A
    photo is never mirrored if one of its captions says left or right. The same ``seed`` gives the same picture.
    """
    scale = torch.tensor([image.width, image.height] * 2)
    moved = BoundingBoxes(
        torch.from_numpy(boxes) * scale, format=BoundingBoxFormat.XYXY, canvas_size=(image.height, image.width)
    )  # type: ignore[call-overload]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image, moved = _transforms(size)(image, moved)
        if all({"left", "right"}.isdisjoint(split_words(caption)) for caption in captions):
            image, moved = v2.RandomHorizontalFlip()(image, moved)
    return image, (moved / size).numpy()


@cache
def _transforms(size: int) -> v2.Compose:
    bicubic = InterpolationMode.BICUBIC
    crop = v2.RandomResizedCrop(size, scale=(0.67, 1.0), ratio=(0.75, 1.6), interpolation=bicubic, antialias=True)
    return v2.Compose([crop, v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2)])
