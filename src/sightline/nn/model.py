"""Encoder and decoder joined; teacher forcing."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from sightline.nn.decoder import Decoder
from sightline.nn.encoder import Encoder
from sightline.nn.prefix_tree import PrefixTree


class TeacherForced(NamedTuple):
    """What a decoder says of a `PrefixTree`'s N real nodes.

    Attributes:
        logits: (N, V).
        attention: (N, L).
    """

    logits: Tensor
    attention: Tensor

    def entropy(self) -> Tensor:
        """How wide attention is, -sum_i alpha_i log alpha_i: (N,), in nats, from 0 (one location) to log L (all)."""
        alpha = self.attention.float()
        # An alpha of zero adds nothing; the bound keeps its logarithm's gradient finite.
        return -(alpha * alpha.clamp(min=1e-8).log()).sum(dim=1)


class CaptionModel(nn.Module):
    """A photo's pixels -> annotation vectors -> words.

    Args:
        encoder: gives annotation vectors of width D.
        decoder: reads vectors of width ``projection``, or D without one.
        projection: width of a linear layer on the annotation vectors, or None to keep them as they are.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, projection: int | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = nn.Identity() if projection is None else nn.Linear(encoder.feature_size, projection)
        self.decoder = decoder

    def features(self, pixels: Tensor) -> Tensor:
        """``pixels`` (P, 3, size, size) -> the encoder's annotation vectors (P, L, D), before any projection."""
        return self.encoder(pixels)

    def prepare(self, features: Tensor) -> tuple[Tensor, ...]:
        """``features`` (P, L, D) -> the decoder's memory of these photos."""
        return self.decoder.prepare(self.projection(features))

    def forward(self, features: Tensor, tree: PrefixTree) -> TeacherForced:
        """Teacher forcing: ``features`` (P, L, D) and the true captions -> logits and attention at every real node."""
        outputs, attention = self.decoder.teacher_force(self.prepare(features), tree)
        logits = self.decoder.logits(outputs.flatten(0, 1)[tree.nodes])
        return TeacherForced(logits, attention.flatten(0, 1)[tree.nodes])
