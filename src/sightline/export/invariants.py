"""What is the same at every word of the search, computed once, before the loop."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto


def move_invariants(body: GraphProto, around: GraphProto, before: Mapping[str, str]) -> None:
    """Move nodes that no word changes from a loop's ``body`` to the graph ``around`` it, in their order, to its end.

    Those are nodes that read nothing of what travels from word to word, or its shape alone, which stays as it is.
    ``before``: the names of what travels -> what it is before the first word, in ``around``.
    """
    changing = {value.name for value in body.input}
    given = {value.name for value in body.output}
    moved, stay = [], []
    for node in body.node:
        if node.op_type == "Shape":
            node.input[:] = [before.get(name, name) for name in node.input]
        if changing.intersection(node.input) or given.intersection(node.output):
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
