"""The GRU's equations, which its step and its whole sequence share."""

from __future__ import annotations

import torch
from torch import Tensor


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
