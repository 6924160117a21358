"""Torch model -> one ONNX graph with the search inside it.

Modules are exported and joined: what is computed once a photo; one word of the search as the body of an ONNX `Loop`,
which ends as soon as every beam has ended; the final ordering of the beams; and, under an `If`, the evidence for each
word of the best sentence, as the body of a `Scan`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from sightline.export.parts import BEAM_FIELDS, CHOSEN, JUDGED, Parts, trace_parts
from sightline.export.trace import rename
from sightline.model_folder import ALLOW_REPEATS, HEADS, INPUTS, SEARCHED, ModelConfig, identity
from sightline.nn.encoder import fused
from sightline.nn.model import CaptionModel
from sightline.nn.repeats import repeats_of_model
from sightline.vocabulary import START, Vocabulary

_EVIDENCE = ["explained", "words", "places"]  # the dimensions of the output
_WORTH_SHARING = 1024  # bytes


def to_onnx(model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary) -> ModelProto:
    """The whole captioner as one float32 ONNX model; B photos and K beams are free at run time.

    Inputs: ``pixels`` float32 (B, 3, size, size); ``first_scores`` float32 (K,), ``[0, -1e9, -1e9, ...]``;
    ``length_penalty`` float32 (); ``explain`` bool (); where the vocabulary has words, ``allow_repeats`` bool (), which
    may be left out and is then false, see `sightline.nn.repeats`. Outputs, best beam first: ``tokens`` int64 (B, K, T),
    ``log_probs`` float32 (B, K, T), ``lengths`` int64 (B, K), ``scores`` float32 (B, K), ``attention`` float32
    (B, K, T, L), see `sightline.nn.search.Sentences`; ``evidence`` float32, where ``explain`` (B, longest, L), the best
    beams', see `sightline.nn.evidence`, otherwise (0, 0, 0). Of a model with heads then what it has of `HEADS`, see
    `sightline.nn.heads.Judgement`. ``model`` must be in evaluation mode. A decoder's state must keep its shapes from
    word to word.
    """
    size = config.preprocessing.size
    repeats = repeats_of_model(config, vocabulary)
    parts = trace_parts(ready_to_trace(model), size, len(vocabulary), config.max_words, repeats)
    joined = ModelProto()
    joined.CopyFrom(parts.first)
    joined.graph.CopyFrom(_join(parts, config.max_words))
    helper.set_model_props(joined, identity(config, vocabulary))
    onnx.checker.check_model(joined)
    return joined


def ready_to_trace(model: CaptionModel) -> CaptionModel:
    """A copy with fused batch normalisation, as the exporter would do much later, and nothing in place.

    It takes half the time to trace: of an activation in place the exporter first makes another, then traces its parts.
    """
    model = copy.deepcopy(model)
    model.encoder = fused(model.encoder)
    for module in model.encoder.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
    model.take_shortcuts()
    return model


def _join(parts: Parts, max_words: int) -> GraphProto:
    """``first``, a Loop of ``word`` at most ``max_words`` times, ``last``, ``evidence`` under an If, and ``heads``."""
    first, word, last, evidence = (part.graph for part in parts[:4])
    # Bodies read memory, table and length_penalty from the graph around them; only beams and states travel.
    inputs = {name: name for name in (*INPUTS, ALLOW_REPEATS)}
    of_photo = {name: f"first/{name}" for name in (*parts.memory, "table")}
    of_loop = {name: f"loop/{name}" for name in (*BEAM_FIELDS, *CHOSEN)}
    _prefix(first, "first", inputs)
    _prefix(word, "word", inputs | of_photo)
    _prefix(last, "last", inputs | of_loop | {f"best_{name}": name for name in SEARCHED})
    _prefix(evidence, "evidence", of_photo)
    constants = (
        helper.make_tensor("loop/max_words", TensorProto.INT64, [], [max_words]),
        helper.make_tensor("loop/begins", TensorProto.BOOL, [], [True]),
    )
    # An initializer of an input's name is what the input is by default.
    optional = [value for value in word.input if value.name == ALLOW_REPEATS]
    default = [helper.make_tensor(value.name, TensorProto.BOOL, [], [False]) for value in optional]
    judged = _judge(parts.heads.graph) if parts.heads else GraphProto()
    loop = _loop(word, first, parts.carried)  # before the nodes of ``first`` are listed, as it adds to them
    return helper.make_graph(
        [*first.node, loop, *last.node, _if_explain(evidence, parts.states), *judged.node],
        "sightline",
        [
            *first.input,
            *(value for value in last.input if value.name == "length_penalty"),
            helper.make_tensor_value_info("explain", TensorProto.BOOL, []),
            *optional,
        ],
        [*last.output, helper.make_tensor_value_info("evidence", TensorProto.FLOAT, _EVIDENCE), *judged.output],
        [*first.initializer, *last.initializer, *constants, *default, *judged.initializer],
    )


def _judge(heads: GraphProto) -> GraphProto:
    """The heads' part, reading what ``first`` and ``last`` give."""
    read = {"features": "first/features", **{name: name for name in JUDGED}}
    _prefix(heads, "heads", read | {f"judged_{name}": name for name in HEADS})
    return heads


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
        [f"loop/{name}" for name in (*carried, *CHOSEN)],
        name="loop",
        body=word,
    )


