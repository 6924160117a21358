"""Encoder and decoder joined: one captioner, or an ensemble of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sightline.nn.decoder import Decoder, Memory, State
from sightline.nn.encoder import Encoder
from sightline.nn.heads import Heads
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.shortcuts import take
from sightline.vocabulary import END, PAD, UNKNOWN


class TeacherForced(NamedTuple):
    """A decoder's ``logits`` (N, V) and ``attention`` (N, L) at the N real nodes of a `PrefixTree`."""

    logits: Tensor
    attention: Tensor

    def entropy(self) -> Tensor:
        """The entropy of attention, -sum_i alpha_i log alpha_i: (N,), in nats, from 0 (one location) to log L (all)."""
        alpha = self.attention.float()
        # Zeros add nothing; the clamp keeps the gradient of their logarithm finite.
        return -(alpha * alpha.clamp(min=1e-8).log()).sum(dim=1)


class Outputs(NamedTuple):
    """What a model computes of P photos with C captions of T words each.

    Attributes:
        features: float32 (P, L, D), the encoder's annotation vectors.
        logits: float32 (P, C, T, V), the scores of every word of the vocabulary, given the caption's words before.
        attention: float32 (P, C, T, L), the weights with which each word looked at the locations; they sum to one.
    """

    features: Tensor
    logits: Tensor
    attention: Tensor


