"""The parts of a captioner that the graph joins: torch modules of tensors alone, and their ONNX models."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch.nn.functional import embedding

from sightline.export.trace import Free, Part, Tensors, fold, trace
from sightline.model_folder import ALLOW_REPEATS, INPUTS, SEARCHED
from sightline.nn.decoder import Decoder
from sightline.nn.evidence import word_evidence
from sightline.nn.heads import Heads
from sightline.nn.model import CaptionModel
from sightline.nn.repeats import Repeats
from sightline.nn.search import Beams, Choices, advance, begin, finish, first_scores
from sightline.vocabulary import END

BEAM_FIELDS = Beams._fields[:-1]  # without the decoder's state, a tuple of tensors
JUDGED = ("tokens", "log_probs", "lengths")  # what heads read of sentences
CHOSEN = tuple(f"chosen_{name}" for name in Choices._fields)


class Parts(NamedTuple):
    """The ONNX models of one captioner's parts, each with its own inputs, outputs and weights.

    Attributes:
        first: ``pixels``, ``first_scores`` -> ``memory_I``, ``table``, and the beams before their first word.
        word: memory, table, beams, ``length_penalty`` and, where the vocabulary has repeats to forbid,
            ``allow_repeats`` -> ``go_on``, the beams one word longer, what was chosen.
        last: beams, what was chosen at all steps, ``length_penalty`` -> `SEARCHED`, with ``best_`` before each name.
        evidence: memory, table, state, ``previous`` and ``target`` word -> the state after it, its ``evidence``.
        heads: ``features``, which ``first`` then gives too, and the sentences -> those of `HEADS` that the model has,
            with ``judged_`` before each name; None if it has none.
        memory: names of the memory's tensors.
        states: names of the decoder's state.
    """

    first: ModelProto
    word: ModelProto
    last: ModelProto
    evidence: ModelProto
    heads: ModelProto | None
    memory: list[str]
    states: list[str]

    @property
    def carried(self) -> list[str]:
        """What travels from word to word of the search: beams, and the decoder's state."""
        return [*BEAM_FIELDS, *self.states]


class _Prepare(nn.Module):
    """Pixels -> the decoder's memory, the table of embedded words, and the beams before their first word."""

    def __init__(self, model: CaptionModel, words: int, max_words: int) -> None:
        super().__init__()
        self.model, self.words, self.max_words = model, words, max_words

    def forward(self, pixels: Tensor, scores: Tensor) -> Tensors:
        features = self.model.features(pixels)
        memory = self.model.prepare(features)
        # Of constants alone, so ONNX Runtime makes this table once, when it loads the model.
        table = self.model.decoder.embed(torch.arange(self.words))
        beams = begin(self.model.decoder, memory, scores, self.max_words)
        judged = [features] if self.model.heads else []
        return (*memory, table, *beams[:-1], *beams.state, *judged)


class _Repeats(nn.Module):
    """Holds `Repeats`, or None, for a module that is traced."""

    pair: Tensor
    nouns: Tensor
    links: Tensor

    def __init__(self, repeats: Repeats | None) -> None:
        super().__init__()
        self.known = repeats is not None
        for name, tensor in ({} if repeats is None else repeats._asdict()).items():
            self.register_buffer(name, tensor)

    def forward(self) -> Repeats | None:
        return Repeats(self.pair, self.nouns, self.links) if self.known else None


class _SearchStep(nn.Module):
    """Memory, table and beams -> whether to go on, the beams one word longer, and what was chosen."""

    def __init__(self, decoder: Decoder, repeats: Repeats | None) -> None:
        super().__init__()
        self.decoder, self.repeats = decoder, _Repeats(repeats)

    def forward(self, memory: Tensors, table: Tensor, carried: Tensors, penalty: Tensor, *allowed: Tensor) -> Tensors:
        count = len(BEAM_FIELDS)
        beams = Beams._make([*carried[:count], tuple(carried[count:])])
        repeats = self.repeats()
        repeats = repeats and repeats.unless(*allowed)
        after, chosen = advance(self.decoder, memory, beams, embedding(beams.words, table), penalty, repeats)
        # Whether any last word lies beyond <end> and <pad>, in fewer nodes than by what has ended.
        return (after.words.amax((0, 1)) > END, *after[:-1], *after.state, *chosen)


class _Finish(nn.Module):
    """Beams and all that was chosen -> what the search returns, best first."""

    def __init__(self, repeats: Repeats | None) -> None:
        super().__init__()
        self.repeats = _Repeats(repeats)

    def forward(self, beams: Tensors, choices: Tensors, penalty: Tensor) -> Tensors:
        sentences, scores = finish(Beams._make([*beams, ()]), Choices(*choices), penalty, self.repeats())
        return tuple(scores if name == "scores" else getattr(sentences, name) for name in SEARCHED)


