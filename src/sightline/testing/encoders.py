"""What every encoder promises."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sightline.nn.encoder import Encoder, fused
from sightline.nn.library_encoders import make_encoder
from sightline.preprocess import Preprocessing


def check_encoder(encoder: str | Encoder, **options: Any) -> None:
    """Check a registered encoder, by its name and ``options`` of the recipe, or one that was made.

    - It says how photos are prepared, its grid, and the width of an annotation vector, and gives what it says.
    - Annotation vectors are those of its feature map, row by row.
    - In evaluation mode a photo's vectors do not depend on the photos beside it.
    - Every weight takes part, as training on several devices needs; its blocks, which can be frozen, have weights.
    - `fused`, by which a frozen one computes, gives the same vectors.
    - `torch.export` can trace it, for any number of photos.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such encoder, or it has no such option.
    """
    torch.manual_seed(0)
    encoder = make_encoder(encoder, options) if isinstance(encoder, str) else encoder
    _disturb_statistics(encoder)
    _check_attributes(encoder)
    size = encoder.preprocessing.size
    pixels = torch.randn(2, 3, size, size)
    _check_rows(encoder.eval(), pixels)
    _check_photos_alone(encoder, pixels)
    _check_weights(encoder, pixels)
    _check_fused(encoder, pixels)
    _check_trace(encoder.eval(), pixels)


def _disturb_statistics(encoder: nn.Module) -> None:
    """Statistics of batch normalisation as after a training, not 0 and 1."""
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.5, 2.0)


def _check_attributes(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder), f"{type(encoder).__name__} is to be an Encoder"
    assert isinstance(encoder.preprocessing, Preprocessing), "preprocessing is to be a Preprocessing"
    height, width = encoder.grid
    assert height >= 1 <= width and height * width > 1, f"grid: {encoder.grid}; attention needs several cells"
    assert encoder.feature_size >= 1, f"feature_size: {encoder.feature_size}"


@torch.no_grad()
def _check_rows(encoder: Encoder, pixels: torch.Tensor) -> None:
    (height, width), count = encoder.grid, len(pixels)
    features, feature_map = encoder(pixels), encoder.feature_map(pixels)
    expected = (count, encoder.feature_size, height, width)
    assert feature_map.shape == expected, f"feature_map: {tuple(feature_map.shape)}, not (B, D, h, w) = {expected}"
    assert features.shape == (count, height * width, encoder.feature_size), "forward gives (B, h * w, D)"
    assert features.dtype == torch.float32 and features.isfinite().all(), "annotation vectors are finite float32"
    row, column = height - 1, width // 2
    torch.testing.assert_close(
        features[:, row * width + column], feature_map[:, :, row, column], msg="vectors are those of the map, by rows"
    )


@torch.no_grad()
def _check_photos_alone(encoder: Encoder, pixels: torch.Tensor) -> None:
    together, alone = encoder(pixels)[:1], encoder(pixels[:1])
    scale = float(alone.abs().max())
    assert float((together - alone).abs().max()) <= 1e-3 * scale, "a photo's vectors depend on the photos beside it"
    other = encoder(pixels[1:])
    assert not torch.allclose(alone, other, atol=1e-6 * scale), "two different photos have the same vectors"


def _check_weights(encoder: Encoder, pixels: torch.Tensor) -> None:
    encoder.zero_grad()
    encoder(pixels).square().sum().backward()
    unused = [name for name, weight in encoder.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not unused, f"{', '.join(unused)}: takes no part, which several devices cannot train"
    encoder.zero_grad()
    own = {id(weight) for weight in encoder.parameters()}
    for number, block in enumerate(encoder.blocks()):
        weights = {id(weight) for weight in block.parameters()}
        assert weights and weights <= own, f"blocks()[{number}] has weights, and they are the encoder's"


def _check_fused(encoder: Encoder, pixels: torch.Tensor) -> None:
    # In double precision: through so many kinks, rounding alone would send single numbers another way.
    encoder = encoder.double().train()
    quick = fused(encoder)
    assert encoder.training, "fusing leaves the original as it was"
    with torch.no_grad():
        expected = encoder.eval()(pixels.double())
        close = 1e-4 * float(expected.abs().max())
        torch.testing.assert_close(quick(pixels.double()), expected, atol=close, rtol=0, msg="fused: other vectors")
    encoder.float()


def _check_trace(encoder: Encoder, pixels: torch.Tensor) -> None:
    photos = torch.export.Dim("photos")
    traced = torch.export.export(encoder, (pixels,), dynamic_shapes=({0: photos},), strict=False).module()
    three = torch.cat([pixels, pixels[:1]])
    with torch.no_grad():
        expected = encoder(three)
        close = 1e-4 * float(expected.abs().max())
        torch.testing.assert_close(traced(three), expected, atol=close, rtol=0, msg="traced: other vectors")
