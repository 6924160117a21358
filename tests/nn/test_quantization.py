from __future__ import annotations

import copy

import torch
from torch import nn

from sightline.nn.quantization import (
    LARGEST,
    LEVELS,
    ConvolutionRange,
    Interval,
    gather_ranges,
    train_in_integers,
    weight_scales,
)

from ..conftest import make_tiny


def test_two_products_of_eight_bits_never_overflow_sixteen():
    torch.manual_seed(0)
    weight = torch.randn(64, 40, 1, 1)
    weight[0, :2] = weight[1, 5:7] = 9.0  # two large ones of one sign
    weight[2, ::2], weight[3, 1] = -7.0, 100.0
    integers = (weight / weight_scales(weight)[:, None, None, None]).round().long().flatten(1)
    assert integers.abs().max() <= LARGEST
    # By hand: in each channel, the largest inputs meet the two weights that add up to most, whichever they are.
    for channel in integers.tolist():
        ordered = sorted(channel)
        assert 255 * (max(0, ordered[-1]) + max(0, ordered[-2])) <= 2**15 - 1
        assert 255 * (min(0, ordered[0]) + min(0, ordered[1])) >= -(2**15)
    assert integers[0].max() in (63, 64) and integers[3].max() > 120  # 7 bits where they must be, 8 where they can


def test_depthwise_filters_have_all_eight_bits():
    weight = torch.randn(6, 1, 3, 3)
    integers = (weight / weight_scales(weight)[:, None, None, None]).round()
    assert (integers.flatten(1).abs().amax(1) == LARGEST).all()


def test_nothing_is_stored_exactly():
    for interval in (Interval(-1.7, 2.9), Interval(0.0, 6.0), Interval(-3.0, 0.0), Interval(0.0, 0.0)):
        scale, zero_point = interval.scale_and_zero_point()
        assert scale > 0 and 0 <= zero_point <= LEVELS
        assert abs((0 - zero_point) * scale - interval.low) < scale


def test_ranges_hold_every_value_that_was_seen(photos):
    model = make_tiny().model
    ranges = gather_ranges(model.encoder, photos)
    assert list(ranges) == ["layers.0", "layers.3", "layers.6", "layers.9"]
    for both in ranges.values():
        assert all(interval.low <= 0 <= interval.high for interval in both)
    assert ranges["layers.3"].input.low == 0  # after ReLU
    assert ranges["layers.3"].output.low < 0 < ranges["layers.3"].output.high
    assert gather_ranges(model.encoder, []) == {}


def test_training_in_integers_rounds_inputs_and_weights_and_passes_gradients():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(2, 3, 1, bias=False))
    inside, beyond = torch.tensor([0.5, -0.25]), torch.tensor([5.0, 0.5])
    ranges = {"0": ConvolutionRange(Interval(-1.0, 1.0), Interval(-9.0, 9.0))}
    plain = copy.deepcopy(layer)
    train_in_integers(layer, ranges)  # type: ignore[arg-type]
    pixels = torch.stack([inside, beyond]).reshape(2, 2, 1, 1).requires_grad_()
    output = layer(pixels)
    weight, scales = plain[0].weight.detach(), weight_scales(plain[0].weight)[:, None, None, None]
    scale, zero_point = ranges["0"].input.scale_and_zero_point()
    stored = ((pixels / scale).round() + zero_point).clamp(0, LEVELS) - zero_point
    expected = nn.functional.conv2d(stored * scale, (weight / scales).round() * scales)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert layer[0].weight.grad is not None and (layer[0].weight.grad != 0).all()
    assert pixels.grad is not None
    assert (pixels.grad.flatten().nonzero().flatten() == torch.tensor([0, 1, 3])).all()  # not the one beyond its range
    assert list(layer.state_dict()) == list(plain.state_dict())
    copied = copy.deepcopy(layer)
    with torch.no_grad():
        copied[0].weight.mul_(0)
    assert not torch.equal(copied(pixels), layer(pixels))
