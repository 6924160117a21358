"""Attention weights -> how strongly to show them, and in which colours: the same on the image and on the page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# (R, G, B, opacity) laid over the photo where emphasis is 0 and where it is 1. The shade leaves the photo readable,
# the tint tells attended from merely bright; cool against warm survives every common colour blindness.
SHADE = (14, 18, 32, 0.68)
TINT = (255, 140, 20, 0.26)

# A peak below this many times the uniform weight is not shown in full: a word that looked everywhere must look so.
FULL_AT_LEAST = 3.0


def emphasis(attention: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strongly to show each weight, in [0, 1]: a word's peak is 1, unless its attention is nearly uniform.

    Args:
        attention: float32 ``(T, h, w)``, >= 0, each word's weights sum to one.

    Returns:
        float32 ``(T, h, w)``: the weights divided by the word's largest or by ``3 / (h * w)``, whichever is more.
    """
    words, height, width = attention.shape
    if words == 0:
        return attention
    peak = attention.max(axis=(1, 2), keepdims=True)
    return attention / np.maximum(peak, FULL_AT_LEAST / (height * width))
