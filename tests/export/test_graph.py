from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from sightline.export.graph import move_invariants, share_weights


def adding_loop(moving: bool) -> onnx.ModelProto:
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
        (y,) = ReferenceEvaluator(adding_loop(moving)).run(None, {"x": x})
        np.testing.assert_array_equal(y, x + 3 * (4 + 2 * 5))


def test_a_word_of_the_search_computes_no_shape(tiny_graph):
    (loop,) = [node for node in tiny_graph.graph.node if node.op_type == "Loop"]
    assert not {"Shape", "Range"} & {node.op_type for node in loop.attribute[0].g.node}


def branch(name: str, weight: np.ndarray, small: np.ndarray) -> onnx.GraphProto:
    nodes = [
        helper.make_node("MatMul", ["x", f"{name}/weight"], [f"{name}/product"]),
        helper.make_node("Add", [f"{name}/product", f"{name}/small"], [f"{name}/y"]),
    ]
    weights = [numpy_helper.from_array(weight, f"{name}/weight"), numpy_helper.from_array(small, f"{name}/small")]
    return helper.make_graph(
        nodes, name, [], [helper.make_tensor_value_info(f"{name}/y", TensorProto.FLOAT, [1, 32])], weights
    )


def choice_of_weights(one: np.ndarray, other: np.ndarray) -> onnx.ModelProto:
    small = np.float32([1])
    branches = {"then_branch": branch("then", one, small), "else_branch": branch("else", other, small)}
    choice = helper.make_node("If", ["which"], ["y"], **branches)
    inputs = [
        helper.make_tensor_value_info("which", TensorProto.BOOL, []),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32])]
    graph = helper.make_graph([choice], "all", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def results(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return [session.run(None, {"which": np.array(which), "x": x})[0] for which in (True, False)]


def test_equal_weights_are_stored_once_and_mean_the_same():
    random = np.random.default_rng(0)
    weight, x = random.standard_normal((2, 32, 32)).astype(np.float32)
    model = choice_of_weights(weight, weight.copy())
    before, size = results(model, x[:1]), model.ByteSize()
    shared = share_weights(model)
    onnx.checker.check_model(shared)
    assert shared.ByteSize() < size - 0.9 * weight.nbytes
    assert len(shared.graph.initializer) == 1
    for now, then in zip(results(shared, x[:1]), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_other_weights_stay_where_they_are():
    random = np.random.default_rng(0)
    one, other = random.standard_normal((2, 32, 32)).astype(np.float32)
    model = choice_of_weights(one, other)
    expected = model.SerializeToString(deterministic=True)
    assert share_weights(model).SerializeToString(deterministic=True) == expected
