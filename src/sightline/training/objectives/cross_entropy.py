"""Cross-entropy: teacher forcing on people's captions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch
from sightline.training.objective import OBJECTIVES, Step
from sightline.vocabulary import PAD


@OBJECTIVES.register("cross_entropy")
@dataclass(eq=False)
class CrossEntropy:
    """Teacher forcing: the mean over all words, ``<end>`` included, of -log p(word | photo, words before), in nats.

    Args:
        label_smoothing: e; training minimises ``(1 - e) * -log p(word) + e * mean over V of -log p`` (Szegedy et al.
            2016, section 7). The recorded value stays the plain loss.
        attention_entropy: weight of the entropy of attention, in nats, mean over the words (Grandvalet & Bengio 2005,
            of attention instead of classes); it makes attention concentrate.
        attention_supervision: weight of `AttentionTargets.loss`, per word, where the batch has targets.
    """

    label_smoothing: float = 0.0
    attention_entropy: float = 0.0
    attention_supervision: float = 0.0
    value: str = field(default="loss", init=False)
    better: Literal["min", "max"] = field(default="min", init=False)
    label: str = field(default="loss (nats a word)", init=False)

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        return self._step(model, features, batch, training=True)

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
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
            # Captions with a common beginning share nodes: each node counts once for every caption through it.
            counts = torch.bincount(nodes, minlength=len(log_probs)).to(log_probs.dtype)
            smooth = -(counts @ log_probs.mean(dim=1)) / len(words)
            loss = (1 - self.label_smoothing) * value + self.label_smoothing * smooth
        if self.attention_entropy:
            loss = loss + self.attention_entropy * forced.entropy()[nodes].mean()
        if self.attention_supervision and batch.attention_targets is not None:
            missed = batch.attention_targets.loss(forced.attention, captions)
            loss = loss + self.attention_supervision * missed / len(words)
        return Step(loss, len(words), value.detach(), len(words))
