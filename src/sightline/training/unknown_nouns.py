"""Things that a drawn sentence names and that nobody who saw the photo names (`sightline.evaluation.hallucination`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.data.dataset import Example
from sightline.data.nouns import nouns_of, singular
from sightline.vocabulary import Vocabulary


class UnknownNouns:
    """Counts them; the nouns are those of ``examples`` (`nouns_of`), ids the ``vocabulary``'s."""

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary) -> None:
        numbers = {noun: number for number, noun in enumerate(sorted(nouns_of(examples)), start=1)}
        self._nouns = len(numbers) + 1
        self._noun_of_word = torch.tensor([numbers.get(singular(word), 0) for word in vocabulary.words])

    def count(self, drawn: Tensor, written: Tensor) -> Tensor:
        """How many words of each sentence drawn are nouns, singular or plural, in none of the photo's own captions.

        Args:
            drawn: int64 (P, C, T), ids.
            written: int64 (P, K, U), the ids of what people wrote of the same photos.

        Returns:
            int64 (P, C).
        """
        noun_of_word = self._noun_of_word.to(drawn.device)
        known = torch.zeros(len(drawn), self._nouns, dtype=torch.bool, device=drawn.device)
        known.scatter_(1, noun_of_word[written].flatten(1), True)
        known[:, 0] = True  # no noun
        said = noun_of_word[drawn]
        return (~known.gather(1, said.flatten(1))).reshape(said.shape).sum(2)
