"""An encoder's convolutions in 8-bit integers, as ONNX Runtime computes them.

Tensors become ``DequantizeLinear(QuantizeLinear(x))``; ONNX Runtime makes one integer convolution of what lies between.
Its own quantizer is not used: it takes ranges by the names of the exporter's values, which differ between releases of
torch, and rounds weights in another way than `sightline.nn.quantization` trains for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sightline.nn.quantization import LARGEST, Interval, Ranges, weight_scales

_ENCODER = ".model.encoder."  # stands before a weight's name in the encoder
_LARGEST_BIAS = 2.0**30
_ARRANGING = ("Reshape", "Transpose")


def quantize_convolutions(model: ModelProto, ranges: Ranges) -> int:
    """Let the convolutions that ``ranges`` names compute in integers; returns how many there are.

    ``model`` is what `sightline.export.graph.to_onnx` gives. Convolutions that the exporter has changed beyond
    recognition, and those whose filters have no name, stay in float32.
    """
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    intervals: dict[str, Interval] = {}
    after: dict[str, Interval] = {}
    convolutions: set[str] = set()
    for node in graph.node:
        known = ranges.get(_module(node.input[1])) if node.op_type == "Conv" and node.input[1] in constants else None
        if known is not None:
            convolutions.add(node.output[0])
            intervals[node.input[0]] = known.input
            value, interval = _activated(node.output[0], known.output, readers, constants)
            after[value] = interval
    _Integers(graph, after | intervals, constants).store(convolutions)
    return len(convolutions)


def _module(weight: str) -> str:
    """``first/parts.0.model.encoder.features.0.0.weight`` -> ``features.0.0``."""
    return weight.partition(_ENCODER)[2].removesuffix(".weight")


def _activated(
    value: str, interval: Interval, readers: dict[str, list[NodeProto]], constants: dict[str, TensorProto]
) -> tuple[str, Interval]:
    """What a convolution gives once ReLU or a clip, which become part of it, are applied; itself if there is none."""
    reading = readers.get(value, [])
    if len(reading) != 1 or reading[0].op_type not in ("Relu", "Clip"):
        return value, interval
    bounds = [0.0, float("inf")] if reading[0].op_type == "Relu" else [-float("inf"), float("inf")]
    for place, name in enumerate(reading[0].input[1:]):
        if name in constants:
            bounds[place] = numpy_helper.to_array(constants[name]).item()
    low, high = bounds
    narrowed = Interval(min(max(interval.low, low), 0.0), max(min(interval.high, high), 0.0))
    return reading[0].output[0], narrowed


def integer_scales(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`weight_scales` of an array: float32 (rows,)."""
    return weight_scales(torch.from_numpy(weight.copy())).numpy()


class _Integers:
    """Rewrites a graph so that the values named in ``intervals`` are rounded to 8 bits."""

    def __init__(self, graph: GraphProto, intervals: dict[str, Interval], constants: dict[str, TensorProto]) -> None:
        self.graph, self.intervals, self.constants = graph, intervals, constants
        self.nodes: list[NodeProto] = []
        self.rounded: dict[str, str] = {}
        self.steps: dict[str, float] = {}  # of values that are multiples of a scale

    def store(self, convolutions: set[str]) -> None:
        """Rewrite the graph; ``convolutions``: the outputs of those that are to compute in integers."""
        for value in self.graph.input:
            self._round(value.name)
        for node in list(self.graph.node):
            if node.output[0] in convolutions:
                self._store_weights(node)
            if node.op_type in _ARRANGING and node.input[0] in self.steps:
                self.steps[node.output[0]] = self.steps[node.input[0]]
            if node.op_type == "MatMul" and node.input[0] in self.steps and node.input[1] in self.constants:
                weight = numpy_helper.to_array(self.constants[node.input[1]])
                node.input[1] = self._integer(node.input[1], weight, integer_scales(weight.T), np.int8, axis=1)
            if node.op_type != "Shape":
                node.input[:] = [self.rounded.get(name, name) for name in node.input]
            self.nodes.append(node)
            for output in node.output:
                self._round(output)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def _round(self, value: str) -> None:
        if value not in self.intervals:
            return
        scale, zero_point = self.intervals[value].scale_and_zero_point()
        by = self._constants(value, scale=np.float32(scale), zero_point=np.uint8(zero_point))
        self.rounded[value], self.steps[value] = f"{value}/rounded", scale
        self.nodes += [
            helper.make_node("QuantizeLinear", [value, *by], [f"{value}/uint8"], name=f"{value}/quantize"),
            helper.make_node(
                "DequantizeLinear", [f"{value}/uint8", *by], [f"{value}/rounded"], name=f"{value}/restore"
            ),
        ]

    def _store_weights(self, node: NodeProto) -> None:
        """A convolution's weights as int8, and its bias as int32 in the scale of the products that it is added to."""
        weight = numpy_helper.to_array(self.constants[node.input[1]])
        of_input, _ = self.intervals[node.input[0]].scale_and_zero_point()
        scales = integer_scales(weight)
        if len(node.input) > 2 and node.input[2] in self.constants:
            bias = numpy_helper.to_array(self.constants[node.input[2]])
            # Of channels whose weights are all but nought: their bias is all that they give.
            scales = np.maximum(scales, np.abs(bias) / (_LARGEST_BIAS * of_input)).astype(np.float32)
            node.input[2] = self._integer(node.input[2], bias, scales * np.float32(of_input), np.int32)
        node.input[1] = self._integer(node.input[1], weight, scales, np.int8)

    def _integer(
        self, name: str, value: NDArray[Any], scales: NDArray[np.float32], kind: type[np.integer], axis: int = 0
    ) -> str:
        """Store a constant as integers, with scales along ``axis``; returns the name of its restored values."""
        integers = np.round(value / np.expand_dims(scales, [i for i in range(value.ndim) if i != axis])).astype(kind)
        assert kind is not np.int8 or np.abs(integers).max() <= LARGEST
        constants = self._constants(name, integers=integers, scale=scales, zero_point=np.zeros(len(scales), kind))
        self.nodes.append(
            helper.make_node("DequantizeLinear", constants, [f"{name}/rounded"], name=f"{name}/restore", axis=axis)
        )
        self.graph.initializer.remove(self.constants.pop(name))
        return f"{name}/rounded"

    def _constants(self, name: str, **values: Any) -> list[str]:
        names = {f"{name}/{kind}": np.asarray(value) for kind, value in values.items()}
        self.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in names.items())
        return list(names)
