"""Reward penalties: faults of sampled captions that CIDEr-D does not punish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of, singular
from sightline.metrics.diversity import Endings
from sightline.vocabulary import END, Vocabulary


class Penalty(Protocol):
    """A fault that can be counted in captions."""

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """How often the fault occurs in each sampled caption.

        Args:
            drawn: int64 (P, C, T), ids of the sampled captions.
            references: int64 (P, K, U), ids of people's captions of the same photos.

        Returns:
            int64 (P, C).
        """
        ...


class UnknownNouns:
    """Hallucinated nouns: those that no caption by people of the photo has, in singular or plural.

    Counted as by `sightline.evaluation.hallucination`.

    Args:
        examples: the training photos, with regions; their nouns are those of `nouns_of`.
        vocabulary: the model's.
    """

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary) -> None:
        numbers = {noun: number for number, noun in enumerate(sorted(nouns_of(examples)), start=1)}
        self._nouns = len(numbers) + 1
        self._noun_of_word = torch.tensor([numbers.get(singular(word), 0) for word in vocabulary.words])

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """See `Penalty.count`."""
        noun_of_word = self._noun_of_word.to(drawn.device)
        known = torch.zeros(len(drawn), self._nouns, dtype=torch.bool, device=drawn.device)
        known.scatter_(1, noun_of_word[references].flatten(1), True)
        known[:, 0] = True  # every word that is no noun
        nouns = noun_of_word[drawn]
        return (~known.gather(1, nouns.flatten(1))).reshape(nouns.shape).sum(2)


class TruncatedCaption:
    """Captions that end where people's never do (`sightline.metrics.diversity`), such as before their noun.

    Args:
        targets: (N, C, T), of the training captions, see `encode_captions`.
    """

    def __init__(self, targets: NDArray[np.integer[Any]]) -> None:
        self._endings = Endings(ids for photo in targets for caption in photo if (ids := _whole(caption)))

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """See `Penalty.count`; 0 or 1; 0 for a caption that was cut off at its greatest length."""
        ended = [[_whole(caption) for caption in photo] for photo in drawn.cpu().numpy()]
        broken = [[bool(ids) and self._endings.break_off(ids) for ids in photo] for photo in ended]
        return torch.tensor(broken, dtype=torch.int64, device=drawn.device)


def _whole(caption: NDArray[np.integer[Any]]) -> list[int]:
    """The ids of a caption up to its ``<end>``; empty if it has none."""
    ids: list[int] = caption.tolist()
    return ids[: ids.index(END)] if END in ids else []
