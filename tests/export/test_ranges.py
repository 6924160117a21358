import onnx
from onnx import TensorProto, helper

from sightline.export.ranges import known_ranges


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
