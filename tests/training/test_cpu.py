from contextlib import nullcontext

import pytest
import torch
from torch import nn

from sightline.training import module
from sightline.training.cpu import DepthwiseInFloat32, has_bfloat16
from sightline.training.train import train
from tests.training.conftest import tiny

PHOTOS = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0))


def gradients(layer, context, autocast=True):
    layer.zero_grad()
    photos = PHOTOS.clone().requires_grad_()
    with context, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = layer(photos)
    (out.float() * torch.linspace(-1, 1, out.numel()).bfloat16().float().view_as(out)).sum().backward()
    return out, photos.grad, layer.weight.grad


@pytest.mark.parametrize("stride", [1, 2])
def test_a_wide_depthwise_convolution_learns_in_float32(stride):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, 5, stride, padding=2, groups=8, bias=False)
    out, photos_grad, weight_grad = gradients(layer, DepthwiseInFloat32())
    exact, exact_photos, exact_weight = gradients(layer, nullcontext(), autocast=False)
    assert out.dtype is torch.bfloat16 and torch.equal(out, exact.bfloat16())
    assert torch.equal(photos_grad, exact_photos) and torch.equal(weight_grad, exact_weight)
    rounded = gradients(layer, nullcontext())
    assert not torch.equal(rounded[2], exact_weight)


@pytest.mark.parametrize("kernel, groups, learns", [(3, 8, True), (5, 1, True), (5, 8, False)])
def test_every_other_convolution_stays_as_autocast_has_it(kernel, groups, learns):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=groups).requires_grad_(learns)
    (out, *grads), (plain, *plain_grads) = gradients(layer, DepthwiseInFloat32()), gradients(layer, nullcontext())
    assert torch.equal(out, plain)
    assert all(one is other or torch.equal(one, other) for one, other in zip(grads, plain_grads, strict=True))


def test_a_call_that_names_its_arguments_is_passed_on():
    weight = torch.ones(8, 1, 5, 5, requires_grad=True)
    with DepthwiseInFloat32(), torch.autocast("cpu", torch.bfloat16):
        assert torch.conv2d(input=PHOTOS, weight=weight, groups=8).shape == (2, 8, 5, 5)


@pytest.mark.slow
def test_a_training_looks_at_its_photos_in_this_context(shapes, tmp_path, monkeypatch):
    widths = set()

    class Seen(DepthwiseInFloat32):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is torch.conv2d:
                widths.add(args[1].shape[2])
            return super().__torch_function__(func, types, args, kwargs)

    monkeypatch.setattr(module, "DepthwiseInFloat32", Seen)
    train(tiny(epochs=1, precision="bfloat16"), [shapes], tmp_path / "run", export=False)
    assert widths


@pytest.mark.parametrize(
    "capabilities, native", [(None, False), ({"avx512_bf16": True}, True), ({"avx2": True}, False)]
)
def test_bfloat16_is_used_where_torch_says_that_the_cpu_has_it(capabilities, native, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if capabilities is None:  # as in earlier versions of torch
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_bfloat16() == native
    assert module.native_precision("auto") == ("bfloat16" if native else "float32")
