"""Values of an ONNX graph that can only lie in a known range, whatever the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from onnx import GraphProto, NodeProto

Range: TypeAlias = tuple[float, float]

_OF_OPERATION = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0)}
# What only chooses among its first input's values, or puts them in another place.
_ARRANGING = {
    *("Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity"),
    *("Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
}


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
