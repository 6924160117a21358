"""What a caption says of places -> how strongly to show them, in which colours: the same on image and page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption

# (R, G, B, opacity) laid over the photo where emphasis is 0 and where it is 1. The shade leaves the photo readable,
# the tint tells attended from merely bright; cool against warm survives every common colour blindness.
SHADE = (14, 18, 32, 0.68)
TINT = (255, 140, 20, 0.26)

# A peak below this many times the uniform weight is not shown in full: a word that looked everywhere must look so.
FULL_AT_LEAST = 3.0

# Evidence, in nats: a word that no cell spoke for with this much is not shown in full either.
FULL_EVIDENCE = 0.1


def emphasis(caption: Caption) -> NDArray[np.float32]:
    """How strongly to show each cell for each word: `by_evidence` where the caption carries any, or `by_attention`."""
    return by_attention(caption) if caption.evidence is None else by_evidence(caption.evidence)


def by_attention(caption: Caption) -> NDArray[np.float32]:
    """Float32 ``(T, h, w)`` in [0, 1]: the weights by the word's largest or ``3 / (h * w)``, whichever is more."""
    height, width = caption.attention.shape[1:]
    return _shown(caption.attention, FULL_AT_LEAST / (height * width))


def by_evidence(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """``evidence`` ``(T, h, w)`` in nats -> what of it is above zero, by the word's largest or 0.1 nats: in [0, 1]."""
    return _shown(np.maximum(evidence, 0), FULL_EVIDENCE)


def _shown(values: NDArray[np.float32], full_at_least: float) -> NDArray[np.float32]:
    return values / np.maximum(values.max(axis=(1, 2), keepdims=True, initial=0), np.float32(full_at_least))
