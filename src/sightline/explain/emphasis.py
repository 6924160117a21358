"""How strongly to light each grid cell for each word, and in which colours; the same in images and pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption

# (R, G, B, opacity) laid over the photo where emphasis is 0 and where it is 1. The shade leaves the photo recognisable,
# the tint tells lit from merely bright cells; cool and warm are distinct in every common colour blindness.
SHADE = (14, 18, 32, 0.68)
TINT = (255, 140, 20, 0.26)
# A peak below this many times the uniform weight is not shown in full, so that uniform attention looks uniform.
FULL_AT_LEAST = 3.0
# Evidence in nats: a word whose largest value is below this is not shown in full either.
FULL_EVIDENCE = 0.1


def emphasis(caption: Caption) -> NDArray[np.float32]:
    """`by_evidence` if the caption has evidence, else `by_attention`."""
    return by_attention(caption) if caption.evidence is None else by_evidence(caption.evidence)


def by_attention(caption: Caption) -> NDArray[np.float32]:
    """Float32 ``(T, h, w)`` in [0, 1]: weights divided by the word's largest, or by ``3 / (h * w)`` if larger."""
    height, width = caption.attention.shape[1:]
    return _scaled(caption.attention, FULL_AT_LEAST / (height * width))


def by_evidence(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 ``(T, h, w)`` in [0, 1]: positive evidence divided by the word's largest, or by 0.1 nats if larger."""
    return _scaled(np.maximum(evidence, 0), FULL_EVIDENCE)


def _scaled(values: NDArray[np.float32], full_at_least: float) -> NDArray[np.float32]:
    return values / np.maximum(values.max(axis=(1, 2), keepdims=True, initial=0), np.float32(full_at_least))
