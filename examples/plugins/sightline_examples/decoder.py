"""A decoder: annotation vectors and the words so far -> the next word.

sightline train --plugin decoder.py --set decoder.name=bag --set decoder.hidden_size=128 ...
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from sightline.nn.attention import AdditiveAttention
from sightline.nn.decoder import DECODERS, Decoder, Memory, State
from sightline.nn.options import Count, Probability


@DECODERS.register("bag")
class BagDecoder(Decoder):
    """Remembers the words so far as a fading sum of their embeddings, and has no gates.

    h     = decay h + embedding(y)
    alpha = attention(a, h),  z = sum_i alpha_i a_i
    p(y') = softmax(W tanh(U [h ; z]))
    """

    # The first two are the model's; the others are the recipe's `decoder` options.
    def __init__(
        self,
        vocabulary_size: int,
        feature_size: int,
        hidden_size: Annotated[Count, "Width of words, of attention and of the output."] = 128,
        decay: Annotated[Probability, "How much of the sum is kept at every word."] = 0.7,
    ) -> None:
        super().__init__()
        self.output_size, self.decay = hidden_size, decay
        self.embedding = nn.Embedding(vocabulary_size, hidden_size)
        self.attention = AdditiveAttention(feature_size, hidden_size, hidden_size)
        self.join = nn.Linear(hidden_size + feature_size, hidden_size)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def prepare(self, features: Tensor) -> Memory:
        """Once a photo: ``features`` (P, L, D) -> keys (P, L, H) and the features themselves."""
        return self.attention.keys(features), features

    def initial_state(self, memory: Memory) -> State:
        """No words yet: zeros (P, 1, H), for one sentence a photo."""
        features = memory[1]
        return (features.new_zeros(features.shape[0], 1, self.output_size),)

    def embed(self, tokens: Tensor) -> Tensor:
        """``tokens`` int64 (...) -> (..., H)."""
        return self.embedding(tokens)

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """``words`` (P, C, H), for C sentences of each photo -> output (P, C, H), alpha (P, C, L), the new state."""
        keys, features = memory
        hidden = self.decay * state[0] + words
        alpha = self.attention(keys, self.attention.query(hidden), visible)
        output = torch.tanh(self.join(torch.cat([hidden, alpha @ features], dim=-1)))
        return output, alpha, (hidden,)

    def logits(self, output: Tensor) -> Tensor:
        """``output`` (..., H) -> scores before softmax (..., V)."""
        return self.output(output)
