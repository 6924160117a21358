"""What may be wrong with a sentence that a model draws, though its CIDEr-D be high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of, singular
from sightline.metrics.endings import Endings
from sightline.vocabulary import END, Vocabulary


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


class TruncatedCaption:
    """Whether a sentence ends where nobody's does: before its noun, which then cannot be wrong.

    Args:
        targets: (N, C, T), of the training captions, see `encode_captions`.
    """

    def __init__(self, targets: NDArray[np.integer[Any]]) -> None:
        self._endings = Endings(ids for photo in targets for caption in photo if (ids := _whole(caption)))

    def count(self, drawn: Tensor, written: Tensor) -> Tensor:
        """See `Fault.count`; 0 or 1, and 0 of a sentence that was cut off."""
        ended = [[_whole(caption) for caption in photo] for photo in drawn.cpu().numpy()]
        broken = [[bool(ids) and self._endings.break_off(ids) for ids in photo] for photo in ended]
        return torch.tensor(broken, dtype=torch.int64, device=drawn.device)


def _whole(caption: NDArray[np.integer[Any]]) -> list[int]:
    """The words' ids of a caption with an end, without it; none of another."""
    ids: list[int] = caption.tolist()
    return ids[: ids.index(END)] if END in ids else []
