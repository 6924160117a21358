"""Made-up captions: what is explained depends on no model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sightline.caption import Caption


@pytest.fixture
def make_caption() -> Callable[..., Caption]:
    def make(
        text: str, places: list[tuple[int, int]] | None = None, grid=(4, 4), probability=0.5, alternatives=()
    ) -> Caption:
        """Word t looks at grid cell ``places[t]`` alone, or evenly at all of them where ``places`` is not given."""
        words = tuple(text.split())
        attention = np.full((len(words), *grid), 1 / (grid[0] * grid[1]), np.float32)
        for weights, place in zip(attention, places or (), strict=False):
            weights[:] = 0
            weights[place] = 1
        log_probs = np.full(len(words), np.log(probability), np.float32)
        others = tuple(make(other) for other in alternatives)
        return Caption(text, words, log_probs, attention, -0.5, others)

    return make
