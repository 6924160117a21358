"""Weights that stand in several graphs of one ONNX model, stored once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from onnx import GraphProto, ModelProto

_WORTH_SHARING = 1024  # bytes


def graphs_within(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph's branches and bodies, the innermost first, then the graph itself; each may be changed as it comes."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_within(attribute.g)
    yield graph


def share_weights(model: ModelProto) -> ModelProto:
    """Keep one of equal weights: in the outermost graph, where every other graph may read it."""
    copies = defaultdict(list)
    for graph in list(graphs_within(model.graph)):
        for weight in graph.initializer:
            if len(weight.raw_data) >= _WORTH_SHARING:
                copies[weight.data_type, tuple(weight.dims), weight.raw_data].append((graph, weight))
    for found in copies.values():
        if len(found) > 1:
            kept = found[-1][1]  # the outermost graph comes last
            for graph, weight in found[:-1]:
                _read(graph, weight.name, kept.name)
                graph.initializer.remove(weight)
            if found[-1][0] is not model.graph:
                model.graph.initializer.append(kept)
                found[-1][0].initializer.remove(kept)
    return model


def _read(graph: GraphProto, old: str, new: str) -> None:
    """Let the graph and those within it, which may read what it holds, read another weight."""
    for reader in graphs_within(graph):
        for node in reader.node:
            node.input[:] = [new if name == old else name for name in node.input]
