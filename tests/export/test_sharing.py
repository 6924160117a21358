from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from sightline.export.sharing import share_weights


def branch(name: str, weight: np.ndarray, small: np.ndarray) -> onnx.GraphProto:
    nodes = [
        helper.make_node("MatMul", ["x", f"{name}/weight"], [f"{name}/product"]),
        helper.make_node("Add", [f"{name}/product", f"{name}/small"], [f"{name}/y"]),
    ]
    weights = [numpy_helper.from_array(weight, f"{name}/weight"), numpy_helper.from_array(small, f"{name}/small")]
    return helper.make_graph(
        nodes, name, [], [helper.make_tensor_value_info(f"{name}/y", TensorProto.FLOAT, [1, 32])], weights
    )


def model_of(one: np.ndarray, other: np.ndarray) -> onnx.ModelProto:
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
    model = model_of(weight, weight.copy())
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
    model = model_of(one, other)
    expected = model.SerializeToString(deterministic=True)
    assert share_weights(model).SerializeToString(deterministic=True) == expected
