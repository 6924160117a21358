"""Photo -> annotation vectors."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sightline.nn.registry import Registry
from sightline.preprocess import Preprocessing


class Encoder(nn.Module):
    """What every encoder offers.

    Attributes:
        preprocessing: how its photos must be prepared.
        grid: ``(h, w)`` of its feature map.
        feature_size: D, the width of an annotation vector.
    """

    preprocessing: Preprocessing
    grid: tuple[int, int]
    feature_size: int

    def feature_map(self, pixels: Tensor) -> Tensor:
        """``pixels`` float32 (B, 3, size, size), standardised -> feature map (B, D, h, w)."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> Tensor:
        """``pixels`` (B, 3, size, size) -> annotation vectors (B, L = h * w, D), row-major over the grid."""
        return self.feature_map(pixels).flatten(2).transpose(1, 2)


def fused(encoder: Encoder) -> Encoder:
    """A copy in evaluation mode, its batch normalisations inside their convolutions: the same features, sooner."""
    encoder = copy.deepcopy(encoder).eval()
    for sequence in [module for module in encoder.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(sequence) - 1):
            convolution, norm = sequence[i], sequence[i + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                sequence[i], sequence[i + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return encoder


ENCODERS: Registry[type[Encoder]] = Registry("encoder")


@ENCODERS.register("mobilenet_v2")
class MobileNetV2(Encoder):
    """MobileNetV2 (Sandler et al. 2018) without its classifier: 224x224 pixels -> 7x7 vectors of 1280."""

    preprocessing = Preprocessing()
    grid = (7, 7)
    feature_size = 1280

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2

        self.features = mobilenet_v2(weights=None).features

    def feature_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 1280, 7, 7)."""
        return self.features(pixels)


@ENCODERS.register("small_cnn")
class SmallCNN(Encoder):
    """Four convolutions for small drawings, trained from scratch: 64x64 pixels -> 8x8 vectors of 96.

    Its receptive field stays at 31 pixels: an annotation vector speaks of its own place, and attention can point.
    """

    preprocessing = Preprocessing(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    grid = (8, 8)
    feature_size = 96

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 32, 2), (32, 64, 2), (64, 96, 2), (96, 96, 1)):
            convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def feature_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, 64, 64) -> (B, 96, 8, 8)."""
        return self.layers(pixels)
