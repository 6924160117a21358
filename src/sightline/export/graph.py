"""Torch model -> one ONNX graph with the search inside it.

Modules are exported and joined: what is computed once a photo; one word of the search as the body of an ONNX `Loop`,
which ends as soon as every beam has ended; the final ordering of the beams; and, under an `If`, the evidence for each
word of the best sentence, as the body of a `Scan`.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from onnxscript.optimizer import optimize
from torch import nn

from sightline.export.invariants import move_invariants
from sightline.export.parts import BEAM_FIELDS, BestSentence, Finish, Prepare, SearchStep, WordEvidence
from sightline.export.translations import TRANSLATIONS
from sightline.model_folder import INPUTS, SEARCHED, ModelConfig, identity
from sightline.nn.encoder import fused
from sightline.nn.model import CaptionModel
from sightline.nn.search import Choices, first_scores
from sightline.vocabulary import Vocabulary

_CHOSEN = [f"chosen_{name}" for name in Choices._fields]
_PHOTOS, _BEAMS = torch.export.Dim("photos"), torch.export.Dim("beams")


def to_onnx(model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary) -> ModelProto:
    """The whole captioner as one float32 ONNX model; B photos and K beams are free at run time.

    Inputs: ``pixels`` float32 (B, 3, size, size); ``first_scores`` float32 (K,), ``[0, -1e9, -1e9, ...]``;
    ``length_penalty`` float32 (); ``explain`` bool (). Outputs, best beam first: ``tokens`` int64 (B, K, T),
    ``log_probs`` float32 (B, K, T), ``lengths`` int64 (B, K), ``scores`` float32 (B, K), ``attention`` float32
    (B, K, T, L), see `sightline.nn.search.Sentences`; ``evidence`` float32, where ``explain`` (B, longest, L), the best
    beams', see `sightline.nn.evidence`, otherwise (0, 0, 0). ``model`` must be in evaluation mode. A decoder's state
    must keep its shapes from word to word.
    """
    size = config.preprocessing.size
    model = copy.deepcopy(model)
    model.encoder = fused(model.encoder)  # as the exporter would do, much later, after tracing them
    parts = _parts(model, size, len(vocabulary), config.max_words)
    joined = ModelProto()
    joined.CopyFrom(parts.first)
    joined.graph.CopyFrom(_join(parts, config.max_words))
    helper.set_model_props(joined, identity(config, vocabulary))
    onnx.checker.check_model(joined)
    return joined


class _Parts(NamedTuple):
    """What is joined, and the names of what travels from word to word of the search."""

    first: ModelProto
    word: ModelProto
    last: ModelProto
    best: ModelProto
    evidence: ModelProto
    carried: list[str]


def _parts(model: CaptionModel, size: int, words: int, max_words: int) -> _Parts:
    # Two photos, three beams and two steps, because a dimension of one would be taken as fixed.
    pixels, scores, penalty = torch.zeros(2, 3, size, size), first_scores(3), torch.tensor(0.0)
    decoder, prepare = model.decoder, Prepare(model, words, max_words)
    with torch.no_grad():
        values = tuple(tensor.clone() for tensor in prepare(pixels, scores))
        memory_count = len(model.prepare(model.features(pixels)))
        memory, table, beams = values[:memory_count], values[memory_count], values[memory_count + 1 :]
        chosen = SearchStep(decoder)(memory, table, beams, penalty)[1 + len(beams) :]
        choices = tuple(torch.stack([tensor] * min(2, max_words)) for tensor in chosen)
        tokens = Finish()(beams, choices, penalty)[0]
        read, said, *state = BestSentence(decoder)(memory, tokens)

    of_photo = [*(f"memory_{i}" for i in range(memory_count)), "table"]
    states = [f"state_{i}" for i in range(len(state))]
    carried = [*BEAM_FIELDS, *states]
    by_photo, by_state = tuple({0: _PHOTOS} for _ in memory), tuple({0: _PHOTOS} for _ in state)
    by_beam = tuple({0: _PHOTOS, 1: _BEAMS} if tensor.dim() else {} for tensor in beams)
    steps = {0: torch.export.Dim("steps", max=max_words)} if max_words > 1 else {}
    by_step = tuple(steps | {1: _PHOTOS, 2: _BEAMS} for _ in choices)
    return _Parts(
        _export(prepare, (pixels, scores), ({0: _PHOTOS}, {0: _BEAMS}), INPUTS[:2], [*of_photo, *carried]),
        _folded(
            SearchStep(decoder),
            (memory, table, beams, penalty),
            (by_photo, {}, by_beam, {}),
            [*of_photo, *carried, "length_penalty"],
            ["go_on", *(f"next_{name}" for name in carried), *_CHOSEN],
        ),
        _export(
            Finish(),
            (beams, choices, penalty),
            (by_beam, by_step, {}),
            [*carried, *_CHOSEN, "length_penalty"],
            [f"best_{name}" for name in SEARCHED],
        ),
        _export(
            BestSentence(decoder),
            (memory, tokens),
            (by_photo, {0: _PHOTOS, 1: _BEAMS}),
            [*of_photo[:-1], "tokens"],
            ["read", "said", *states],
        ),
        _folded(
            WordEvidence(decoder),
            (memory, table, tuple(state), read[:, 0], said[:, 0]),
            (by_photo, {}, by_state, {0: _PHOTOS}, {0: _PHOTOS}),
            [*of_photo, *states, "read", "said"],
            [*(f"next_{name}" for name in states), "evidence"],
        ),
        carried,
    )


def _join(parts: _Parts, max_words: int) -> GraphProto:
    """``first``, a Loop of ``word`` at most ``max_words`` times, ``last``, and the evidence if it is asked for."""
    first, word, last, best, evidence = (part.graph for part in parts[:5])
    # Bodies read memory, table and length_penalty from the graph around them; only beams and states travel.
    shared = {name: name for name in INPUTS}
    of_photo = {
        value.name: f"first/{value.name}" for value in word.input if value.name.startswith(("memory_", "table"))
    }
    from_loop = {name: f"loop/{name}" for name in (*parts.carried, *_CHOSEN)}
    _rename(first, "first", shared)
    _rename(word, "word", shared | of_photo)
    _rename(last, "last", shared | {f"best_{name}": name for name in SEARCHED} | from_loop)
    _rename(best, "best", of_photo | {"tokens": "tokens"})
    _rename(evidence, "evidence", of_photo)
    constants = (
        helper.make_tensor("loop/max_words", TensorProto.INT64, [], [max_words]),
        helper.make_tensor("loop/begins", TensorProto.BOOL, [], [True]),
    )
    loop = _loop(word, first, parts.carried)  # before the nodes of ``first`` are listed, as it adds to them
    return helper.make_graph(
        [*first.node, loop, *last.node, _if_explain(best, evidence)],
        "sightline",
        [
            *first.input,
            *(value for value in last.input if value.name == "length_penalty"),
            helper.make_tensor_value_info("explain", TensorProto.BOOL, []),
        ],
        [*last.output, helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["explained", "words", "places"])],
        [*first.initializer, *last.initializer, *constants],
    )


def _loop(word: GraphProto, first: GraphProto, carried: Sequence[str]) -> NodeProto:
    counter = helper.make_tensor_value_info("word/number", TensorProto.INT64, [])
    condition = helper.make_tensor_value_info("word/goes_on", TensorProto.BOOL, [])
    beams = [value for value in word.input if value.name in {f"word/{name}" for name in carried}]
    del word.input[:]
    word.input.extend([counter, condition, *beams])
    move_invariants(word, first, {f"word/{name}": f"first/{name}" for name in carried})
    return helper.make_node(
        "Loop",
        ["loop/max_words", "loop/begins", *(f"first/{name}" for name in carried)],
        [f"loop/{name}" for name in (*carried, *_CHOSEN)],
        name="loop",
        body=word,
    )


def _if_explain(best: GraphProto, evidence: GraphProto) -> NodeProto:
    """The best sentence once more, word by word, for the evidence; nothing where it is not asked for."""
    shape = ["explained", "words", "places"]
    result = [helper.make_tensor_value_info("then/evidence", TensorProto.FLOAT, shape)]
    read_and_said = [value.name for value in best.output[:2]]
    states = [value.name for value in best.output[2:]]
    axes = [helper.make_tensor(f"then/{i}", TensorProto.INT64, [1], [i]) for i in range(2)]
    then = helper.make_graph(
        [*best.node, *_trim(read_and_said), _scan(evidence, states, [f"{name}/trimmed" for name in read_and_said])],
        "then",
        [],
        result,
        [*best.initializer, *axes],
    )
    nothing = helper.make_tensor("else/evidence", TensorProto.FLOAT, [0, 0, 0], [])
    otherwise = helper.make_graph(
        [helper.make_node("Constant", [], ["else/evidence"], value=nothing)],
        "else",
        [],
        [helper.make_tensor_value_info("else/evidence", TensorProto.FLOAT, shape)],
    )
    return helper.make_node("If", ["explain"], ["evidence"], name="if_explain", then_branch=then, else_branch=otherwise)


def _trim(names: Sequence[str]) -> list[NodeProto]:
    """Tensors (B, T) no further than the longest sentence, as every word is looked at once for each location."""
    return [
        helper.make_node("ReduceMax", ["lengths"], ["then/longest"], keepdims=0),
        helper.make_node("Unsqueeze", ["then/longest", "then/0"], ["then/end"]),
        *(helper.make_node("Slice", [name, "then/0", "then/end", "then/1"], [f"{name}/trimmed"]) for name in names),
    ]


def _scan(evidence: GraphProto, states: Sequence[str], read_and_said: Sequence[str]) -> NodeProto:
    own = [value for value in evidence.input if value.name.startswith("evidence/")]  # states, read, said
    del evidence.input[:]
    evidence.input.extend(own)
    return helper.make_node(
        "Scan",
        [*states, *read_and_said],
        [*(f"scan/{name}" for name in states), "then/evidence"],
        name="scan",
        body=evidence,
        num_scan_inputs=2,
        scan_input_axes=[1, 1],
        scan_output_axes=[1],
    )


def _rename(graph: GraphProto, prefix: str, known: Mapping[str, str]) -> None:
    """Put ``prefix`` before every name of the graph, except those in ``known``, which become what it says."""

    def new(name: str) -> str:
        return known.get(name, f"{prefix}/{name}") if name else name

    for node in graph.node:
        node.name = f"{prefix}/{node.name}"
        node.input[:] = map(new, node.input)
        node.output[:] = map(new, node.output)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = new(value.name)
    del graph.value_info[:]


def _export(
    module: nn.Module,
    arguments: tuple,
    dynamic: tuple,
    inputs: Sequence[str],
    outputs: Sequence[str],  # type: ignore[type-arg]
) -> ModelProto:
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            arguments,
            dynamo=True,
            dynamic_shapes=dynamic,
            verbose=False,
            input_names=list(inputs),
            output_names=list(outputs),
            custom_translation_table=TRANSLATIONS,
        )
    assert program is not None
    return program.model_proto


def _folded(module: nn.Module, *signature: Any) -> ModelProto:
    """As `_export`, with whatever depends on weights alone computed, however large it is."""
    folded: ModelProto = optimize(
        _export(module, *signature), input_size_limit=sys.maxsize, output_size_limit=sys.maxsize
    )
    return folded


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's notes are for its developers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
