"""What no word changes is computed before the loop, with the same results."""

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from sightline.export.invariants import move_invariants


def model(moving: bool) -> onnx.ModelProto:
    """Adds twice ``weight`` and the number of columns to ``x``, three times."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Shape", ["sum"], ["columns"], start=1),
            helper.make_node("Cast", ["columns"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["weight", "two"], ["doubled"]),
            helper.make_node("Add", ["number", "doubled"], ["grows"]),
            helper.make_node("Add", ["sum", "grows"], ["next"]),
            helper.make_node("Identity", ["goes_on"], ["go_on"]),
        ],
        "body",
        [
            value("count", TensorProto.INT64, []),
            value("goes_on", TensorProto.BOOL, []),
            value("sum", TensorProto.FLOAT, [2, "n"]),
        ],
        [value("go_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [2, "n"])],
        [helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])],
    )
    around = helper.make_graph(
        [],
        "around",
        [value("x", TensorProto.FLOAT, [2, "n"])],
        [value("y", TensorProto.FLOAT, [2, "n"])],
        [
            helper.make_tensor("weight", TensorProto.FLOAT, [], [5.0]),
            helper.make_tensor("times", TensorProto.INT64, [], [3]),
            helper.make_tensor("begins", TensorProto.BOOL, [], [True]),
        ],
    )
    if moving:
        move_invariants(body, around, {"sum": "x"})
        assert [node.op_type for node in body.node] == ["Add", "Identity"]
        assert not body.initializer
    around.node.append(helper.make_node("Loop", ["times", "begins", "x"], ["y"], body=body))
    made = helper.make_model(around, opset_imports=[helper.make_opsetid("", 20)])
    onnx.checker.check_model(made)
    return made


def test_what_no_word_changes_is_computed_before_the_loop():
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    for moving in (False, True):
        (y,) = ReferenceEvaluator(model(moving)).run(None, {"x": x})
        np.testing.assert_array_equal(y, x + 3 * (4 + 2 * 5))


def test_a_word_of_the_search_computes_no_shape(tiny_graph):
    (loop,) = [node for node in tiny_graph.graph.node if node.op_type == "Loop"]
    assert not {"Shape", "Range"} & {node.op_type for node in loop.attribute[0].g.node}
