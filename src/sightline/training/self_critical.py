"""Self-critical sequence training: the sentences a model draws are judged, and the better ones made likelier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch import Tensor

from sightline.metrics.bleu import sentence_bleu
from sightline.metrics.cider import CiderD
from sightline.metrics.ngrams import ReferenceNgrams
from sightline.nn.model import CaptionModel
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.sampling import sample, without_specials
from sightline.nn.search import search
from sightline.training.attention_targets import Named
from sightline.training.batches import Batch
from sightline.training.objective import Step
from sightline.training.reward_penalties import Fault
from sightline.vocabulary import PAD, UNKNOWN

Reward = Callable[[list[list[int]], NDArray[np.int64]], NDArray[np.float64]]  # N sentences, whose photos -> (N,)


class SelfCritical:
    """REINFORCE with the photo's other samples as baseline (Rennie et al. 2017; Luo 2020, "A better variant", eq. 6).

    For each photo C sentences y are drawn from the model, without gradients; r(y) is the CIDEr-D of a sentence, in
    [0, 10], and what else the arguments let count. ``<end>`` counts as a word, so that a sentence is not rewarded for
    breaking off. One scored forward then lowers  -(r(y) - mean of the other samples' r) * log p(y | photo),  the mean
    over all words drawn.

    Dropout is off in both, or the model that is corrected would not be the one that drew.

    Args:
        train_targets, val_targets: (N, C, T), the captions of all training and held-out photos, see
            `encode_captions`; document frequencies come from either's own captions.
        samples: C, at least 2.
        max_words: the longest sentence drawn.
        attention_entropy: as in `CrossEntropy`, over the words drawn.
        attention_supervision: as in `CrossEntropy`, at those words drawn that are nouns of things in the photo; each is
            pointed at where its thing is, whether or not the sentence is rewarded.
        faults: what is counted in each sentence drawn, with what each one takes from the reward.
        bleu_weight: what a sentence's BLEU-4, in [0, 1], counts beside its CIDEr-D, see `sentence_bleu`.
        captions_weight: what the cross-entropy of people's own captions counts beside the reward. They are read in the
            same forward, and keep the words that the reward alone would let go: it makes sentences alike.
    """

    value: str = "cider"
    better: Literal["min", "max"] = "max"
    label: str = "CIDEr-D (training: of samples; held out: greedy)"

    def __init__(
        self,
        train_targets: NDArray[np.integer[Any]],
        val_targets: NDArray[np.integer[Any]],
        samples: int,
        max_words: int,
        attention_entropy: float = 0.0,
        attention_supervision: float = 0.0,
        faults: Sequence[tuple[Fault, float]] = (),
        captions_weight: float = 0.0,
        bleu_weight: float = 0.0,
    ) -> None:
        self._references = ReferenceNgrams(_words(train_targets))
        self._cider, self._held_out = CiderD(self._references), CiderD(_words(val_targets))
        self.samples, self.max_words = samples, max_words
        self.attention_entropy, self.attention_supervision = attention_entropy, attention_supervision
        self.faults, self.captions_weight, self.bleu_weight = faults, captions_weight, bleu_weight

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        """As the class says; the value is the samples' mean CIDEr-D."""
        model.decoder.eval()
        memory = model.prepare(features)
        generator = torch.Generator(features.device).manual_seed(seed)
        share = batch.share
        drawn = sample(model.decoder, memory, self.samples, self.max_words, generator, share.places, share.whole)
        scores = rewards = _judged(self._cider.score, drawn, batch)  # (P, C)
        if self.bleu_weight:
            rewards = rewards + self.bleu_weight * _judged(partial(sentence_bleu, self._references), drawn, batch)
        for fault, price in self.faults:
            rewards = rewards - price * fault.count(drawn, batch.captions.targets)
        advantage = (rewards - rewards.mean(dim=1, keepdim=True)) * self.samples / (self.samples - 1)

        read = batch.captions.targets[:, : None if self.captions_weight else 0]
        tree = move_data_to_device(PrefixTree.from_captions(_together(drawn, read)), drawn.device)
        forced = model(features, tree)
        log_probs = without_specials(forced.logits.float()).log_softmax(dim=1)[tree.node_of_word, tree.targets]
        real, samples = tree.targets != PAD, self.samples
        own, people = real[:, :samples], real[:, samples:] & (tree.targets[:, samples:] != UNKNOWN)
        loss = -(advantage.unsqueeze(2).expand(own.shape)[own] * log_probs[:, :samples][own]).mean()
        if self.captions_weight:
            loss = loss - self.captions_weight * log_probs[:, samples:][people].mean()
        if self.attention_entropy:
            loss = loss + self.attention_entropy * forced.entropy()[tree.node_of_word[:, :samples][own]].mean()
        if self.attention_supervision and isinstance(batch.taught, Named):
            missed = batch.taught.taught(tree).missed(forced.attention)
            loss = loss + self.attention_supervision * missed / real.sum()
        return Step(loss, int(own.sum()), scores.mean(), scores.numel())

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        """The reward of the greedy sentences."""
        sentences, _ = search(model.decoder, model.prepare(features), 1, self.max_words, 0.0)
        reward = _judged(self._held_out.score, sentences.tokens, batch).mean()
        return Step(-reward, 0, reward, len(sentences.tokens))


def _judged(reward: Reward, tokens: Tensor, batch: Batch) -> Tensor:
    photos, each, _ = tokens.shape
    hypotheses = _words(tokens.cpu().numpy().reshape(1, photos * each, -1))[0]
    owners = batch.photos.repeat_interleave(each).cpu().numpy()
    return torch.from_numpy(reward(hypotheses, owners)).to(tokens.device, torch.float32).reshape(photos, each)


def _together(drawn: Tensor, written: Tensor) -> NDArray[np.int64]:
    """(P, C, T) and (P, K, U) -> (P, C + K, max(T, U)), the shorter ones with ``<pad>`` after their end."""
    longest = max(drawn.shape[2], written.shape[2])
    padded = [torch.nn.functional.pad(ids, (0, longest - ids.shape[2]), value=PAD) for ids in (drawn, written)]
    return torch.cat(padded, dim=1).cpu().numpy()


def _words(targets: NDArray[np.integer[Any]]) -> list[list[list[int]]]:
    """(N, C, T) -> the ids of each photo's captions, without padding and empty captions."""
    ended = (targets != PAD).sum(2)
    return [
        [caption[:length].tolist() for caption, length in zip(captions, lengths, strict=True) if length]
        for captions, lengths in zip(targets, ended, strict=True)
    ]
