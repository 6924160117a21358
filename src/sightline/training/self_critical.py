"""Self-critical sequence training (Rennie et al. 2017): policy gradient on the CIDEr-D of sampled captions.

Penalties take from the reward for faults that CIDEr-D does not punish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of, singular
from sightline.metrics.bleu import sentence_bleu
from sightline.metrics.cider import CiderD
from sightline.metrics.diversity import Endings
from sightline.metrics.ngrams import ReferenceNgrams
from sightline.nn.model import CaptionModel
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.sampling import sample, without_specials
from sightline.nn.search import search
from sightline.training.batches import Batch, Ids
from sightline.training.objective import Step
from sightline.training.recipe import TrainingRecipe
from sightline.vocabulary import END, PAD, UNKNOWN, Vocabulary

Reward = Callable[[list[list[int]], NDArray[np.int64]], NDArray[np.float64]]  # N captions, each one's photo -> (N,)


class Penalty(Protocol):
    """A fault that can be counted in captions."""

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        """How often the fault occurs in each sampled caption, int64 (P, C).

        ``drawn`` int64 (P, C, T) are their ids, ``references`` (P, K, U) those of people's captions of the same photos.
        """


Penalties: TypeAlias = Sequence[tuple[Penalty, float]]  # what one occurrence takes from a caption's reward


class UnknownNouns:
    """Hallucinated nouns: those that no caption by people of the photo has, in singular or plural.

    Counted as by `sightline.evaluation.hallucination`; nouns are those of `nouns_of` the training photos.
    """

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


class TruncatedCaption:
    """Captions that end where people's never do (`sightline.metrics.diversity`), such as before their noun.

    A caption counts once; one that was cut off at its greatest length not at all. ``targets``: (N, C, T), of the
    training captions.
    """

    def __init__(self, targets: NDArray[np.integer[Any]]) -> None:
        self._endings = Endings(ids for photo in targets for caption in photo if (ids := _whole(caption)))

    def count(self, drawn: Tensor, references: Tensor) -> Tensor:
        ended = [[_whole(caption) for caption in photo] for photo in drawn.cpu().numpy()]
        broken = [[bool(ids) and self._endings.break_off(ids) for ids in photo] for photo in ended]
        return torch.tensor(broken, dtype=torch.int64, device=drawn.device)


class SelfCritical:
    """REINFORCE, the baseline being the mean reward of the photo's other samples (Luo 2020, "A better variant", eq. 6).

    For each photo C captions y are sampled from the model, without gradients. The reward r(y) is the caption's CIDEr-D,
    in [0, 10], plus ``bleu_weight`` times its BLEU-4, in [0, 1], less the penalties. ``<end>`` counts as a word in it,
    so that truncated captions gain nothing. One forward with gradients then minimises
    -(r(y) - mean reward of the photo's other samples) * log p(y | photo), averaged over all sampled words.

    Dropout is off in both forwards, as the policy that is updated must be the one that sampled. The recorded value is
    the mean CIDEr-D: of the samples in training, of greedy captions held out.

    Args:
        train_targets, val_targets: (N, C, T), the captions of all training and held-out photos, see
            `encode_captions`; document frequencies come from each split's own captions.
        recipe: its ``samples`` is C. ``attention_entropy`` and ``attention_supervision`` count as in `CrossEntropy`, at
            the sampled words, whatever the reward. The cross-entropy of people's captions, ``cross_entropy_weight``,
            keeps words in use that the reward alone would drop; without it captions become alike.
        max_words: the longest caption that is sampled.
    """

    value: str = "cider"
    better: Literal["min", "max"] = "max"
    label: str = "CIDEr-D (training: of samples; held out: greedy)"

    def __init__(
        self, train_targets: Ids, val_targets: Ids, recipe: TrainingRecipe, max_words: int, penalties: Penalties = ()
    ) -> None:
        self._references = ReferenceNgrams(_words(train_targets))
        self._cider, self._held_out = CiderD(self._references), CiderD(_words(val_targets))
        self.recipe, self.max_words, self.penalties = recipe, max_words, penalties

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        model.decoder.eval()
        recipe, samples, share = self.recipe, self.recipe.samples, batch.share
        memory = model.prepare(features)
        generator = torch.Generator(features.device).manual_seed(seed)
        drawn = sample(model.decoder, memory, samples, self.max_words, generator, share.places, share.whole)
        scores = rewards = _rewards(self._cider.score, drawn, batch)  # (P, C)
        if recipe.bleu_weight:
            rewards = rewards + recipe.bleu_weight * _rewards(partial(sentence_bleu, self._references), drawn, batch)
        for penalty, weight in self.penalties:
            rewards = rewards - weight * penalty.count(drawn, batch.captions.targets)
        advantage = (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)

        references = batch.captions.targets[:, : None if recipe.cross_entropy_weight else 0]
        longest = max(drawn.shape[2], references.shape[2])
        padded = [torch.nn.functional.pad(ids, (0, longest - ids.shape[2]), value=PAD) for ids in (drawn, references)]
        tree = PrefixTree.from_captions(torch.cat(padded, dim=1).cpu().numpy())  # (P, C + K, max(T, U))
        tree = move_data_to_device(tree, drawn.device)
        forced = model(features, tree)
        log_probs = without_specials(forced.logits.float()).log_softmax(dim=1)[tree.node_of_word, tree.targets]
        real = tree.targets != PAD
        own, people = real[:, :samples], real[:, samples:] & (tree.targets[:, samples:] != UNKNOWN)
        loss = -(advantage.unsqueeze(2).expand(own.shape)[own] * log_probs[:, :samples][own]).mean()
        if recipe.cross_entropy_weight:
            loss = loss - recipe.cross_entropy_weight * log_probs[:, samples:][people].mean()
        if recipe.attention_entropy:
            loss = loss + recipe.attention_entropy * forced.entropy()[tree.node_of_word[:, :samples][own]].mean()
        if recipe.attention_supervision and batch.attention_targets is not None:
            missed = batch.attention_targets.loss(forced.attention, tree)
            loss = loss + recipe.attention_supervision * missed / real.sum()
        return Step(loss, int(own.sum()), scores.mean(), scores.numel())

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        sentences, _ = search(model.decoder, model.prepare(features), 1, self.max_words, 0.0)
        reward = _rewards(self._held_out.score, sentences.tokens, batch).mean()
        return Step(-reward, 0, reward, len(sentences.tokens))


def _rewards(reward: Reward, tokens: Tensor, batch: Batch) -> Tensor:
    """The reward of each caption, float32 (P, C), for ``tokens`` (P, C, T)."""
    photos, each, _ = tokens.shape
    hypotheses = _words(tokens.cpu().numpy().reshape(1, photos * each, -1))[0]
    owners = batch.photos.repeat_interleave(each).cpu().numpy()
    return torch.from_numpy(reward(hypotheses, owners)).to(tokens.device, torch.float32).reshape(photos, each)


def _words(targets: NDArray[np.integer[Any]]) -> list[list[list[int]]]:
    """(N, C, T) -> the ids of each photo's captions, without padding and empty captions."""
    ended = (targets != PAD).sum(2)
    return [
        [caption[:length].tolist() for caption, length in zip(captions, lengths, strict=True) if length]
        for captions, lengths in zip(targets, ended, strict=True)
    ]


def _whole(caption: NDArray[np.integer[Any]]) -> list[int]:
    """The ids of a caption up to its ``<end>``; empty if it has none."""
    ids: list[int] = caption.tolist()
    return ids[: ids.index(END)] if END in ids else []
