"""A penalty: a fault that takes from the reward of a sampled caption, in self-critical training.

sightline train --plugin penalty.py --init RUN --set training.objective=self_critical
    --set training.penalties={repetition: 0.5} ...
"""

from typing import Annotated

import torch
from torch import Tensor

from sightline.nn.options import Count
from sightline.training.penalty import PENALTIES
from sightline.vocabulary import END, PAD


@PENALTIES.register("repetition")
class Repetition:
    """Words that stand again within the next few, such as "a a dog"."""

    def __init__(self, within: Annotated[Count, "How many words further still count."] = 1) -> None:
        self.within = within

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """``drawn`` int64 (P, C, T), word ids of C captions of each photo -> how often, int64 (P, C)."""
        times = torch.zeros(drawn.shape[:2], dtype=torch.int64, device=drawn.device)
        is_word = (drawn != PAD) & (drawn != END)
        for distance in range(1, self.within + 1):
            again = (drawn[:, :, distance:] == drawn[:, :, :-distance]) & is_word[:, :, distance:]
            times += again.sum(dim=2)
        return times
