"""Self-critical sequence training (Rennie et al. 2017): policy gradient on the CIDEr-D of sampled captions.

Penalties take from the reward for faults that CIDEr-D does not punish, see `sightline.training.penalty`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.metrics.bleu import sentence_bleu
from sightline.metrics.cider import CiderD
from sightline.metrics.ngrams import ReferenceNgrams
from sightline.nn.model import CaptionModel
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.sampling import sample, without_specials
from sightline.nn.search import search
from sightline.training.batches import Batch, Ids
from sightline.training.objective import OBJECTIVES, Step
from sightline.training.penalty import Penalties
from sightline.vocabulary import PAD, UNKNOWN

Reward = Callable[[list[list[int]], NDArray[np.int64]], NDArray[np.float64]]  # N captions, each one's photo -> (N,)


@OBJECTIVES.register("self_critical")
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
        max_words: the longest caption that is sampled.
        penalties: what takes from the reward, and how much each occurrence takes.
        samples, bleu_weight: C; and the weight of BLEU-4 in the reward.
        cross_entropy_weight: weight of the cross-entropy of people's captions, which keeps words in use that the reward
            alone would drop; without it captions become alike.
        attention_entropy, attention_supervision: as in `CrossEntropy`, at the sampled words, whatever the reward.
    """

    value: str = "cider"
    better: Literal["min", "max"] = "max"
    label: str = "CIDEr-D (training: of samples; held out: greedy)"
    samples_captions = True

    def __init__(
        self,
        train_targets: Ids,
        val_targets: Ids,
        max_words: int,
        penalties: Penalties = (),
        samples: int = 5,
        bleu_weight: float = 0.0,
        cross_entropy_weight: float = 0.0,
        attention_entropy: float = 0.0,
        attention_supervision: float = 0.0,
    ) -> None:
        self._references = ReferenceNgrams(_words(train_targets))
        self._cider, self._held_out = CiderD(self._references), CiderD(_words(val_targets))
        self.max_words, self.penalties, self.samples = max_words, penalties, samples
        self.bleu_weight, self.cross_entropy_weight = bleu_weight, cross_entropy_weight
        self.attention_entropy, self.attention_supervision = attention_entropy, attention_supervision

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        model.decoder.eval()
        samples, share = self.samples, batch.share
        memory = model.prepare(features)
        generator = torch.Generator(features.device).manual_seed(seed)
        drawn = sample(model.decoder, memory, samples, self.max_words, generator, share.places, share.whole)
        scores = rewards = _rewards(self._cider.score, drawn, batch)  # (P, C)
        if self.bleu_weight:
            rewards = rewards + self.bleu_weight * _rewards(partial(sentence_bleu, self._references), drawn, batch)
        for penalty, weight in self.penalties:
            rewards = rewards - weight * penalty.count(drawn, batch.captions.targets)
        advantage = (rewards - rewards.mean(dim=1, keepdim=True)) * samples / (samples - 1)

        references = batch.captions.targets[:, : None if self.cross_entropy_weight else 0]
        longest = max(drawn.shape[2], references.shape[2])
        padded = [torch.nn.functional.pad(ids, (0, longest - ids.shape[2]), value=PAD) for ids in (drawn, references)]
        tree = PrefixTree.from_captions(torch.cat(padded, dim=1).cpu().numpy())  # (P, C + K, max(T, U))
        tree = tree.to(drawn.device)
        forced = model(features, tree)
        log_probs = without_specials(forced.logits.float()).log_softmax(dim=1)[tree.node_of_word, tree.targets]
        real = tree.targets != PAD
        own, people = real[:, :samples], real[:, samples:] & (tree.targets[:, samples:] != UNKNOWN)
        loss = -(advantage.unsqueeze(2).expand(own.shape)[own] * log_probs[:, :samples][own]).mean()
        if self.cross_entropy_weight:
            loss = loss - self.cross_entropy_weight * log_probs[:, samples:][people].mean()
        if self.attention_entropy:
            loss = loss + self.attention_entropy * forced.entropy()[tree.node_of_word[:, :samples][own]].mean()
        if self.attention_supervision and batch.attention_targets is not None:
            missed = batch.attention_targets.loss(forced.attention, tree)
            loss = loss + self.attention_supervision * missed / real.sum()
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
