from __future__ import annotations

import copy

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from sightline.export.precision import PRECISIONS, known_ranges


def test_the_largest_filters_have_eight_bits_and_a_scale_for_each_output():
    random = np.random.default_rng(0)
    large = random.normal(size=(512, 400, 1, 1)).astype(np.float32) * np.logspace(-3, 3, 512)[:, None, None, None]
    small = random.normal(size=(8, 512, 1, 1)).astype(np.float32)
    filters = {"large": large.astype(np.float32), "small": small}
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "large"], ["between"]),
            onnx.helper.make_node("Conv", ["between", "small"], ["y"]),
        ],
        "filters",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 400, 2, 2])],
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("between", "y")],
        [onnx.numpy_helper.from_array(value, name) for name, value in filters.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    x = random.normal(size=(1, 400, 2, 2)).astype(np.float32)
    exact, stored = (
        onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
        for made in (model, PRECISIONS["int8"](copy.deepcopy(model)))
    )
    # Whatever an output's size, its error is of that size.
    assert 0 < (np.abs(stored[0] - exact[0]).max((0, 2, 3)) / np.abs(exact[0]).max((0, 2, 3))).max() < 0.1
    sizes = {init.name: init.data_type for init in PRECISIONS["int8"](model).graph.initializer}
    assert sizes["large/int8"] == onnx.TensorProto.INT8 and sizes["small/half"] == onnx.TensorProto.FLOAT16


def graph(*nodes: onnx.NodeProto, inputs: tuple[str, ...] = ("x", "y")) -> onnx.GraphProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs]
    return helper.make_graph(list(nodes), "graph", values, [])


def test_what_lies_between_two_known_values_is_known():
    node = helper.make_node
    found = known_ranges(
        graph(
            node("Tanh", ["x"], ["a"]),
            node("Sigmoid", ["y"], ["w"]),
            node("Tanh", ["y"], ["b"]),
            node("Sub", ["b", "a"], ["apart"]),
            node("Mul", ["w", "apart"], ["part"]),
            node("Add", ["a", "part"], ["between"]),
            node("Add", ["a", "apart"], ["beyond"]),
            node("Split", ["between"], ["first", "second"]),
        )
    )
    assert found == {
        **dict.fromkeys(["a", "b", "between", "first", "second"], (-1.0, 1.0)),
        "w": (0.0, 1.0),
    }


def test_a_state_is_known_only_if_every_step_keeps_it_there():
    def loop(step: str) -> onnx.NodeProto:
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["state"], ["seen"]),
                helper.make_node(step, ["state"], ["after"]),
                helper.make_node("Identity", ["goes_on"], ["go_on"]),
            ],
            "body",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("number", "goes_on", "state")],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("go_on", "after")],
        )
        return helper.make_node("Loop", ["most", "begins", "first"], ["last"], body=body)

    bounded = graph(helper.make_node("Tanh", ["x"], ["first"]), loop("Tanh"))
    assert known_ranges(bounded)["seen"] == (-1.0, 1.0)
    assert "seen" not in known_ranges(graph(helper.make_node("Tanh", ["x"], ["first"]), loop("Exp")))
    assert "seen" not in known_ranges(graph(helper.make_node("Identity", ["x"], ["first"]), loop("Tanh")))