class CaptionModel(nn.Module):
    """Pixels -> annotation vectors, through a linear layer of width ``projection`` unless that is None -> words.

    ``heads`` judge photo and sentences, after the search, see `sightline.nn.heads`; most models have none.
    """

    # Teacher forcing computes once what captions of a photo begin with.
    quick, plain_way = False, "caption by caption, about 1.2 times as long"

    def __init__(
        self, encoder: Encoder, decoder: Decoder, projection: int | None = None, heads: Heads | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = nn.Identity() if projection is None else nn.Linear(encoder.feature_size, projection)
        self.decoder = decoder
        self.heads = heads

    def features(self, pixels: Tensor) -> Tensor:
        """``pixels`` (P, 3, size, size) -> the encoder's annotation vectors (P, L, D), before any projection."""
        return self.encoder(pixels)

    def prepare(self, features: Tensor) -> tuple[Tensor, ...]:
        """``features`` (P, L, D) -> the decoder's memory of these photos."""
        return self.decoder.prepare(self.projection(features))

    def forward(self, features: Tensor, tree: PrefixTree) -> TeacherForced:
        """Teacher forcing: ``features`` (P, L, D) and the true captions -> logits and attention at every real node."""
        outputs, attention = self.teacher_force(self.prepare(features), tree)
        return TeacherForced(self.decoder.logits(outputs), attention)

    def outputs(self, pixels: Tensor, captions: Tensor) -> Outputs:
        """Teacher forcing from pixels, with everything at the words of the captions: for a training loop of one's own.

        ``pixels`` float32 (P, 3, size, size); ``captions`` int64 (P, C, T), ids, then ``<pad>``, as
        `sightline.training.caption_dataset.CaptionDataset` gives them. What stands at padding means nothing.
        `forward` takes less memory: captions of a photo share their beginnings there.
        """
        tree = PrefixTree.from_captions(captions.cpu().numpy())
        missing = captions.shape[2] - tree.node_of_word.shape[2]
        place = nn.functional.pad(tree.node_of_word, (0, missing)).to(pixels.device)  # (P, C, T)
        features = self.features(pixels)
        forced = self(features, tree.to(pixels.device))
        return Outputs(features, forced.logits[place], forced.attention[place])

    def teacher_force(self, memory: Memory, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        """The decoder's output (N, H) and attention (N, L) at every real node."""
        if self.quick:
            outputs, attention = self.decoder.teacher_force(memory, tree)
            return outputs.flatten(0, 1)[tree.nodes], attention.flatten(0, 1)[tree.nodes]
        apart, place = tree.apart()
        captions = tree.targets.shape[1]
        memory = tuple(tensor.repeat_interleave(captions, dim=0) for tensor in memory)
        outputs, attention = self.decoder.teacher_force(memory, apart)
        nodes = apart.nodes[place]
        return outputs.flatten(0, 1)[nodes], attention.flatten(0, 1)[nodes]

    def take_shortcuts(self) -> list[str]:
        """Let encoder and decoder take each shortcut that agrees, see `sightline.nn.shortcuts`.

        Returns:
            a line for each that does not. Weights, random states and training mode stay as they are.
        """
        layers, was_training = self.encoder.take_shortcuts(), self.decoder.training
        parts = [self, *(part for part in self.decoder.modules() if hasattr(part, "plain_way"))]
        weights = list(self.decoder.parameters())
        alike, other = [[END, UNKNOWN, END], [END, END, UNKNOWN]], [[END, UNKNOWN, END], [UNKNOWN, PAD, PAD]]
        words = np.array([alike, other])[:, :, : getattr(self.decoder, "positions", None)]
        tree = PrefixTree.from_captions(words).to(weights[0].device)
        locations = self.encoder.grid[0] * self.encoder.grid[1]
        features = torch.randn(2, locations, self.encoder.feature_size, generator=torch.Generator().manual_seed(0))
        others: list[nn.Module] = []
        for training in (True, False):  # an equation may have a part that is for one of them alone
            self.decoder.train(training)
            with torch.no_grad():
                memory = self.prepare(features.to(weights[0]))
            learned = weights if training else []
            others += take(parts, lambda *each: self.teacher_force(each, tree), *memory, weights=learned)
            parts = [part for part in parts if part not in others]
        self.decoder.train(was_training)
        reason = "gives other numbers than its plain equations: it trains"
        lines = [f"the shortcut of {type(part).__name__} {reason} {part.plain_way}" for part in others]
        if layers:
            named = f"{', '.join(layers[:3])}{', ...' * (len(layers) > 3)}"
            lines.append(f"the shortcut of the encoder's {named} {reason} layer by layer, 1.1 to 2 times as long")
        return lines


def ensemble(members: Sequence[CaptionModel]) -> CaptionModel:
    """One model of several with the same vocabulary, grid and preprocessing; each word is chosen by their mean."""
    return CaptionModel(EncoderEnsemble([member.encoder for member in members]), DecoderEnsemble(members))


class EncoderEnsemble(Encoder):
    """The annotation vectors of ``members`` with one preprocessing and grid, concatenated: D is the sum of theirs."""

    def __init__(self, members: Sequence[Encoder]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.grid, self.preprocessing = members[0].grid, members[0].preprocessing
        self.feature_size = sum(member.feature_size for member in members)

    def feature_map(self, pixels: Tensor) -> Tensor:
        return torch.cat([member.feature_map(pixels) for member in self.members], dim=1)  # type: ignore[operator]


class DecoderEnsemble(Decoder):
    """M decoders that generate one sentence together.

    p(y)  = 1/M sum_m p_m(y)
    alpha = 1/M sum_m alpha_m

    Each reads its own annotation vectors and keeps its own state. Memory, state, embedded words and outputs are the
    members' own, concatenated. Of ``members``, models of one vocabulary and grid, the projections and decoders are
    used, in evaluation mode.
    """

    def __init__(self, members: Sequence[CaptionModel]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(member.projection for member in members)
        self.decoders = nn.ModuleList(member.decoder for member in members)
        self._features = [member.encoder.feature_size for member in members]
        self._outputs = [member.decoder.output_size for member in members]
        self.output_size = sum(self._outputs)
        self.eval()
        with torch.no_grad():  # one location is enough to count each member's tensors
            memories = [member.prepare(torch.zeros(1, 1, member.encoder.feature_size)) for member in members]
            states = [member.decoder.initial_state(memory) for member, memory in zip(members, memories, strict=True)]
            words = [member.decoder.embed(torch.zeros(1, dtype=torch.int64)) for member in members]
        self._memories, self._states = [len(memory) for memory in memories], [len(state) for state in states]
        self._words = [word.shape[1] for word in words]

    def prepare(self, features: Tensor) -> Memory:
        each = zip(self.decoders, self.projections, features.split(self._features, dim=2), strict=True)
        memories = (decoder.prepare(projection(own)) for decoder, projection, own in each)  # type: ignore[operator]
        return tuple(chain.from_iterable(memories))

    def initial_state(self, memory: Memory) -> State:
        each = zip(self.decoders, _parts(memory, self._memories), strict=True)
        return tuple(chain.from_iterable(decoder.initial_state(own) for decoder, own in each))  # type: ignore[operator]

    def embed(self, tokens: Tensor) -> Tensor:
        return torch.cat([decoder.embed(tokens) for decoder in self.decoders], dim=-1)  # type: ignore[operator]

    def step(
        self, memory: Memory, state: State, words: Tensor, visible: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """One word further, as in `Decoder.step`: output (P, C, sum of the members' H), mean alpha, the states."""
        memories, states = _parts(memory, self._memories), _parts(state, self._states)
        each = zip(self.decoders, memories, states, words.split(self._words, dim=2), strict=True)
        steps = [decoder.step(*own, visible) for decoder, *own in each]  # type: ignore[operator]
        outputs, alphas, after = zip(*steps, strict=True)
        return torch.cat(outputs, dim=2), torch.stack(alphas).mean(0), tuple(chain.from_iterable(after))

    def teacher_force(self, memory: Memory, tree: PrefixTree) -> tuple[Tensor, Tensor]:
        each = zip(self.decoders, _parts(memory, self._memories), strict=True)
        outputs, alphas = zip(*(decoder.teacher_force(own, tree) for decoder, own in each), strict=True)  # type: ignore[operator]
        return torch.cat(outputs, dim=2), torch.stack(alphas).mean(0)

    def logits(self, output: Tensor) -> Tensor:
        """``output`` (..., H) -> log p + log M, (..., V)."""
        each = zip(self.decoders, output.split(self._outputs, dim=-1), strict=True)
        logits = [decoder.logits(own).log_softmax(dim=-1) for decoder, own in each]  # type: ignore[operator]
        return torch.stack(logits).logsumexp(dim=0)


def _parts(tensors: tuple[Tensor, ...], counts: Sequence[int]) -> Iterator[tuple[Tensor, ...]]:
    """The first ``counts[0]`` tensors, the next ``counts[1]``, ..."""
    rest = iter(tensors)
    return (tuple(islice(rest, count)) for count in counts)
