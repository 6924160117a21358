"""The attention GRU along a whole tree of captions, with its gradient written out.

Automatic differentiation of one step after another spends most of its time on sums that belong to the whole caption:
at every word it forms the gradients of the weights, the keys and the values anew and adds them up. Here the backward
pass keeps each word's factors and takes every such product once. The forward pass is `GRUDecoder.step`'s own equations
(`layer`, `energies`, `gru_update`); a test holds both passes against automatic differentiation of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sightline.nn.attention import energies, layer
from sightline.nn.decoder import select


def gru_update(inputs: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
    """The GRU's new hidden state (Cho et al. 2014, eqs. 5-8, in the form that cuDNN and PyTorch use).

    r = sigmoid(x_r + g_r),  u = sigmoid(x_u + g_u),  n = tanh(x_n + r * g_n),  h' = (1 - u) n + u h

    ``inputs`` x = W_ih [y ; z] + b and ``recurrent`` g = W_hh h + b, both (..., 3H); ``hidden`` (..., H).
    """
    size = hidden.shape[-1]
    x_gates, x_candidate = inputs.split((2 * size, size), dim=-1)
    g_gates, g_candidate = recurrent.split((2 * size, size), dim=-1)
    reset, update = torch.sigmoid(x_gates + g_gates).chunk(2, dim=-1)
    candidate = torch.tanh(x_candidate + reset * g_candidate)
    return candidate + update * (hidden - candidate)


class AttentionGRU(torch.autograd.Function):
    """Keys, values and words -> hidden states and attention at every node of a `PrefixTree`."""

    @staticmethod
    def forward(
        ctx: Any,
        keys: Tensor,
        values: Tensor,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        v: Tensor,
        parents: Sequence[Tensor],
        *words: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Walk down the tree.

        Args:
            ctx: autograd's.
            keys, values, hidden: a decoder's memory, (P, L, A), (P, L, 3H) and (P, 1, H).
            weight: ``[2 W_h ; W_hh]`` (A + 3H, H), what multiplies the hidden state in attention and GRU.
            bias: ``b_hh`` (3H,).
            v: attention's (A,).
            parents: T tensors (P, N_t), see `PrefixTree`.
            words: T tensors (P, N_t, 3H[ + A]), what the GRU, then attention's query, reads of the words.

        Products are taken in the type of ``keys``, ``values``, ``weight``, ``v`` and ``words``, which agree (bfloat16
        under autocast); hidden states, gates and softmax stay in the type of ``hidden``.

        Returns:
            hidden states (P, sum N_t, H) and attention (P, sum N_t, L), level after level.
        """
        saved = []
        attention_size = keys.shape[2]
        ctx.word_asks = words[0].shape[2] > bias.shape[0]
        states, alphas = [], []
        for level_parents, level_words in zip(parents, words, strict=True):
            (previous,) = select((hidden,), level_parents)
            query, recurrent = (previous.to(weight.dtype) @ weight.t()).split((attention_size, bias.shape[0]), dim=2)
            recurrent = recurrent + bias
            if ctx.word_asks:
                level_words, asked = level_words.split((bias.shape[0], attention_size), dim=2)
                query = query + asked
            attention_layer = layer(keys, query)
            alpha = energies(attention_layer, v).to(hidden.dtype).softmax(dim=2)
            inputs = level_words.to(hidden.dtype) + alpha.to(values.dtype) @ values
            hidden = gru_update(inputs, recurrent, previous)
            saved += [previous, recurrent, inputs, alpha, attention_layer]
            states.append(hidden)
            alphas.append(alpha)
        ctx.save_for_backward(keys, values, weight, v, *saved)
        ctx.parents = parents
        return torch.cat(states, dim=1), torch.cat(alphas, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_states: Tensor, grad_alphas: Tensor) -> tuple[Tensor | None, ...]:
        """Walk up the tree; products over all words come last."""
        keys, values, weight, v, *saved = ctx.saved_tensors
        low, full = keys.dtype, grad_states.dtype
        widths = [level.shape[1] for level in ctx.parents]
        grads_states, grads_alphas = grad_states.split(widths, 1), grad_alphas.split(widths, 1)
        grad_keys, grad_v = torch.zeros_like(keys, dtype=full), torch.zeros_like(v, dtype=full)
        grads_recurrent, grads_inputs, grads_words = [], [], []
        below = torch.zeros_like(grads_states[-1])
        for level in reversed(range(len(widths))):
            previous, recurrent, inputs, alpha, attention_layer = saved[5 * level : 5 * level + 5]
            grad_inputs, grad_gates, grad_previous = _gru_gradient(
                grads_states[level] + below, inputs, recurrent, previous
            )
            grad_inputs = grad_inputs.to(low)
            grad_alpha = grads_alphas[level] + grad_inputs @ values.transpose(1, 2)
            grad_query, level_v = _attention_gradient(grad_alpha, alpha, attention_layer, v, grad_keys)
            grad_v += level_v
            grad_recurrent = torch.cat([grad_query, grad_gates.to(low)], dim=2)
            grad_previous = grad_previous + grad_recurrent @ weight
            below = _to_parents(grad_previous, ctx.parents[level], widths[level - 1] if level else 1)
            grads_recurrent.append(grad_recurrent)
            grads_inputs.append(grad_inputs)
            grads_words.append(torch.cat([grad_inputs, grad_query], dim=2) if ctx.word_asks else grad_inputs)

        flat_recurrent = torch.cat([grad.flatten(0, 1) for grad in grads_recurrent])
        flat_previous = torch.cat([previous.flatten(0, 1) for previous in saved[0::5][::-1]]).to(low)
        grad_values = torch.cat(saved[3::5][::-1], dim=1).to(low).transpose(1, 2) @ torch.cat(grads_inputs, dim=1)
        grad_bias = flat_recurrent[:, keys.shape[2] :].sum(0)
        grad_weight = flat_recurrent.t() @ flat_previous
        grad_keys = (grad_keys * v).to(low)
        return grad_keys, grad_values, below, grad_weight, grad_bias, grad_v.to(low), None, *grads_words[::-1]


