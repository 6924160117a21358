"""What makes encoders quicker to train changes neither their features nor their gradients."""

import pytest
import torch
from torch import nn

from sightline.nn.encoder import MobileNetV2, StridedConvolution
from sightline.nn.library_encoders import ENCODERS
from tests.nn.conftest import quick


def features_and_gradients(encoder, pixels):
    encoder.zero_grad()
    features = encoder(pixels)
    weights = torch.rand(features.shape, generator=torch.Generator().manual_seed(0), dtype=features.dtype)
    (features * weights).sum().backward()
    return features.detach(), {name: weight.grad for name, weight in encoder.named_parameters()}


@pytest.mark.slow
def test_folded_normalisations_and_thinned_convolutions_are_the_plain_layers(encoder):
    torch.manual_seed(0)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
    # In double precision: through so many kinks, rounding alone would send single numbers another way.
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.double)
    ours = features_and_gradients(quick(encoder.double().eval()), pixels)
    plain = features_and_gradients(quick(encoder, False), pixels)

    def close(ours, theirs):
        torch.testing.assert_close(ours, theirs, atol=2e-4 * float(theirs.abs().max()), rtol=0)

    close(ours[0], plain[0])
    for name, gradient in plain[1].items():
        close(ours[1][name], gradient)


def test_statistics_that_learn_are_not_folded_away(encoder):
    norms = [module for module in encoder.train().modules() if isinstance(module, nn.BatchNorm2d)]
    size = encoder.preprocessing.size
    encoder(torch.randn(2, 3, size, size))
    assert all(int(norm.num_batches_tracked) == 1 for norm in norms)


def test_mobilenet_keeps_torchvisions_names_and_answers():
    from torchvision.models import mobilenet_v2

    theirs = mobilenet_v2(weights=None).features.eval()
    ours = MobileNetV2().eval()
    ours.features.load_state_dict(theirs.state_dict())
    pixels = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours.feature_map(pixels), theirs(pixels), atol=1e-4, rtol=0)


def test_blocks_are_all_of_the_encoder_in_order(encoder):
    parts = [weight for block in encoder.blocks() for weight in block.parameters()]
    assert [id(weight) for weight in parts] == [id(weight) for weight in encoder.parameters()]


@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_is_tensorflows_by_either_way(kernel):
    torch.manual_seed(0)
    layer = quick(StridedConvolution(4, 4, kernel, stride=2, groups=4, first=1))
    x = torch.randn(2, 4, 8, 6)
    expected = nn.functional.conv2d(
        nn.functional.pad(x, ((kernel - 2) // 2, (kernel - 1) // 2) * 2), layer.weight, stride=2, groups=4
    )
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x.requires_grad_()), expected)
    assert layer(x).shape == (2, 4, 4, 3)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_efficientnet_lite_gives_what_the_published_network_gives(name):
    published = pytest.importorskip("efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch")
    torch.manual_seed(0)
    theirs = published.EfficientNet.from_name(name.replace("_", "-"), image_size=224).eval()
    ours = ENCODERS[name]().eval()
    ours.load_state_dict(ours.convert_published(theirs.state_dict()))
    pixels = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = theirs.extract_features(pixels)
        torch.testing.assert_close(ours.feature_map(pixels), expected, atol=1e-4, rtol=0)
