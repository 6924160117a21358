"""Torch modules -> ONNX models, by one run of torch's exporter.

The modules are exported as one, with the inputs and outputs of all, then cut apart again: much of what the exporter
does costs the same for a small module as for a large one.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from onnx import GraphProto, ModelProto
from onnxscript import opset20
from onnxscript.optimizer import optimize
from torch import Tensor, nn

Tensors: TypeAlias = tuple[Tensor, ...]


class Part(NamedTuple):
    """A module to trace.

    Attributes:
        module: takes ``arguments``, gives a tuple of tensors.
        arguments: examples: tensors and tuples of tensors. A dimension of one would be taken as fixed.
        free: for each tensor of ``arguments`` its free dimensions, by number; see `Free`.
        inputs: names of the tensors in ``arguments``.
        outputs: names of the tensors that the module gives.
    """

    module: nn.Module
    arguments: tuple[Any, ...]
    free: tuple[Any, ...]
    inputs: Sequence[str]
    outputs: Sequence[str]


class Free:
    """The free dimensions of a part. Each part has its own: of equal ones, the exporter would read one part's alone."""

    def __init__(self, part: str) -> None:
        self.part = part
        self._photos, self._beams = torch.export.Dim(f"photos_{part}"), torch.export.Dim(f"beams_{part}")
        self.photos, self.beams = {0: self._photos}, {0: self._beams}

    def each_by_photo(self, tensors: Tensors) -> tuple[Any, ...]:
        """Of tensors (P, ...)."""
        return tuple(self.photos for _ in tensors)

    def each_by_beam(self, tensors: Tensors) -> tuple[Any, ...]:
        """Of tensors (P, K, ...) or ()."""
        return tuple({0: self._photos, 1: self._beams} if tensor.dim() else {} for tensor in tensors)

    def each_by_step(self, tensors: Tensors, max_words: int) -> tuple[Any, ...]:
        """Of tensors (S, P, K, ...) with S from 1 to ``max_words``."""
        steps = {0: torch.export.Dim(f"steps_{self.part}", max=max_words)} if max_words > 1 else {}
        return tuple(steps | {1: self._photos, 2: self._beams} for _ in tensors)


class _Together(nn.Module):
    """Parts as one module."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, arguments: tuple[tuple[Any, ...], ...]) -> Tensors:
        """The outputs of all parts in a row; ``arguments`` has a tuple for each part."""
        return tuple(out for part, given in zip(self.parts, arguments, strict=True) for out in part(*given))


def trace(parts: Mapping[str, Part]) -> dict[str, ModelProto]:
    """The ONNX model of each part, by its name; opset 18 or later, float32."""
    together = _Together([part.module for part in parts.values()])
    with _quiet():
        program = torch.onnx.export(
            together.eval(),
            (_cloned(tuple(part.arguments for part in parts.values())),),
            dynamo=True,
            dynamic_shapes=(tuple(part.free for part in parts.values()),),
            verbose=False,
            input_names=[f"{name}/{value}" for name, part in parts.items() for value in part.inputs],
            output_names=[f"{name}/{value}" for name, part in parts.items() for value in part.outputs],
            custom_translation_table=_TRANSLATIONS,
        )
    assert program is not None
    whole = program.model_proto
    return {name: _cut(whole, name) for name in parts}


def _cloned(arguments: Any) -> Any:
    """Tensors of their own: the exporter takes a tensor that is given twice for one input."""
    return tuple(map(_cloned, arguments)) if isinstance(arguments, tuple) else arguments.clone()


def _cut(whole: ModelProto, part: str) -> ModelProto:
    """A part's own model: its inputs and outputs, and everything that its outputs are computed from."""
    prefix = f"{part}/"
    graph = GraphProto(name=part)
    graph.input.extend(value for value in whole.graph.input if value.name.startswith(prefix))
    graph.output.extend(value for value in whole.graph.output if value.name.startswith(prefix))
    needed, nodes = {value.name for value in graph.output}, []
    for node in reversed(whole.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            node.ClearField("metadata_props")  # half a megabyte of stack traces, with paths of this machine
            needed.update(node.input)
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(weight for weight in whole.graph.initializer if weight.name in needed)
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = dimension.dim_param.removesuffix(f"_{part}")
    rename(graph, lambda name: name.removeprefix(prefix))
    return ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import, graph=graph)