def _gru_gradient(grad: Tensor, inputs: Tensor, recurrent: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `gru_update` by its three arguments, given the gradient (P, N, H) of its result."""
    size = hidden.shape[-1]
    reset, update = torch.sigmoid(inputs[..., : 2 * size] + recurrent[..., : 2 * size]).chunk(2, dim=-1)
    candidate_gate = recurrent[..., 2 * size :]
    candidate = torch.tanh(inputs[..., 2 * size :] + reset * candidate_gate)
    grad_candidate = grad * (1 - update) * (1 - candidate * candidate)
    grad_update = grad * (hidden - candidate) * update * (1 - update)
    grad_reset = grad_candidate * candidate_gate * reset * (1 - reset)
    grad_inputs = torch.cat([grad_reset, grad_update, grad_candidate], dim=-1)
    grad_recurrent = torch.cat([grad_reset, grad_update, grad_candidate * reset], dim=-1)
    return grad_inputs, grad_recurrent, grad * update


def _attention_gradient(
    grad: Tensor, alpha: Tensor, attention_layer: Tensor, v: Tensor, grad_keys: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of alpha by attention's query and v, given its own (P, N, L).

    With s = sigmoid(k + q) and g the gradient of the energies, dq = v sum_l 2 g (s - s^2), and dk likewise over n, of
    which all but the factor v is added to ``grad_keys`` here. The layer's s (P, N, L, A) is overwritten: it is not
    needed after this, and at its size every further pass over memory counts.
    """
    grad = (alpha * (grad - (alpha * grad).sum(2, keepdim=True))).to(attention_layer.dtype)
    grad_v = 2 * (grad.flatten() @ attention_layer.flatten(0, 2))
    slope = attention_layer.addcmul_(attention_layer, attention_layer, value=-1)
    grad = 2 * grad
    grad_query = (grad.unsqueeze(2) @ slope).squeeze(2)
    grad_keys += slope.mul_(grad.unsqueeze(3)).sum(1)
    return grad_query * v, grad_v


def _to_parents(grad: Tensor, parents: Tensor, width: int) -> Tensor:
    """Sum (P, N, H) over the nodes of each parent -> (P, width, H)."""
    result = grad.new_zeros(grad.shape[0], width, grad.shape[2])
    return result.scatter_add_(1, parents.unsqueeze(2).expand_as(grad), grad)
