"""An encoder: a photo -> a grid of annotation vectors.

sightline train --plugin encoder.py --set encoder.name=patches --set encoder.options={width: 32} ...
"""

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor, nn

from sightline.nn.encoder import ENCODERS, Encoder
from sightline.nn.options import Count
from sightline.preprocess import Preprocessing


@ENCODERS.register("patches")
class Patches(Encoder):
    """Patches of 8x8 pixels, each a vector, mixed with their neighbours: 64x64 pixels -> 8x8 vectors."""

    # How photos are prepared: resized to a square, then (value - mean) / std for each colour, values from 0 to 1.
    preprocessing = Preprocessing(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    grid = (8, 8)  # rows and columns of the feature map

    # Parameters are the recipe's `encoder.options`: checked by their types, described by the texts.
    def __init__(
        self,
        width: Annotated[Count, "Width of the annotation vectors."] = 64,
        layers: Annotated[Count, "Layers that mix neighbouring patches."] = 2,
    ) -> None:
        super().__init__()
        self.feature_size = width
        self.patches = nn.Sequential(nn.Conv2d(3, width, kernel_size=8, stride=8), nn.ReLU())
        mixing = (nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU()) for _ in range(layers))
        self.mixing = nn.ModuleList(mixing)

    def feature_map(self, pixels: Tensor) -> Tensor:
        """``pixels`` (B, 3, 64, 64) -> (B, width, 8, 8)."""
        features = self.patches(pixels)
        for layer in self.mixing:
            features = features + layer(features)
        return features

    def blocks(self) -> Sequence[nn.Module]:
        """First layer first: `encoder.frozen_blocks` freezes so many of them."""
        return [self.patches, *self.mixing]
