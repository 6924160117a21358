"""The method's decoder: attention, then a GRU."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sightline.nn.attention import AdditiveAttention
from sightline.nn.decoder import DECODERS, Decoder, Memory, State
from sightline.nn.gru_sequence import AttentionGRU, gru_update
from sightline.nn.options import Count, Probability
from sightline.nn.prefix_tree import PrefixTree


@DECODERS.register("gru")
class GRUDecoder(Decoder):
    """A GRU with additive attention.

    At every word: look, then let the GRU read the previous word beside what was seen (Show, Attend and Tell, 3.1.2).

    alpha = attention(a, h)           where to look, from the hidden state so far
    z     = sum_i alpha_i a_i         the context
    h     = GRU([embedding(y) ; z], h)
    p(y') = softmax(W_o dropout(h))

    The GRU's input product is linear in z, so ``W_z z = sum_i alpha_i (W_z a_i)``: the values ``W_z a_i`` are computed
    once a photo, which costs a third of projecting the context at every word.

    Where ``quick``, see `sightline.nn.shortcuts`, attention's query and the gates are one product of h, and teacher
    forcing has its gradient written out. `step` is what both must agree with.

    h depends on the words before y only, so attention does not know y, the word just read. With ``query``
    ``"hidden_and_word"`` it does: alpha = attention(a, h, embedding(y)), and after "red" it can look for red things.

    Args:
        vocabulary_size, feature_size: V, and D, the width of an annotation vector.
        hidden_size, embedding_size, attention_size: widths of the GRU, of a word and of the attention's tanh layer.
        dropout: probability, on the GRU's output.
        attention: ``"every_step"``, or ``"once"``: while training, the attention of the first hidden state serves the
            whole caption (generating still recomputes it).
        initial_state: ``"zeros"``, or ``"mean"``: ``tanh(W mean_i a_i)``.
        query: what the attention query is made of, ``"hidden"`` or ``"hidden_and_word"``.
    """

    quick, plain_way = False, "word by word, about 1.2 times as long"

    def __init__(
        self,
        vocabulary_size: int,
        feature_size: int,
        hidden_size: Annotated[Count, "Units of the recurrent state."] = 512,
        embedding_size: Annotated[Count, "Width of word embeddings."] = 256,
        attention_size: Annotated[Count, "Width of the attention layer."] = 512,
        dropout: Annotated[Probability, "Share of units dropped in training."] = 0.5,
        attention: Annotated[
            Literal["every_step", "once"],
            "Attend at every word, or once for the whole caption while training, as in the method's listing.",
        ] = "every_step",
        initial_state: Annotated[
            Literal["zeros", "mean"], "The first state: zeros, or computed from the mean annotation vector."
        ] = "zeros",
        query: Annotated[
            Literal["hidden", "hidden_and_word"],
            "What attention is computed from: the state alone, or the state and the previous word.",
        ] = "hidden",
    ) -> None:
        super().__init__()
        self.output_size = hidden_size
        self.once = attention == "once"
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.attention = AdditiveAttention(feature_size, hidden_size, attention_size)
        self.word_query = nn.Linear(embedding_size, attention_size, bias=False) if query != "hidden" else None
        # The GRU's three gates in the order reset, update, candidate; W_ih = [W_y W_z] of the usual form.
        self.word_gates = nn.Linear(embedding_size, 3 * hidden_size)
        self.context_gates = nn.Linear(feature_size, 3 * hidden_size, bias=False)
        self.hidden_gates = nn.Linear(hidden_size, 3 * hidden_size)
        self.mean_state = nn.Linear(feature_size, hidden_size) if initial_state == "mean" else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, vocabulary_size)

    def prepare(self, features: Tensor) -> Memory:
        """``features`` (P, L, D) -> keys (P, L, A), values (P, L, 3H), first hidden (P, 1, H)[, alpha (P, 1, L)]."""
        keys, values = self.attention.keys(features), self.context_gates(features)
        if self.mean_state is None:
            hidden = features.new_zeros(features.shape[0], 1, self.output_size)
        else:
            hidden = torch.tanh(self.mean_state(features.mean(1, keepdim=True)))
        if self.once and self.training:
            return keys, values, hidden, self.attention(keys, self.attention.query(hidden))
        return keys, values, hidden

    def initial_state(self, memory: Memory) -> State:
        return (memory[2],)

    def embed(self, tokens: Tensor) -> Tensor:
        """The words' part of the GRU's input product, then of attention's query: ``tokens`` (...) -> (..., 3H[ + A]).

        W_y embedding(y) + b, and 2 W_q embedding(y), doubled as `AdditiveAttention.query` is.
        """
        embedded = self.embedding(tokens)
        gates = self.word_gates(embedded)
        return gates if self.word_query is None else torch.cat([gates, 2 * self.word_query(embedded)], dim=-1)

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """``words`` (P, C, 3H[ + A]), hidden (P, C, H) -> new hidden (P, C, H), alpha (P, C, L), (new hidden,)."""
        (hidden,) = state
        keys, values = memory[:2]
        if self.word_query is not None:
            words, word_query = words.split((values.shape[2], self.word_query.out_features), dim=2)
        if len(memory) == 4:
            alpha, recurrent = memory[3].expand(-1, words.shape[1], -1), self.hidden_gates(hidden)
        else:
            query, recurrent = self._of_hidden(hidden)
            alpha = self.attention(keys, query if self.word_query is None else query + word_query, visible)
        inputs = words + alpha @ values  # (P, C, 3H)
        hidden = gru_update(inputs, recurrent, hidden)
        return hidden, alpha, (hidden,)

    def _of_hidden(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Attention's query (P, C, A), and the recurrent part of the gates (P, C, 3H)."""
        if not self.quick:
            return self.attention.query(hidden), self.hidden_gates(hidden)
        weight, gates = self._hidden_weight(), self.hidden_gates.bias
        bias = torch.cat([gates.new_zeros(len(weight) - len(gates)), gates])
        query, recurrent = linear(hidden, weight, bias).split((len(weight) - len(gates), len(gates)), dim=2)
        return query, recurrent

    def _hidden_weight(self) -> Tensor:
        # (A + 3H, H): attention's query, doubled as `AdditiveAttention.query` is, and the gates, by one product.
        query = self.attention.W_h.weight
        return torch.cat([query + query, self.hidden_gates.weight])

    def teacher_force(self, memory: Memory, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        """As `Decoder.teacher_force`; attention at every step by `AttentionGRU` where ``quick``."""
        if len(memory) == 4 or not self.quick:
            return super().teacher_force(memory, tree)
        keys, values, hidden = memory
        weight = self._hidden_weight()
        weight, bias, v = (w.to(keys.dtype) for w in (weight, self.hidden_gates.bias, self.attention.v))
        words = self.embed_tree(tree)
        return AttentionGRU.apply(
            keys, values, hidden.to(self.attention.v.dtype), weight, bias, v, tree.parents, *words
        )

    def logits(self, output: Tensor) -> Tensor:
        return self.output(self.dropout(output))