def rename(graph: GraphProto, new: Callable[[str], str]) -> None:
    """Give every value of the graph, which has no graphs within it, another name."""
    for node in graph.node:
        node.input[:] = [new(name) if name else name for name in node.input]
        node.output[:] = [new(name) if name else name for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = new(value.name)


def fold(model: ModelProto) -> ModelProto:
    """Compute whatever depends on weights alone, however large it is."""
    folded: ModelProto = optimize(model, input_size_limit=sys.maxsize, output_size_limit=sys.maxsize)
    return folded


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the exporter's warnings, which are for its developers; what the caller disabled stays disabled."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(max(before, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(before)


_op: Any = opset20


def _stable_sort(values: Any, *, stable: bool, dim: int = -1, descending: bool = False) -> Any:
    """The exporter has no translation of a stable sort. ONNX's TopK is stable: equal values keep their order."""
    return _op.TopK(values, _op.Shape(values, start=dim, end=dim + 1), axis=dim, largest=int(descending))


def _matmul(left: Any, right: Any) -> Any:
    """A product with a vector on the right (attention's v) as a sum along each row, any other as MatMul.

    ONNX Runtime is slow at matrix times vector, and its order of summation depends on the number of rows.
    """
    if len(right.shape) != 1:
        return _op.MatMul(left, right)
    return _op.ReduceSum(_op.Mul(left, right), _op.Constant(value_ints=[-1]), keepdims=0)


def _mean(x: Any, dim: Any, keepdim: bool = False, dtype: Any = None) -> Any:
    """The mean over a photo's locations as a product with a row of 1/L, any other mean as ReduceMean.

    ReduceMean's order of summation depends on the number of photos, so int8 rounding could differ with the batch.
    """
    if len(x.shape) == 3 and list(dim) == [1] and keepdim and isinstance(x.shape[1], int):
        share = _op.Constant(value_floats=[1 / x.shape[1]] * x.shape[1])
        return _op.MatMul(_op.Unsqueeze(share, [0]), x)
    return _op.ReduceMean(x, _op.Constant(value_ints=list(dim)), keepdims=int(keepdim))


def _gather(data: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    """GatherND with one index a row where `select` expanded that index over the row, GatherElements otherwise."""
    expand = index.producer()
    if dim == 1 and expand is not None and expand.op_type == "Expand":
        row = expand.inputs[0]  # (P, K, 1, ...)
        if len(row.shape) > 2 and all(size == 1 for size in row.shape[2:]):
            return _op.GatherND(data, row if len(row.shape) == 3 else _op.Reshape(row, [0, 0, 1]), batch_dims=1)
    return _op.GatherElements(data, index, axis=dim)


def _floor_divide(left: Any, right: Any) -> Any:
    """Division of indices, which are never negative; the exporter's translation spends eight nodes on the sign."""
    return _op.Div(left, right)


def _remainder(left: Any, right: Any) -> Any:
    """Remainder of indices, see `_floor_divide`."""
    return _op.Mod(left, right)


def _take(vector: Any, index: Any) -> Any:
    """The elements of a vector at an index of any shape, for which the exporter has no translation."""
    return _op.Gather(vector, index)


def _lerp(start: Any, end: Any, weight: Any) -> Any:
    """start + weight (end - start); the exporter's translation starts from ``end`` where the weight is over a half."""
    return _op.Add(start, _op.Mul(weight, _op.Sub(end, start)))


# Torch operations that the exporter cannot translate, or translates into more nodes than ONNX Runtime needs.
_TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.sort.stable: _stable_sort,
    torch.ops.aten.matmul.default: _matmul,
    torch.ops.aten.mean.dim: _mean,
    torch.ops.aten.gather.default: _gather,
    torch.ops.aten.floor_divide.default: _floor_divide,
    torch.ops.aten.remainder.Scalar: _remainder,
    torch.ops.aten.lerp.Tensor: _lerp,
    torch.ops.aten.take.default: _take,
}
