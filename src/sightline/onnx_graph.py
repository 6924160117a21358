"""Torch model -> one ONNX graph with the search inside it.

Three modules are exported and joined: what is computed once a photo, one word of the search as the body of an ONNX
`Loop`, and the final ordering of the beams. The Loop ends as soon as every beam has ended.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import GraphProto, ModelProto, TensorProto, helper
from onnxscript import opset20
from torch import Tensor, nn
from torch.nn.functional import embedding

from sightline.bundle import INPUTS, OUTPUTS, ModelConfig, identity
from sightline.nn.decoder import Decoder
from sightline.nn.encoder import fused
from sightline.nn.model import CaptionModel
from sightline.nn.search import Beams, Choices, advance, begin, finish, first_scores
from sightline.vocabulary import Vocabulary

_FIELDS = Beams._fields[:-1]  # the decoder's state, a tuple of tensors, is counted apart
_CHOSEN = [f"chosen_{name}" for name in Choices._fields]
_op: Any = opset20
_PHOTOS, _BEAMS = torch.export.Dim("photos"), torch.export.Dim("beams")


class _Prepare(nn.Module):
    """Pixels -> the decoder's memory and the beams before their first word."""

    def __init__(self, model: CaptionModel, max_words: int) -> None:
        super().__init__()
        self.model, self.max_words = model, max_words

    def forward(self, pixels: Tensor, first_scores: Tensor) -> tuple[Tensor, ...]:
        memory = self.model.prepare(self.model.features(pixels))
        return (*memory, *_flat(begin(self.model.decoder, memory, first_scores, self.max_words)))


class _Step(nn.Module):
    """Memory and beams -> whether to go on, the beams one word longer, and what was chosen."""

    def __init__(self, decoder: Decoder, words: int) -> None:
        super().__init__()
        self.decoder, self.words = decoder, words

    def forward(self, memory: tuple[Tensor, ...], flat: tuple[Tensor, ...], penalty: Tensor) -> tuple[Tensor, ...]:
        beams = _beams(flat)
        # Of constants alone, so ONNX Runtime makes this table once, when it loads the model.
        table = self.decoder.embed(torch.arange(self.words))
        after, chosen = advance(self.decoder, memory, beams, embedding(beams.words, table), penalty)
        return (~after.ended.all(), *_flat(after), *chosen)


class _Finish(nn.Module):
    """Beams and all that was chosen -> what the search returns, best first."""

    def forward(self, beams: tuple[Tensor, ...], choices: tuple[Tensor, ...], penalty: Tensor) -> tuple[Tensor, ...]:
        sentences, scores = finish(_beams(beams), Choices(*choices), penalty)
        return tuple(scores if name == "scores" else getattr(sentences, name) for name in OUTPUTS)


def to_onnx(model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary) -> ModelProto:
    """The whole captioner as one float32 ONNX model; B photos and K beams are free at run time.

    Inputs: ``pixels`` float32 (B, 3, size, size); ``first_scores`` float32 (K,), ``[0, -1e9, -1e9, ...]``;
    ``length_penalty`` float32 (). Outputs, best beam first: ``tokens`` int64 (B, K, T), ``log_probs`` float32
    (B, K, T), ``lengths`` int64 (B, K), ``scores`` float32 (B, K), ``attention`` float32 (B, K, T, L); see
    `sightline.nn.search.Sentences`. ``model`` must be in evaluation mode. A decoder's state must keep its shapes from
    word to word.
    """
    size = config.preprocessing.size
    model = copy.deepcopy(model)
    model.encoder = fused(model.encoder)  # as the exporter would do, much later, after tracing them
    # Two photos, three beams and two steps, because a dimension of one would be taken as fixed.
    pixels, scores, penalty = torch.zeros(2, 3, size, size), first_scores(3), torch.tensor(0.0)
    prepare = _Prepare(model, config.max_words)
    with torch.no_grad():
        values = tuple(tensor.clone() for tensor in prepare(pixels, scores))
        memory_count = len(model.prepare(model.features(pixels)))
        memory, beams = values[:memory_count], values[memory_count:]
        chosen = _Step(model.decoder, len(vocabulary))(memory, beams, penalty)[1 + len(beams) :]
    choices = tuple(torch.stack([tensor] * min(2, config.max_words)) for tensor in chosen)

    names = [f"memory_{i}" for i in range(memory_count)]
    carried = [*_FIELDS, *(f"state_{i}" for i in range(len(beams) - len(_FIELDS)))]
    by_photo = tuple({0: _PHOTOS} for _ in memory)
    by_beam = tuple({0: _PHOTOS, 1: _BEAMS} if tensor.dim() else {} for tensor in beams)
    steps = {0: torch.export.Dim("steps", max=config.max_words)} if config.max_words > 1 else {}
    by_step = tuple(steps | {1: _PHOTOS, 2: _BEAMS} for _ in choices)
    first = _export(prepare, (pixels, scores), ({0: _PHOTOS}, {0: _BEAMS}), INPUTS[:2], [*names, *carried])
    body = _export(
        _Step(model.decoder, len(vocabulary)),
        (memory, beams, penalty),
        (by_photo, by_beam, {}),
        [*names, *carried, "length_penalty"],
        ["go_on", *(f"next_{name}" for name in carried), *_CHOSEN],
    )
    last = _export(
        _Finish(),
        (beams, choices, penalty),
        (by_beam, by_step, {}),
        [*carried, *_CHOSEN, "length_penalty"],
        [f"best_{name}" for name in OUTPUTS],
    )

    joined = ModelProto()
    joined.CopyFrom(first)
    joined.graph.CopyFrom(_join(first.graph, body.graph, last.graph, carried, config.max_words))
    helper.set_model_props(joined, identity(config, vocabulary))
    onnx.checker.check_model(joined)
    return joined


