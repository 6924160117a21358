"""What a training strives for, and how its epochs are told apart."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.training.attention_targets import AttentionTargets
from sightline.training.batches import Batch
from sightline.vocabulary import PAD


class Step(NamedTuple):
    """What an objective says of a batch.

    Attributes:
        loss: (), what the optimiser lowers, a mean over words.
        words: how many those were.
        value: (), what is shown and recorded by epoch, the mean over ``weight`` things.
        weight: how many words or sentences that were.
    """

    loss: Tensor
    words: int
    value: Tensor
    weight: int


class Objective(Protocol):
    """A way to learn.

    Attributes:
        value: the name of what is recorded: ``train_{value}`` and ``val_{value}``.
        better: whether the best epoch has the lowest or the highest held-out value.
        label: the value with its unit, for people.
    """

    value: str
    better: Literal["min", "max"]
    label: str

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        """One training batch; ``features`` (P, L, D) are those of its photos.

        ``seed`` is the step's own, and the same in all processes that share the batch.
        """
        ...

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        """One held-out batch; its ``loss`` is not used."""
        ...


class CrossEntropy:
    """Teacher forcing: the mean over all words, ``<end>`` included, of -log p(word | photo, words before), in nats.

    Args:
        label_smoothing: e; training then lowers ``(1 - e) * -log p(word) + e * mean over V of -log p``
            (Szegedy et al. 2016, section 7). The recorded value stays the plain loss.
        attention_entropy: what training adds to its loss for every nat of attention's mean entropy over the words
            (Grandvalet & Bengio 2005, of attention instead of classes), so that attention points instead of spreading.
        attention_supervision: what training adds to a word's loss for every nat by which attention misses the thing
            that the word names, if the batch knows where that is, see `AttentionTargets.missed`.
    """

    value: str = "loss"
    better: Literal["min", "max"] = "min"
    label: str = "loss (nats a word)"

    def __init__(
        self, label_smoothing: float = 0.0, attention_entropy: float = 0.0, attention_supervision: float = 0.0
    ) -> None:
        self.label_smoothing, self.attention_entropy = label_smoothing, attention_entropy
        self.attention_supervision = attention_supervision

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        """As the class says; nothing is drawn, so ``seed`` is not used."""
        return self._step(model, features, batch, training=True)

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        """The plain loss, whatever attention does."""
        return self._step(model, features, batch, training=False)

    def _step(self, model: CaptionModel, features: Tensor, batch: Batch, training: bool) -> Step:
        captions = batch.captions
        real = captions.targets != PAD
        nodes, words = captions.node_of_word[real], captions.targets[real]
        forced = model(features, captions)
        log_probs = forced.logits.float().log_softmax(dim=1)  # (N, V)
        loss = value = -log_probs[nodes, words].mean()
        if not training:
            return Step(value, len(words), value, len(words))
        if self.label_smoothing:
            # Captions that begin alike share a node: each word counts, so a node counts as often as it is read.
            counts = torch.bincount(nodes, minlength=len(log_probs)).to(log_probs.dtype)
            smooth = -(counts @ log_probs.mean(dim=1)) / len(words)
            loss = (1 - self.label_smoothing) * value + self.label_smoothing * smooth
        if self.attention_entropy:
            loss = loss + self.attention_entropy * forced.entropy()[nodes].mean()
        if self.attention_supervision and isinstance(batch.taught, AttentionTargets):
            loss = loss + self.attention_supervision * batch.taught.missed(forced.attention) / len(words)
        return Step(loss, len(words), value.detach(), len(words))
