"""Quicker ways to the same numbers and gradients, taken only where they agree with the plain equations.

Teacher forcing and convolutions have such ways. They repeat equations that people edit elsewhere: the plain way, which
search and export use too, decides what is right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sightline.nn.decoder import Decoder, Memory
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import END, PAD, UNKNOWN

Way = Callable[..., Tensor | tuple[Tensor, ...]]
"""Input tensors -> output tensors."""

_TOLERANCE = 1e-4  # of each tensor's largest number; float32 rounds to about a hundredth of it
_agreements: WeakKeyDictionary[nn.Module, dict[Hashable, bool]] = WeakKeyDictionary()


def agree(quick: Way, plain: Way, inputs: Sequence[Tensor], weights: Iterable[Tensor]) -> bool:
    """Whether two ways give the same outputs and gradients by ``inputs`` and ``weights``, but for rounding.

    False if ``quick`` cannot be computed; errors of ``plain`` are raised. Random states, weights and their ``grad``
    stay as they are.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    expected = with_gradients(plain, inputs, weights)
    try:
        tensors = with_gradients(quick, inputs, weights)
    except Exception:  # what a replaced part lacks raises what it likes
        return False
    largest = max(float(tensor.abs().max()) for tensor in expected)
    # Gradients that are zero but for rounding are compared with the largest of all.
    return all(
        torch.allclose(one, other, rtol=0, atol=_TOLERANCE * max(float(other.abs().max()), 0.01 * largest))
        for one, other in zip(tensors, expected, strict=True)
    )


def with_gradients(way: Way, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of ``way``, and the gradients of a sum of them by ``inputs`` and ``weights``, in full precision."""
    device = inputs[0].device
    exact = torch.autocast(device.type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), exact, torch.random.fork_rng([]), _DropoutScales():
        precision = weights[0].dtype if weights else inputs[0].dtype
        inputs = [tensor.detach().to(precision, copy=True).requires_grad_() for tensor in inputs]
        outputs = way(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        factors = [torch.arange(out.numel(), device=device).cos().reshape(out.shape) for out in outputs]
        total = torch.stack([(out * factor).sum() for out, factor in zip(outputs, factors, strict=True)]).sum()
        gradients = torch.autograd.grad(total, [*inputs, *weights], allow_unused=True, materialize_grads=True)
    return [tensor.detach() for tensor in (*outputs, *gradients)]


def small_tree(decoder: Decoder, memory: Memory, captions: int = 3, words: int = 3) -> PrefixTree:
    """A few words' captions, which begin alike and part, for each of ``memory``'s photos."""
    words = min(words, getattr(decoder, "positions", words))
    ids = np.where(np.arange(captions)[:, None] >> np.arange(words) & 1, END, UNKNOWN)  # no two captions are the same
    ids[0, 1:] = PAD
    tree = PrefixTree.from_captions(np.stack([ids] * len(memory[0])))
    return PrefixTree(*(_to(memory[0].device, part) for part in tree))


def agrees_with_steps(decoder: Decoder, memory: Memory, quick: Callable[[Memory, PrefixTree], Any]) -> bool:
    """Whether ``quick``, a decoder's own teacher forcing, gives what its steps give, on a few words of two photos.

    Compared once, and again when a function, a part or a hook of the decoder is no longer what it was.
    """
    known, key = _agreements.setdefault(decoder, {}), (decoder.training, len(memory), *_equations(decoder))
    if key not in known:
        photos = tuple(tensor[:2] for tensor in memory)
        tree = small_tree(decoder, photos)
        known[key] = agree(
            lambda *each: quick(each, tree),
            lambda *each: Decoder.teacher_force(decoder, each, tree),
            photos,
            decoder.parameters(),
        )
    return known[key]


def _equations(decoder: Decoder) -> list[Hashable]:
    """What an edit could replace: types and hooks of the decoder's parts, functions of their classes and modules."""
    parts = list(decoder.modules())
    kinds = [type(part) for part in parts]
    bases = dict.fromkeys(
        base for kind in dict.fromkeys(kinds) for base in kind.__mro__ if base.__module__[:6] != "torch."
    )
    homes = [*bases, *{base.__module__: sys.modules.get(base.__module__) for base in bases}.values()]
    values = [value for holder in (*homes, *parts) if holder for value in vars(holder).values()]
    hooks = [hook for part in parts for hook in (*part._forward_pre_hooks.values(), *part._forward_hooks.values())]
    return [*kinds, *hooks, *(value for value in values if type(value) in (FunctionType, MethodType))]


def _to(device: torch.device, part: Tensor | tuple[Tensor, ...]) -> Any:
    return part.to(device) if isinstance(part, Tensor) else tuple(tensor.to(device) for tensor in part)


class _DropoutScales(TorchFunctionMode):
    """A context in which dropout multiplies by a number: two ways never draw the same masks, one may draw none."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is not nn.functional.dropout:
            return func(*args, **(kwargs or {}))
        return args[0] * (1 - kwargs["p"] / 2) if kwargs["training"] else args[0]
