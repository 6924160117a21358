"""The parts that the graph joins: each a torch module of tensors alone, which the exporter can trace."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from sightline.model_folder import SEARCHED
from sightline.nn.decoder import Decoder
from sightline.nn.evidence import word_evidence
from sightline.nn.model import CaptionModel
from sightline.nn.search import Beams, Choices, advance, begin, finish
from sightline.vocabulary import END, START

BEAM_FIELDS = Beams._fields[:-1]  # the decoder's state, a tuple of tensors, is counted apart


class Prepare(nn.Module):
    """Pixels -> the decoder's memory, the table of embedded words and the beams before their first word."""

    def __init__(self, model: CaptionModel, words: int, max_words: int) -> None:
        super().__init__()
        self.model, self.words, self.max_words = model, words, max_words

    def forward(self, pixels: Tensor, first_scores: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        memory = self.model.prepare(self.model.features(pixels))
        # Of constants alone, so ONNX Runtime makes this table once, when it loads the model.
        table = self.model.decoder.embed(torch.arange(self.words))
        return (*memory, table, *flat(begin(self.model.decoder, memory, first_scores, self.max_words)))


class SearchStep(nn.Module):
    """Memory, table and beams -> whether to go on, the beams one word longer, and what was chosen."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, memory: tuple[Tensor, ...], table: Tensor, carried: tuple[Tensor, ...], penalty: Tensor
    ) -> tuple[Tensor, ...]:
        """As the class says."""
        beams = beams_of(carried)
        after, chosen = advance(self.decoder, memory, beams, embedding(beams.words, table), penalty)
        # Whether any last word lies beyond <end> and <pad>, in fewer nodes than by what has ended.
        return (after.words.amax((0, 1)) > END, *flat(after), *chosen)


class Finish(nn.Module):
    """Beams and all that was chosen -> what the search returns, best first."""

    def forward(self, beams: tuple[Tensor, ...], choices: tuple[Tensor, ...], penalty: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        sentences, scores = finish(beams_of(beams), Choices(*choices), penalty)
        return tuple(scores if name == "scores" else getattr(sentences, name) for name in SEARCHED)


class BestSentence(nn.Module):
    """Memory and all sentences -> what is read and what is said at every word of the best one, and the first state."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, memory: tuple[Tensor, ...], tokens: Tensor) -> tuple[Tensor, ...]:
        """As the class says."""
        said = tokens[:, 0]
        read = torch.cat([torch.full_like(said[:, :1], START), said[:, :-1]], dim=1)
        return (read, said, *(tensor.clone() for tensor in self.decoder.initial_state(memory)))


class WordEvidence(nn.Module):
    """Memory, table, state and one word -> the state after it, and its evidence."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, memory: tuple[Tensor, ...], table: Tensor, state: tuple[Tensor, ...], read: Tensor, said: Tensor
    ) -> tuple[Tensor, ...]:
        """As the class says."""
        found, after = word_evidence(self.decoder, memory, state, embedding(read.unsqueeze(1), table), said)
        return (*after, found)


def flat(beams: Beams) -> tuple[Tensor, ...]:
    """`Beams` as tensors in a row; `beams_of` takes them back."""
    return (*beams[:-1], *beams.state)


def beams_of(values: Sequence[Tensor]) -> Beams:
    """The inverse of `flat`."""
    return Beams._make([*values[: len(BEAM_FIELDS)], tuple(values[len(BEAM_FIELDS) :])])