class _WordEvidence(nn.Module):
    """Memory, table, state, the word before and the word itself -> the state after it, and its evidence."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, memory: Tensors, table: Tensor, state: Tensors, previous: Tensor, target: Tensor) -> Tensors:
        values, after = word_evidence(self.decoder, memory, state, embedding(previous.unsqueeze(1), table), target)
        return (*after, values)


class _Judge(nn.Module):
    """Annotation vectors and the search's sentences -> what the heads say, in the order of `HEADS`."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, features: Tensor, tokens: Tensor, log_probs: Tensor, lengths: Tensor) -> Tensors:
        return tuple(judged for judged in self.heads(features, tokens, log_probs, lengths) if judged is not None)


# (T, L), which words are nouns -> the model of `_Finish`, which depends on nothing else.
_finish_models: dict[tuple[int, int, bytes | None], ModelProto] = {}


def trace_parts(model: CaptionModel, size: int, words: int, max_words: int, repeats: Repeats | None) -> Parts:
    """The parts of ``model``, in evaluation mode, for photos of ``size`` pixels and a vocabulary of ``words``.

    ``repeats``: what the vocabulary may not repeat.
    """
    parts, memory, states = _list_parts(model, size, words, max_words, repeats)
    nouns = None if repeats is None else repeats.nouns.numpy().tobytes()
    key = max_words, parts["last"].arguments[1][2].shape[-1], nouns
    if key in _finish_models:
        del parts["last"]
    models = trace(parts)
    last = copy.deepcopy(_finish_models.get(key) or _finish_models.setdefault(key, models["last"]))
    heads = models.get("heads")
    return Parts(models["first"], fold(models["word"]), last, fold(models["evidence"]), heads, memory, states)


def _list_parts(
    model: CaptionModel, size: int, words: int, max_words: int, repeats: Repeats | None
) -> tuple[dict[str, Part], list[str], list[str]]:
    """The parts by name, and the names of the memory's and the state's tensors."""
    # Two photos, three beams and two steps, because a dimension of one would be taken as fixed.
    pixels, scores, penalty = torch.zeros(2, 3, size, size), first_scores(3), torch.tensor(0.0)
    decoder, allowed = model.decoder, () if repeats is None else (torch.tensor(False),)
    step = _SearchStep(decoder, repeats)
    with torch.no_grad():
        features = model.features(pixels)
        memory = tuple(tensor.clone() for tensor in model.prepare(features))
        state = tuple(tensor.clone() for tensor in decoder.initial_state(memory))
        table = decoder.embed(torch.arange(words))
        begun = begin(decoder, memory, scores, max_words)
        carried = tuple(tensor.clone() for tensor in (*begun[:-1], *begun.state))
        chosen = step(memory, table, carried, penalty, *allowed)[1 + len(carried) :]
    choices = tuple(torch.stack([tensor] * min(2, max_words)) for tensor in chosen)
    word = torch.zeros(2, dtype=torch.int64)

    memory_names = [f"memory_{i}" for i in range(len(memory))]
    states = [f"state_{i}" for i in range(len(state))]
    of_photo, travelling, fields = [*memory_names, "table"], [*BEAM_FIELDS, *states], len(BEAM_FIELDS)
    first, of_word, last, evidence = map(Free, ("first", "word", "last", "evidence"))
    parts = {
        "first": Part(
            _Prepare(model, words, max_words),
            (pixels, scores),
            (first.photos, first.beams),
            INPUTS[:2],
            [*of_photo, *travelling, *(["features"] if model.heads else [])],
        ),
        "word": Part(
            step,
            (memory, table, carried, penalty, *allowed),
            (of_word.each_by_photo(memory), {}, of_word.each_by_beam(carried), {}, *({} for _ in allowed)),
            [*of_photo, *travelling, "length_penalty", *(ALLOW_REPEATS for _ in allowed)],
            ["go_on", *(f"next_{name}" for name in travelling), *CHOSEN],
        ),
        "last": Part(
            _Finish(repeats),
            (carried[:fields], choices, penalty),
            (last.each_by_beam(carried[:fields]), last.each_by_step(choices, max_words), {}),
            [*BEAM_FIELDS, *CHOSEN, "length_penalty"],
            [f"best_{name}" for name in SEARCHED],
        ),
        "evidence": Part(
            _WordEvidence(decoder),
            (memory, table, state, word, word),
            (evidence.each_by_photo(memory), {}, evidence.each_by_photo(state), evidence.photos, evidence.photos),
            [*of_photo, *states, "previous", "target"],
            [*(f"next_{name}" for name in states), "evidence"],
        ),
    }
    if model.heads:
        parts["heads"] = _list_heads(model.heads, features, max_words)
    return parts, memory_names, states


def _list_heads(heads: Heads, features: Tensor, max_words: int) -> Part:
    free = Free("heads")
    tokens = torch.full((2, 3, max_words), END)
    sentences = (tokens, torch.full(tokens.shape, -1.0), torch.full((2, 3), max_words))
    with torch.no_grad():
        names = [name for name, judged in heads(features, *sentences)._asdict().items() if judged is not None]
    return Part(
        _Judge(heads),
        (features, *sentences),
        (free.photos, *free.each_by_beam(sentences)),
        ["features", *JUDGED],
        [f"judged_{name}" for name in names],
    )
