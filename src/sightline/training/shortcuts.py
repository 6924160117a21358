"""At a training's start: which of the model's quick ways agree with its plain equations, and what the others cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sightline.nn.decoder import Decoder, Memory
from sightline.nn.encoder import Folding, StridedConvolution
from sightline.nn.model import CaptionModel
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.shortcuts import Way, agree, agrees_with_steps, small_tree, with_gradients


def check_shortcuts(model: CaptionModel, say: Callable[[str], None]) -> None:
    """Let ``model`` train by its plain equations where its quick ways give other outputs or gradients.

    A line for each kind says so and what it costs. Weights, random states and training mode stay as they are.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        _check_convolutions(model, say)
        _check_decoder(model, say)
    finally:
        for module, training in modes:
            module.training = training


def _check_convolutions(model: CaptionModel, say: Callable[[str], None]) -> None:
    encoder = model.encoder
    layers = {name: each for name, each in encoder.named_modules() if isinstance(each, Folding | StridedConvolution)}
    for layer in layers.values():
        layer.quick = True
    wrong = [name for name, layer in layers.items() if not layer.agrees()]
    if not wrong:
        return
    encoder.eval()

    def encode(quick: bool, pixels: Tensor) -> Tensor:
        for name in wrong:
            layers[name].quick = quick
        return encoder(pixels)

    size = encoder.preprocessing.size
    longer = _longer(partial(encode, True), partial(encode, False), [torch.zeros(2, 3, size, size)], encoder)
    for name in wrong:
        layers[name].quick = False
    named = ", ".join(wrong[:3]) + (", ..." if len(wrong) > 3 else "")
    say(f"the encoder's layers {named} differ from their quick path: training them as they are written, {longer}")


def _check_decoder(model: CaptionModel, say: Callable[[str], None]) -> None:
    decoder, encoder = model.decoder, model.encoder
    noise = torch.Generator().manual_seed(0)
    features = torch.randn(8, encoder.grid[0] * encoder.grid[1], encoder.feature_size, generator=noise)
    quick, steps = getattr(decoder, "quick", decoder.teacher_force), partial(Decoder.teacher_force, decoder)
    agreed = True
    for training in (False, True):  # an equation may have a part that is for training alone
        decoder.train(training)
        with torch.no_grad():
            memory = model.prepare(features)
        agreed = agrees_with_steps(decoder, memory, quick) and agreed
    tree = small_tree(decoder, memory, captions=5, words=10)
    if not agreed:
        longer = _longer(partial(_force, quick, tree), partial(_force, steps, tree), memory, decoder)
        say(f"the decoder's equations differ from those of its quick path: training step by step, {longer}")
    model.shares_beginnings = True
    alone, together, photos = decoder.each_caption, model.teacher_force, tuple(tensor[:2] for tensor in memory)
    small = small_tree(decoder, photos)
    if not agree(partial(_force, together, small), partial(_force, alone, small), photos, decoder.parameters()):
        longer = _longer(partial(_force, together, tree), partial(_force, alone, tree), memory, decoder)
        say(f"the decoder gives a caption other words beside others: training every caption by itself, {longer}")
        model.shares_beginnings = False


def _force(way: Callable[[Memory, PrefixTree], Any], tree: PrefixTree, *memory: Tensor) -> Any:
    return way(memory, tree)


def _longer(quick: Way, plain: Way, inputs: Sequence[Tensor], module: nn.Module) -> str:
    """How many times as long as ``quick`` the ``plain`` way takes, in words."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]

    def seconds(way: Way) -> float:
        with_gradients(way, inputs, weights)
        start = time.perf_counter()
        with_gradients(way, inputs, weights)
        return time.perf_counter() - start

    try:
        return f"about {seconds(plain) / seconds(quick):.1f} times as long"
    except Exception:  # the quick way cannot be computed at all
        return "which takes longer"
