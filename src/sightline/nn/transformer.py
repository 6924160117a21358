"""A transformer decoder (Vaswani et al. 2017); its attention is the last layer's cross-attention."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from sightline.nn.attention import softmax_over
from sightline.nn.decoder import DECODERS, Decoder, Memory, State
from sightline.nn.options import Count, Probability
from sightline.nn.prefix_tree import PrefixTree


@DECODERS.register("transformer")
class TransformerDecoder(Decoder):
    """A transformer decoder.

    Self-attention over the words so far, then cross-attention over the photo, in each layer.

    x    = embedding(y_t) + position_t
    x    = x + self_attention(norm(x))       over the words up to t
    x    = x + cross_attention(norm(x), a)   over the L annotation vectors; alpha is the mean over the heads
    x    = x + W_2 gelu(W_1 norm(x))         norms come first (Xiong et al. 2020)
    p(y') = softmax(E norm(x))               E, the embedding itself (Press & Wolf 2017)

    Teacher forcing runs a whole prefix tree at once where ``quick``, see `sightline.nn.shortcuts`; generation caches
    the keys and values of the words so far.

    Args:
        vocabulary_size, feature_size: V, and D, the width of an annotation vector.
        hidden_size: H, the width of a word in all layers; a multiple of ``heads``.
        dropout: probability, on embeddings and on the output of each sublayer.
        positions: S, the longest sentence, ``<end>`` included.
    """

    quick, plain_way = False, "word by word, about 3 times as long"

    def __init__(
        self,
        vocabulary_size: int,
        feature_size: int,
        hidden_size: Annotated[Count, "Width of all layers; a multiple of heads."] = 256,
        layers: Annotated[Count, "Number of layers."] = 3,
        heads: Annotated[Count, "Attention heads in each layer."] = 4,
        dropout: Annotated[Probability, "Share of units dropped in training."] = 0.3,
        positions: Annotated[Count, "Number of position embeddings; more than vocabulary.max_words."] = 24,
    ) -> None:
        super().__init__()
        self.output_size, self.positions = hidden_size, positions
        self.embedding = nn.Embedding(vocabulary_size, hidden_size)
        self.position = nn.Embedding(positions, hidden_size)
        self.layers = nn.ModuleList(Layer(feature_size, hidden_size, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        for table in (self.embedding, self.position):
            nn.init.normal_(table.weight, std=hidden_size**-0.5)

    def prepare(self, features: Tensor) -> Memory:
        """``features`` (P, L, D) -> each layer's keys and values of the photo, all (P, L, H)."""
        return tuple(t for layer in self.layers for t in layer.photo(features).chunk(2, dim=2))  # type: ignore[operator]

    def initial_state(self, memory: Memory) -> State:
        """Keys and values of no words yet, (P, 1, layers, S, H) each, and the next position, int64 (P, 1)."""
        photos = memory[0].shape[0]
        empty = memory[0].new_zeros(photos, 1, len(self.layers), self.positions, self.output_size)
        return empty, empty, torch.zeros(photos, 1, dtype=torch.int64, device=empty.device)

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens)

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """``words`` (P, C, H) -> output (P, C, H), alpha (P, C, L), the state with these words' keys and values."""
        all_keys, all_values, position = state
        photos, sentences, width = words.shape
        places = torch.arange(self.positions, device=words.device)
        now = (places == position.unsqueeze(2))[..., None]  # (P, C, S, 1)
        so_far = (places <= position.unsqueeze(2)).reshape(photos * sentences, 1, self.positions)
        x = self.dropout(words + self.position(position))
        new_keys, new_values = [], []
        for index, layer in enumerate(self.layers):
            query, key, value = layer.of_words(x)  # type: ignore[operator]
            keys = torch.where(now, key.unsqueeze(2).to(all_keys.dtype), all_keys[:, :, index])  # (P, C, S, H)
            values = torch.where(now, value.unsqueeze(2).to(all_values.dtype), all_values[:, :, index])
            flat = (query.reshape(-1, 1, width), keys.flatten(0, 1), values.flatten(0, 1))
            seen = layer.self_attention(*flat, so_far).reshape(x.shape)  # type: ignore[operator]
            x, alpha = layer.rest(x, seen, *memory[2 * index : 2 * index + 2], visible)  # type: ignore[operator]
            new_keys.append(keys)
            new_values.append(values)
        return self.norm(x), alpha, (torch.stack(new_keys, 2), torch.stack(new_values, 2), position + 1)

    def teacher_force(self, memory: Memory, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        if not self.quick:
            return super().teacher_force(memory, tree)
        words = torch.cat(self.embed_tree(tree), dim=1)  # (P, N, H)
        widths = torch.tensor([level.shape[1] for level in tree.tokens], device=words.device)
        depth = torch.arange(len(tree.tokens), device=words.device).repeat_interleave(widths)
        x = self.dropout(words + self.position(depth))
        ancestors = tree.ancestors()
        for index, layer in enumerate(self.layers):
            seen = layer.self_attention(*layer.of_words(x), ancestors)  # type: ignore[operator]
            x, alpha = layer.rest(x, seen, *memory[2 * index : 2 * index + 2])  # type: ignore[operator]
        return self.norm(x), alpha

    def logits(self, output: Tensor) -> Tensor:
        return output @ self.embedding.weight.t()


class Layer(nn.Module):
    """Self-attention, cross-attention to the photo, and a feed-forward network four times as wide."""

    def __init__(self, feature_size: int, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.word_norm, self.photo_norm, self.forward_norm = (nn.LayerNorm(hidden_size) for _ in range(3))
        self.words = nn.Linear(hidden_size, 3 * hidden_size)
        self.words_out = nn.Linear(hidden_size, hidden_size)
        self.photo = nn.Linear(feature_size, 2 * hidden_size)
        self.photo_query = nn.Linear(hidden_size, hidden_size)
        self.photo_out = nn.Linear(hidden_size, hidden_size)
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden_size, 4 * hidden_size), nn.GELU(), nn.Linear(4 * hidden_size, hidden_size)
        )
        self.dropout = nn.Dropout(dropout)

    def of_words(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of words, each of ``x``'s shape (..., H)."""
        return self.words(self.word_norm(x)).chunk(3, dim=-1)

    def self_attention(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Queries (B, Q, H), keys and values (B, S, H), bool mask (B, Q, S), True = visible -> (B, Q, H)."""
        query, keys, values = map(self._by_head, (query, keys, values))
        attended = scaled_dot_product_attention(query, keys, values, attn_mask=mask.unsqueeze(1))
        return attended.transpose(1, 2).flatten(2)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (P, heads, C or L, H / heads)

    def rest(
        self, x: Tensor, seen: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Add self-attention's output, cross-attention to the photo and the feed-forward network; see `Decoder.step`.

        ``x``, ``seen`` (P, C, H), the photo's ``keys`` and ``values`` (P, L, H) -> (P, C, H), alpha (P, C, L).
        """
        x = x + self.dropout(self.words_out(seen))
        query, keys, values = map(self._by_head, (self.photo_query(self.photo_norm(x)), keys, values))
        alpha = softmax_over(query @ keys.transpose(2, 3) / query.shape[3] ** 0.5, visible)  # (P, heads, C, L)
        x = x + self.dropout(self.photo_out((alpha.to(values.dtype) @ values).transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(self.forward_norm(x))), alpha.mean(dim=1)
