"""Smaller weights in a finished ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sightline.export.graph import graphs_within
from sightline.export.integers import integer_scales

Range: TypeAlias = tuple[float, float]

_WORTH_SHRINKING = 256
# Filters with so many weights stand last in an encoder, where few layers' errors still add up.
_MANY = 200_000
_LARGEST = 127
# What products in integers read: [-1, 1] is laid over 1 to 255, with 0 in the middle.
_RUNTIME_DOMAIN = "com.microsoft"  # ONNX Runtime's own operations
_STEP, _MIDDLE, _LAST_AXIS, _TINY = (f"eight_bits/{name}" for name in ("step", "middle", "last_axis", "tiny"))
_CONSTANTS: dict[str, NDArray[Any]] = {
    _STEP: np.array(1 / _LARGEST, np.float32),
    _MIDDLE: np.array(128, np.uint8),
    _LAST_AXIS: np.array([-1], np.int64),
    _TINY: np.array(1e-20, np.float32),
}

_OF_OPERATION = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0)}
# What only chooses among its first input's values, or puts them in another place.
_ARRANGING = {
    *("Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity"),
    *("Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
}


def as_they_are(model: ModelProto) -> ModelProto:
    """Float32 weights."""
    return model


def half(model: ModelProto) -> ModelProto:
    """Weights stored as float16, turned back into float32 when the model is loaded: half the file, the same speed."""
    for graph in graphs_within(model.graph):
        restoring = [_halved(weight) for weight in list(_large(graph))]
        _replace_nodes(graph, [*restoring, *graph.node])
    return model


def eight_bits(model: ModelProto) -> ModelProto:
    """Matrices and the largest filters stored as int8 with a float32 scale for each output, other filters as float16.

    Products by a matrix are computed in integers too: in the Loop a few rows meet large matrices at every word, and
    fetching the weights takes longest. Filters and tables are turned back into float32 when the model is loaded;
    most filters keep sixteen bits because the errors of so many layers add up: all at eight, twice as many captions
    change.
    """
    ranges = known_ranges(model.graph)
    model.opset_import.append(helper.make_opsetid(_RUNTIME_DOMAIN, 1))
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in _CONSTANTS.items())
    for graph in graphs_within(model.graph):
        readers = {name: node for node in graph.node for name in node.input}
        weights = {weight.name: weight for weight in _large(graph) if weight.name in readers}
        vectors = {vector.name for vector in graph.initializer if len(vector.dims) == 1}
        nodes: list[NodeProto] = []
        added: set[str] = set()
        for node in graph.node:
            factor = weights.get(node.input[1]) if node.op_type == "MatMul" else None
            if factor is not None:
                unit = ranges.get(node.input[0]) == (-1.0, 1.0)
                output, bias = (_sum(node.output[0], graph, vectors) if unit else None) or (node.output[0], [])
                added.update([output] if bias else [])
                nodes += _integer_product(graph, node, weights.pop(factor.name), unit, output, bias)
            elif node.output[0] not in added:
                nodes.append(node)
        for name, weight in weights.items():
            small = len(weight.dims) > 2 and np.prod(weight.dims) < _MANY
            nodes[:0] = [_halved(weight)] if small else _restored(graph, weight, readers[name])
        _replace_nodes(graph, nodes)
    return model


def optimize(path: Path) -> None:
    """Fuse the operations of an int8 model.onnx in its file, so that ONNX Runtime need not at every start.

    Only what holds on every processor: layouts are chosen when the model is loaded. Constants are not computed either,
    as the table of words is 18 times as large as what it is computed from.
    """
    fused = path.with_name(f"{path.stem}-fused{path.suffix}")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(fused)
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            path, options, disabled_optimizers=["ConstantFolding"], providers=["CPUExecutionProvider"]
        )
        model = onnx.load(fused)
    finally:
        fused.unlink(missing_ok=True)
    needed = [entry for entry in model.opset_import if entry.domain in ("", _RUNTIME_DOMAIN)]
    del model.opset_import[:]
    model.opset_import.extend(needed)
    onnx.save(model, path)


PRECISIONS: dict[str, Callable[[ModelProto], ModelProto]] = {"fp32": as_they_are, "fp16": half, "int8": eight_bits}


def _large(graph: GraphProto) -> Iterable[TensorProto]:
    return (
        weight
        for weight in graph.initializer
        if weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1 and np.prod(weight.dims) >= _WORTH_SHRINKING
    )


def _replace_nodes(graph: GraphProto, nodes: Iterable[NodeProto]) -> None:
    nodes = list(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


def _halved(weight: TensorProto) -> NodeProto:
    """Store the weight as float16; the node that turns it back into float32."""
    name, stored = weight.name, numpy_helper.to_array(weight).astype(np.float16)
    weight.CopyFrom(numpy_helper.from_array(stored, f"{name}/half"))
    return helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT)


def _quantized(weight: TensorProto, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as int8, and a scale for each place on ``axis``, shaped to multiply them."""
    values = numpy_helper.to_array(weight)
    others = tuple(other for other in range(values.ndim) if other != axis)
    scale = np.maximum(np.abs(values).max(others, keepdims=True), 1e-12) / np.float32(_LARGEST)
    return np.round(values / scale).astype(np.int8), scale.astype(np.float32)


def _store(graph: GraphProto, weight: TensorProto, stored: NDArray[np.int8], scale: NDArray[np.float32]) -> None:
    """Put ``NAME/int8`` and ``NAME/scale`` in the place of the weight NAME."""
    name = weight.name
    weight.CopyFrom(numpy_helper.from_array(stored, f"{name}/int8"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))


