"""What a training objective offers: the loss of a batch, and the value that epochs are compared by."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch
from sightline.training.registries import OBJECTIVES

__all__ = ["OBJECTIVES", "Objective", "Step"]


class Step(NamedTuple):
    """An objective's result for a batch."""

    loss: Tensor  # (), to minimise, a mean over ``words``
    words: int
    value: Tensor  # (), reported and recorded for each epoch, a mean over ``weight`` words or sentences
    weight: int


class Objective(Protocol):
    """A training objective.

    One whose class has an attribute ``samples_captions``, True, learns from captions that the model samples: it needs a
    trained model (--init), learns no new words, and attention is supervised by nouns, in captions that nobody wrote.
    """

    value: str  # the name of the recorded value: ``train_{value}`` and ``val_{value}``
    better: Literal["min", "max"]  # whether the best epoch has the lowest or the highest held-out value
    label: str  # the value with its unit, for axes and messages

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        """One training batch, with ``features`` (P, L, D) of its photos, and the model in training mode.

        The ``seed`` differs from step to step, and is the same in all processes that share the batch.
        """

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        """One held-out batch; ``loss`` is not used."""
