"""The decoder of Show, Attend and Tell (Xu et al. 2015, section 3.1)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from sightline.nn.attention import AdditiveAttention
from sightline.nn.decoder import DECODERS, Decoder, Memory, State
from sightline.nn.options import Count, Probability


@DECODERS.register("lstm")
class LSTMDecoder(Decoder):
    """The LSTM of Show, Attend and Tell (Xu et al. 2015).

    At every word: attend, then the LSTM reads the previous word and the context; all three give the next word.

    alpha = attention(a, h)                                  eqs. 4 to 6
    z     = beta sum_i alpha_i a_i,  beta = sigmoid(w h + b)  eq. 13 and the gate of section 4.2.1
    h, c  = LSTM([E y ; z], h, c)                            eqs. 1 to 3
    p(y') = softmax(L_o dropout(E y + L_h h + L_z z))        eq. 7

    Products with z are linear in it, so ``W_z a_i`` and ``L_z a_i`` are computed once a photo and averaged every word.

    Args:
        vocabulary_size, feature_size: V, and D, the width of an annotation vector.
        hidden_size, embedding_size, attention_size: widths of the LSTM, of a word and of the attention's tanh layer.
        dropout, gate: its probability at the output layer; whether to compute beta, otherwise 1.
    """

    def __init__(
        self,
        vocabulary_size: int,
        feature_size: int,
        hidden_size: Annotated[Count, "Units of the recurrent state."] = 512,
        embedding_size: Annotated[Count, "Width of word embeddings."] = 512,
        attention_size: Annotated[Count, "Width of the attention layer."] = 512,
        dropout: Annotated[Probability, "Share of units dropped in training."] = 0.5,
        gate: Annotated[bool, "Scale the context vector by a gate computed from the state."] = True,
    ) -> None:
        super().__init__()
        self.hidden_size, self.output_size = hidden_size, embedding_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.attention = AdditiveAttention(feature_size, hidden_size, attention_size)
        self.gate = nn.Linear(hidden_size, 1) if gate else None
        # The LSTM's four gates in the order input, forget, candidate, output; W_ih = [W_y W_z] of the usual form.
        self.word_gates = nn.Linear(embedding_size, 4 * hidden_size)
        self.hidden_gates = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        # W_z and L_z, one above the other.
        self.context = nn.Linear(feature_size, 4 * hidden_size + embedding_size, bias=False)
        self.mean_state = nn.Linear(feature_size, 2 * hidden_size)
        self.hidden_output = nn.Linear(hidden_size, embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(embedding_size, vocabulary_size)

    def prepare(self, features: Tensor) -> Memory:
        """``features`` (P, L, D) -> keys (P, L, A), values (P, L, 4H + E), first hidden and cell (P, 1, 2H)."""
        first = torch.tanh(self.mean_state(features.mean(1, keepdim=True)))
        return self.attention.keys(features), self.context(features), first

    def initial_state(self, memory: Memory) -> State:
        return memory[2].split(self.hidden_size, dim=2)

    def embed(self, tokens: Tensor) -> Tensor:
        """The words' part of the LSTM's input product, and the words: ``tokens`` (...) -> (..., 4H + E)."""
        embedded = self.embedding(tokens)
        return torch.cat([self.word_gates(embedded), embedded], dim=-1)

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """``words`` (P, C, 4H + E), hidden and cell (P, C, H) -> output (P, C, E), alpha (P, C, L), the new state."""
        hidden, cell = state
        keys, values = memory[:2]
        alpha = self.attention(keys, self.attention.query(hidden), visible)
        context = alpha @ values
        if self.gate is not None:
            context = context * torch.sigmoid(self.gate(hidden))
        gates, output = (words + context).split((4 * self.hidden_size, self.output_size), dim=2)
        read, keep, candidate, show = (gates + self.hidden_gates(hidden)).chunk(4, dim=2)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(read) * torch.tanh(candidate)
        hidden = torch.sigmoid(show) * torch.tanh(cell)
        return output + self.hidden_output(hidden), alpha, (hidden, cell)

    def logits(self, output: Tensor) -> Tensor:
        return self.output(self.dropout(output))
