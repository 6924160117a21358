"""Captions that break off before their sentence ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.metrics.diversity import Endings
from sightline.training.penalty import PENALTIES
from sightline.vocabulary import END


@PENALTIES.register("break_off")
class TruncatedCaption:
    """Captions that end where people's never do (`sightline.metrics.diversity`), such as before their noun.

    A caption counts once; one that was cut off at its greatest length not at all. ``train_targets``: (N, C, T), of the
    training captions.
    """

    def __init__(self, train_targets: NDArray[np.integer[Any]]) -> None:
        self._endings = Endings(ids for photo in train_targets for caption in photo if (ids := _whole(caption)))

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        ended = [[_whole(caption) for caption in photo] for photo in drawn.cpu().numpy()]
        broken = [[bool(ids) and self._endings.break_off(ids) for ids in photo] for photo in ended]
        return torch.tensor(broken, dtype=torch.int64, device=drawn.device)


def _whole(caption: NDArray[np.integer[Any]]) -> list[int]:
    """The ids of a caption up to its ``<end>``; empty if it has none."""
    ids: list[int] = caption.tolist()
    return ids[: ids.index(END)] if END in ids else []
