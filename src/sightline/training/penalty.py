"""What a penalty offers: it counts a fault that CIDEr-D does not punish, in sampled captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from torch import Tensor

from sightline.training.registries import PENALTIES

__all__ = ["PENALTIES", "Penalties", "Penalty"]


class Penalty(Protocol):
    """A fault that can be counted in captions.

    A class of penalties with an attribute ``needs_boxes``, True, is only trained with where photos have regions.
    """

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """How often the fault occurs in each sampled caption, int64 (P, C).

        ``drawn`` int64 (P, C, T) are their ids, ``references`` (P, K, U) those of people's captions of the same photos;
        see `sightline.vocabulary` for ``END`` and ``PAD``.
        """


Penalties: TypeAlias = Sequence[tuple[Penalty, float]]  # what one occurrence takes from a caption's reward