def _if_explain(evidence: GraphProto, states: Sequence[str]) -> NodeProto:
    """The best sentence once more, word by word, for the evidence; an empty tensor where ``explain`` is false."""
    result = [helper.make_tensor_value_info("then/evidence", TensorProto.FLOAT, _EVIDENCE)]
    constants = [
        *(helper.make_tensor(f"then/{i}", TensorProto.INT64, [1], [i]) for i in range(2)),
        helper.make_tensor("then/best", TensorProto.INT64, [], [0]),
        helper.make_tensor("then/start", TensorProto.INT64, [], [START]),
        helper.make_tensor("then/one_later", TensorProto.INT64, [4], [0, 1, 0, -1]),
    ]
    then = helper.make_graph([*_best_sentence(states), _scan(evidence, states)], "then", [], result, constants)
    nothing = helper.make_tensor("else/evidence", TensorProto.FLOAT, [0, 0, 0], [])
    otherwise = helper.make_graph(
        [helper.make_node("Constant", [], ["else/evidence"], value=nothing)],
        "else",
        [],
        [helper.make_tensor_value_info("else/evidence", TensorProto.FLOAT, _EVIDENCE)],
    )
    return helper.make_node("If", ["explain"], ["evidence"], name="if_explain", then_branch=then, else_branch=otherwise)


def _best_sentence(states: Sequence[str]) -> list[NodeProto]:
    """The decoder's state before the first word, and the best sentence's words, each with the word before it.

    Words are cut at the longest sentence of the batch, as every word costs a step for each location.
    """
    node = helper.make_node
    return [
        # All beams begin with the same state.
        *(
            node("Slice", [f"first/{name}", "then/0", "then/1", "then/1"], [f"then/{name}"], name=f"then/{name}")
            for name in states
        ),
        node("Gather", ["tokens", "then/best"], ["then/words"], name="then/words", axis=1),
        node("ReduceMax", ["lengths"], ["then/longest"], name="then/longest", keepdims=0),
        node("Unsqueeze", ["then/longest", "then/0"], ["then/end"], name="then/end"),
        node("Slice", ["then/words", "then/0", "then/end", "then/1"], ["then/target"], name="then/target"),
        node("Pad", ["then/target", "then/one_later", "then/start"], ["then/previous"], name="then/previous"),
    ]


def _scan(evidence: GraphProto, states: Sequence[str]) -> NodeProto:
    own = [value for value in evidence.input if value.name.startswith("evidence/")]  # states, previous, target
    del evidence.input[:]
    evidence.input.extend(own)
    return helper.make_node(
        "Scan",
        [*(f"then/{name}" for name in states), "then/previous", "then/target"],
        [*(f"scan/{name}" for name in states), "then/evidence"],
        name="scan",
        body=evidence,
        num_scan_inputs=2,
        scan_input_axes=[1, 1],
        scan_output_axes=[1],
    )


def _prefix(graph: GraphProto, prefix: str, known: Mapping[str, str]) -> None:
    """Put ``prefix`` before every name of the graph, except those in ``known``, which become what it says."""
    rename(graph, lambda name: known.get(name, f"{prefix}/{name}"))
    for node in graph.node:
        node.name = f"{prefix}/{node.name}"
    del graph.value_info[:]


def move_invariants(body: GraphProto, around: GraphProto, before: Mapping[str, str]) -> None:
    """Move nodes that no word changes from a loop's ``body`` to the graph ``around`` it, in their order, to its end.

    Those are nodes that read nothing that is carried from word to word, or its shape alone, which stays as it is.
    ``before``: the names of what is carried -> what it is before the first word, in ``around``.
    """
    changing = {value.name for value in body.input}
    outputs = {value.name for value in body.output}
    moved, stay = [], []
    for node in body.node:
        if node.op_type == "Shape":
            node.input[:] = [before.get(name, name) for name in node.input]
        if changing.intersection(node.input) or outputs.intersection(node.output):
            changing.update(node.output)
            stay.append(node)
        else:
            moved.append(node)
    read = {name for node in moved for name in node.input}
    around.initializer.extend(weight for weight in body.initializer if weight.name in read)
    around.node.extend(moved)
    kept = [weight for weight in body.initializer if weight.name not in read]
    del body.node[:], body.initializer[:]
    body.node.extend(stay)
    body.initializer.extend(kept)


def graphs_within(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph's branches and bodies, the innermost first, then the graph itself; each may be changed as it comes."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_within(attribute.g)
    yield graph


def share_weights(model: ModelProto) -> ModelProto:
    """Store equal weights once: in the outermost graph, where every other graph may read them."""
    copies = defaultdict(list)
    for graph in list(graphs_within(model.graph)):
        for weight in graph.initializer:
            if len(weight.raw_data) >= _WORTH_SHARING:
                copies[weight.data_type, tuple(weight.dims), weight.raw_data].append((graph, weight))
    for equal in copies.values():
        if len(equal) > 1:
            outermost, kept = equal[-1]  # the outermost graph comes last
            for graph, weight in equal[:-1]:
                _read_another(graph, weight.name, kept.name)
                graph.initializer.remove(weight)
            if outermost is not model.graph:
                model.graph.initializer.append(kept)
                outermost.initializer.remove(kept)
    return model


def _read_another(graph: GraphProto, old: str, new: str) -> None:
    """Let the graph and those within it, which may read its weights, read the weight ``new``."""
    for reader in graphs_within(graph):
        for node in reader.node:
            node.input[:] = [new if name == old else name for name in node.input]