def _join(first: GraphProto, body: GraphProto, last: GraphProto, carried: Sequence[str], max_words: int) -> GraphProto:
    """``first``, then a Loop of ``body`` at most ``max_words`` times, then ``last``, as one graph."""
    shared = {name: name for name in INPUTS}
    memory = {value.name: f"first/{value.name}" for value in body.input if value.name.startswith("memory_")}
    from_loop = [*carried, *_CHOSEN]
    _rename(first, "first", shared)
    _rename(body, "word", shared | memory)
    _rename(last, "last", shared | {f"best_{name}": name for name in OUTPUTS} | {n: f"loop/{n}" for n in from_loop})

    # The body reads memory and length_penalty from the graph around it; only the beams travel from word to word.
    beams = [value for value in body.input if value.name in {f"word/{name}" for name in carried}]
    counter = helper.make_tensor_value_info("word/number", TensorProto.INT64, [])
    condition = helper.make_tensor_value_info("word/goes_on", TensorProto.BOOL, [])
    del body.input[:]
    body.input.extend([counter, condition, *beams])
    loop = helper.make_node(
        "Loop",
        ["loop/max_words", "loop/begins", *(f"first/{name}" for name in carried)],
        [f"loop/{name}" for name in from_loop],
        name="loop",
        body=body,
    )
    constants = (
        helper.make_tensor("loop/max_words", TensorProto.INT64, [], [max_words]),
        helper.make_tensor("loop/begins", TensorProto.BOOL, [], [True]),
    )
    return helper.make_graph(
        [*first.node, loop, *last.node],
        "sightline",
        [*first.input, *(value for value in last.input if value.name == "length_penalty")],
        last.output,
        [*first.initializer, *last.initializer, *constants],
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
            custom_translation_table=_TRANSLATIONS,
        )
    assert program is not None
    return program.model_proto


def _stable_sort(values: Any, *, stable: bool, dim: int = -1, descending: bool = False) -> Any:
    """The exporter knows no stable sort; ONNX's TopK is one, as it gives equal values in their order."""
    return _op.TopK(values, _op.Shape(values, start=dim, end=dim + 1), axis=dim, largest=int(descending))


def _matmul(left: Any, right: Any) -> Any:
    """As the exporter's, but for a vector on the right (attention's v): ONNX Runtime multiplies these slowly."""
    if len(right.shape) != 1:
        return _op.MatMul(left, right)
    rows = _op.Reshape(left, [-1, right.shape[0]])
    products = _op.Gemm(_op.Unsqueeze(right, [0]), rows, transB=1)
    return _op.Reshape(products, _op.Shape(left, start=0, end=-1))


def _gather(data: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    """As the exporter's, but by one index a row where `select` spread it over the row."""
    spread = index.producer()
    if dim == 1 and spread is not None and spread.op_type == "Expand":
        row = spread.inputs[0]  # (P, K, 1, ...)
        if len(row.shape) > 2 and all(size == 1 for size in row.shape[2:]):
            return _op.GatherND(data, _op.Reshape(row, [0, 0, 1]), batch_dims=1)
    return _op.GatherElements(data, index, axis=dim)


def _floor_divide(left: Any, right: Any) -> Any:
    """Of indices, which are never negative; the exporter's has eight nodes to see to those that are."""
    return _op.Div(left, right)


def _lerp(start: Any, end: Any, weight: Any) -> Any:
    """The exporter's takes the other end for weights over a half, for the last bit of accuracy."""
    return _op.Add(start, _op.Mul(weight, _op.Sub(end, start)))


_TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.sort.stable: _stable_sort,
    torch.ops.aten.matmul.default: _matmul,
    torch.ops.aten.gather.default: _gather,
    torch.ops.aten.floor_divide.default: _floor_divide,
    torch.ops.aten.lerp.Tensor: _lerp,
}


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


def _flat(beams: Beams) -> tuple[Tensor, ...]:
    return (*beams[:-1], *beams.state)


def _beams(values: Sequence[Tensor]) -> Beams:
    return Beams._make([*values[: len(_FIELDS)], tuple(values[len(_FIELDS) :])])