def _restored(graph: GraphProto, weight: TensorProto, reader: NodeProto) -> list[NodeProto]:
    """Store the weight as int8; the nodes that turn it back into float32."""
    name = weight.name
    # A product's outputs are its columns; a table's rows are looked up one by one, a convolution's filters are rows.
    _store(graph, weight, *_quantized(weight, 1 if reader.op_type == "MatMul" else 0))
    return [
        helper.make_node("Cast", [f"{name}/int8"], [f"{name}/float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}/float", f"{name}/scale"], [name]),
    ]


def _sum(product: str, graph: GraphProto, vectors: set[str]) -> tuple[str, list[str]] | None:
    """Where a product is read by nothing but the addition of a vector: that sum's name, and the vector's."""
    reading = [node for node in graph.node if product in node.input]
    if len(reading) == 1 and reading[0].op_type == "Add" and (bias := vectors.intersection(reading[0].input)):
        return reading[0].output[0], list(bias)
    return None


def _integer_product(
    graph: GraphProto, node: NodeProto, weight: TensorProto, unit: bool, product: str, bias: Sequence[str]
) -> list[NodeProto]:
    """Store the weight as int8; the nodes that multiply by it in integers, x W = s (x / s) W.

    Every row of x has a scale s of its own, its largest absolute value, so that a photo's numbers do not depend on the
    photos beside it. ``unit``: all of x is known to lie in [-1, 1], and s is 1; then a ``bias`` may be added at once.
    ``product``: the name of the result.
    """
    name, x = weight.name, node.input[0]
    values = numpy_helper.to_array(weight)
    scales = integer_scales(values.T)
    _store(graph, weight, np.round(values / scales).astype(np.int8), scales)
    by_row = (
        []
        if unit
        else [
            _node("Abs", [x], f"{product}/absolute"),
            _node("ReduceMax", [f"{product}/absolute", _LAST_AXIS], f"{product}/largest", keepdims=1),
            _node("Max", [f"{product}/largest", _TINY], f"{product}/row"),
            _node("Div", [x, f"{product}/row"], f"{product}/unit"),
        ]
    )
    result = product if unit else f"{product}/of_unit"
    factors = [f"{product}/input", f"{name}/int8", _STEP, f"{name}/scale", _MIDDLE]
    return [
        *by_row,
        _node("QuantizeLinear", [x if unit else f"{product}/unit", _STEP, _MIDDLE], f"{product}/input"),
        _node("MatMulIntegerToFloat", [*factors, *(["", *bias] if bias else [])], result, domain=_RUNTIME_DOMAIN),
        *([] if unit else [_node("Mul", [result, f"{product}/row"], product)]),
    ]


def _node(operation: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
    """A node named after its output, so that a profile tells what it belongs to."""
    return helper.make_node(operation, inputs, [output], name=output, **attributes)


def known_ranges(graph: GraphProto) -> dict[str, Range]:
    """Name -> the smallest and the largest value it can have, for values of the graph and of those within it.

    Names must differ between the graphs, as they do in what `to_onnx` joins.
    """
    ranges: dict[str, Range] = {}
    _follow(graph.node, ranges, {output: node for node in graph.node for output in node.output})
    return ranges


def _follow(nodes: Sequence[NodeProto], ranges: dict[str, Range], made_by: Mapping[str, NodeProto]) -> None:
    for node in nodes:
        bodies = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        for body in bodies:
            _follow_body(node, body, ranges)
        if not bodies and (found := _range(node, ranges, made_by)):
            ranges.update(dict.fromkeys(node.output, found))


def _follow_body(node: NodeProto, body: GraphProto, ranges: dict[str, Range]) -> None:
    """A branch; or a body over and over, whose state keeps a range that it has at first and after every step."""
    made_by = {output: inner for inner in body.node for output in inner.output}
    before, after = [value.name for value in body.input], [value.name for value in body.output]
    if node.op_type == "Loop":  # beside the state: a counter and a condition
        states = list(zip(before[2:], after[1:], node.input[2:], strict=False))
    elif node.op_type == "Scan":
        states = list(zip(before, after, node.input, strict=False))[: _scanned_from(node)]
    else:
        states = []
    supposed = {state: ranges[first] for state, _, first in states if first in ranges}
    while True:
        inside = {**ranges, **supposed}
        _follow(body.node, inside, made_by)
        kept = {
            s: supposed[s] for s, after_step, _ in states if s in supposed and inside.get(after_step) == supposed[s]
        }
        if kept == supposed:
            ranges.update(inside)
            return
        supposed = kept


def _scanned_from(scan: NodeProto) -> int:
    (scanned,) = (attribute.i for attribute in scan.attribute if attribute.name == "num_scan_inputs")
    return len(scan.input) - int(scanned)


def _range(node: NodeProto, ranges: Mapping[str, Range], made_by: Mapping[str, NodeProto]) -> Range | None:
    if node.op_type in _OF_OPERATION:
        return _OF_OPERATION[node.op_type]
    if node.op_type in _ARRANGING:
        return ranges.get(node.input[0])
    return _between(node, ranges, made_by) if node.op_type == "Add" else None


def _between(add: NodeProto, ranges: Mapping[str, Range], made_by: Mapping[str, NodeProto]) -> Range | None:
    """Of a + w (b - a) with w from 0 to 1, as of the GRU's new state: it lies between a and b."""
    start = add.input[0]
    product = made_by.get(add.input[1])
    if product is None or product.op_type != "Mul" or ranges.get(product.input[0]) != (0.0, 1.0):
        return None
    difference = made_by.get(product.input[1])
    if difference is None or difference.op_type != "Sub" or difference.input[1] != start:
        return None
    ends = [ranges.get(start), ranges.get(difference.input[0])]
    found = [end for end in ends if end is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if len(found) == 2 else None
