"""Hallucinated nouns: things that no person saw in the photo."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of, singular
from sightline.training.penalty import PENALTIES
from sightline.vocabulary import Vocabulary


@PENALTIES.register("hallucination")
class UnknownNouns:
    """Hallucinated nouns: those that no caption by people of the photo has, in singular or plural.

    Counted as by `sightline.evaluation.hallucination`; nouns are those of `nouns_of` the training photos.
    """

    needs_boxes = True

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary) -> None:
        numbers = {noun: number for number, noun in enumerate(sorted(nouns_of(examples)), start=1)}
        self._nouns = len(numbers) + 1
        self._noun_of_word = torch.tensor([numbers.get(singular(word), 0) for word in vocabulary.words])

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        noun_of_word = self._noun_of_word.to(drawn.device)
        known = torch.zeros(len(drawn), self._nouns, dtype=torch.bool, device=drawn.device)
        known.scatter_(1, noun_of_word[references].flatten(1), True)
        known[:, 0] = True  # every word that is no noun
        nouns = noun_of_word[drawn]
        return (~known.gather(1, nouns.flatten(1))).reshape(nouns.shape).sum(2)
