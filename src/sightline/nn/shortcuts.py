"""Shortcuts: quicker ways to the same numbers and gradients, taken only where they agree with the plain equations.

A module with a shortcut has an attribute ``quick``, False until the two ways were compared, and ``plain_way``, which
says what the plain one is and costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Way = Callable[..., tuple[Tensor, ...]]
"""Input tensors -> output tensors."""

_TOLERANCE = 1e-4  # of each tensor's norm; float32 rounds to about a hundredth of it


def take(parts: Sequence[nn.Module], way: Way, *inputs: Tensor, weights: Iterable[Tensor] = ()) -> list[nn.Module]:
    """Set ``quick`` of each of ``parts`` to whether ``way`` agrees by it; returns those by which it does not."""

    def by(chosen: Sequence[nn.Module]) -> Way:
        def chosen_way(*tensors: Tensor) -> tuple[Tensor, ...]:
            for part in parts:
                part.quick = part in chosen  # type: ignore[assignment]
            return way(*tensors)

        return chosen_way

    weights, plain = list(weights), by([])
    try:
        good = parts
        if not agrees(by(parts), plain, *inputs, weights=weights):
            good = [part for part in parts if agrees(by([part]), plain, *inputs, weights=weights)]
    finally:
        plain_parts = [part for part in parts if part not in good]
        for part in parts:
            part.quick = part in good  # type: ignore[assignment]
    return plain_parts


def agrees(quick: Way, plain: Way, *inputs: Tensor, weights: Iterable[Tensor] = ()) -> bool:
    """Whether two ways give the same outputs and gradients by ``inputs`` and ``weights``, but for rounding.

    False if ``quick`` cannot be computed; errors of ``plain`` are raised. Random states, weights and their ``grad``
    stay as they are.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    expected = _outputs_and_gradients(plain, inputs, weights)
    try:
        tensors = _outputs_and_gradients(quick, inputs, weights)
    except Exception:  # what a replaced part lacks raises what it likes
        return False
    norms = torch.stack([tensor.norm() for tensor in expected])
    differences = torch.stack([(one - other).norm() for one, other in zip(tensors, expected, strict=True)])
    # Gradients that are zero but for rounding are compared with the largest of all.
    return bool((differences <= _TOLERANCE * norms.clamp(min=0.01 * float(norms.max()))).all())


def _outputs_and_gradients(way: Way, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """The outputs, and the gradients of a sum of them, in full precision."""
    exact = torch.autocast(inputs[0].device.type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), exact, torch.random.fork_rng([]), _DropoutScales():
        inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        outputs = way(*inputs)
        factors = (torch.arange(out.numel(), device=out.device).cos().reshape(out.shape) for out in outputs)
        total = torch.stack([(out * factor).sum() for out, factor in zip(outputs, factors, strict=True)]).sum()
        gradients = torch.autograd.grad(total, [*inputs, *weights], allow_unused=True)
    return [*(out.detach() for out in outputs), *(total.new_zeros(()) if grad is None else grad for grad in gradients)]


class _DropoutScales(TorchFunctionMode):
    """A context in which dropout multiplies by a number: two ways never draw the same masks, one may draw none."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is not nn.functional.dropout:
            return func(*args, **(kwargs or {}))
        return args[0] * (1 - kwargs["p"] / 2) if kwargs["training"] else args[0]
