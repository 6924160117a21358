"""Saying a thing once: what a sentence may not say next, because it has said it before.

1. No pair of words twice. (Paulus et al. 2018, "A Deep Reinforced Model for Abstractive Summarization", section 2.5, do
   so with three words.)
2. No noun again once "with", "and" or "of" has come after it: no "table with a table".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sightline.model_folder import ModelConfig
from sightline.vocabulary import Vocabulary, split_words

LINKS = ("with", "and", "of")
NEVER = -1e9
"""Added to the log-probability of a word that may not be said; a sentence with such a sum is no sentence."""


class Repeats(NamedTuple):
    """What a vocabulary of V words may not repeat.

    Attributes:
        pair: float32 (), what a pair's second word costs where the sentence has the pair already: `NEVER`.
        nouns: float32 (V,), what a noun costs where it may not come again, `NEVER`; 0 for other words.
        links: float32 (V,), 1 for the words of `LINKS`, 0 for others.
    """

    pair: Tensor
    nouns: Tensor
    links: Tensor

    def unless(self, allowed: Tensor) -> Repeats:
        """The same, or nothing that is forbidden where ``allowed``, bool (), is true; nouns are known all the same."""
        return Repeats(torch.where(allowed, 0.0, self.pair), self.nouns, torch.where(allowed, 0.0, self.links))


def repeats_of(vocabulary: Vocabulary, nouns: Collection[str]) -> Repeats | None:
    """What sentences of ``vocabulary`` may not repeat; ``nouns`` are those of its words that name things.

    None for a vocabulary of characters or pieces, whose pairs are parts of words. Without nouns, or without a word of
    `LINKS`, as in another language, pairs alone count.
    """
    if vocabulary.unit != "words":
        return None
    costs = torch.tensor([NEVER if word in nouns else 0.0 for word in vocabulary.words])
    links = torch.tensor([float(word in LINKS) for word in vocabulary.words])
    return Repeats(torch.tensor(NEVER), costs, links)


def repeats_of_model(config: ModelConfig, vocabulary: Vocabulary) -> Repeats | None:
    """`repeats_of` by the nouns that a model knows; None where it may repeat itself."""
    return None if config.repeats else repeats_of(vocabulary, config.known_nouns)


def often_repeat(captions: Iterable[str]) -> bool:
    """Whether captions say a pair of words twice so often that a model of them must: more than one in sixteen does.

    Of people's captions of photos 2 to 4% do, of drawn shapes' 9%: "a red circle and a red cross".
    """
    pairs = [list(pairwise(split_words(caption))) for caption in captions]
    return 16 * sum(len(set(each)) < len(each) for each in pairs) > len(pairs)


def forbid(log_probs: Tensor, last: Tensor, before: Tensor, repeats: Repeats) -> tuple[Tensor, Tensor]:
    """Add what repeating costs to ``log_probs`` (P, K, V) of the next word.

    ``last`` int64 (P, K) is each sentence's last word, ``before`` int64 (P, K, T) the words before it, the latest
    first, then ``<pad>``. Returns the sum, and the words with the last one, in the form of ``before``.
    """
    last = last.unsqueeze(2)
    said = torch.cat([last, before[:, :, :-1]], dim=2)  # and so said[t] is the word that followed before[t]
    costs = repeats.nouns.take(said) * repeats.links.take(said).cumsum(2)  # links said after each word
    costs = torch.where(before == last, repeats.pair, costs)
    return log_probs.scatter_add(2, said, costs), said
