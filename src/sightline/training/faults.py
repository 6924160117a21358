"""What may be wrong with a sentence that a model draws, though its CIDEr-D be high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.dataset import Example
from sightline.data.nouns import nouns_of, singular
from sightline.vocabulary import PAD, START, Vocabulary

_ROWS = 100_000  # photos that are looked at together, where all would fill the memory


class Fault(Protocol):
    """Something that can be counted."""

    def count(self, drawn: Tensor, written: Tensor) -> Tensor:
        """How often it is in each sentence drawn.

        Args:
            drawn: int64 (P, C, T), ids.
            written: int64 (P, K, U), the ids of what people wrote of the same photos.

        Returns:
            int64 (P, C).
        """
        ...


class UnknownNouns:
    """Words that are nouns, singular or plural, in none of the photo's own captions.

    So `sightline.evaluation.hallucination` counts them; the nouns are those of ``examples`` (`nouns_of`), ids the
    ``vocabulary``'s.
    """

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary) -> None:
        numbers = {noun: number for number, noun in enumerate(sorted(nouns_of(examples)), start=1)}
        self._nouns = len(numbers) + 1
        self._noun_of_word = torch.tensor([numbers.get(singular(word), 0) for word in vocabulary.words])

    def count(self, drawn: Tensor, written: Tensor) -> Tensor:
        """See `Fault.count`."""
        noun_of_word = self._noun_of_word.to(drawn.device)
        known = torch.zeros(len(drawn), self._nouns, dtype=torch.bool, device=drawn.device)
        known.scatter_(1, noun_of_word[written].flatten(1), True)
        known[:, 0] = True  # no noun
        said = noun_of_word[drawn]
        return (~known.gather(1, said.flatten(1))).reshape(said.shape).sum(2)


class UnwrittenPairs:
    """Two words one after the other that stand so in no training caption; beginning and end count as words.

    A sentence that breaks off before its noun, so that the noun cannot be wrong, ends as nobody's does.

    Args:
        targets: (N, C, T), see `encode_captions`.
        size: words of the vocabulary.
    """

    def __init__(self, targets: NDArray[np.integer[Any]], size: int) -> None:
        self._size = size
        parts = (targets[start : start + _ROWS].astype(np.int64) for start in range(0, len(targets), _ROWS))
        self._written = torch.cat([_pairs(torch.from_numpy(part), size).unique() for part in parts]).unique()

    def count(self, drawn: Tensor, written: Tensor) -> Tensor:
        """See `Fault.count`."""
        return (~torch.isin(_pairs(drawn, self._size), self._written.to(drawn.device)) & (drawn != PAD)).sum(2)


def _pairs(ids: Tensor, size: int) -> Tensor:
    """int64 (..., T): each word with the one before it as one number."""
    before = torch.nn.functional.pad(ids[..., :-1], (1, 0), value=START)
    return before * size + ids
