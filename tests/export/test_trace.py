from __future__ import annotations

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sightline.export import parts
from sightline.export.trace import Free, Part, trace
from sightline.nn.repeats import repeats_of

from ..conftest import Tiny


class Subtract(torch.nn.Module):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((5,), weight))

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor]:
        return (left - self.weight * right,)


@pytest.fixture(scope="module")
def exported() -> dict[str, onnx.ModelProto]:
    """Two parts in one run, while the caller holds back what is less than an error."""
    example = torch.zeros(2, 5)  # given twice, and to both
    logging.disable(logging.ERROR)
    try:
        made = trace(
            {
                name: Part(Subtract(weight), (example, example), (Free(name).photos,) * 2, ["left", "right"], ["rest"])
                for name, weight in (("one", 1.0), ("two", 2.0))
            }
        )
        assert logging.root.manager.disable == logging.ERROR
    finally:
        logging.disable(logging.NOTSET)
    return made


@pytest.mark.parametrize(("part", "weight"), [("one", 1), ("two", 2)])
def test_each_part_has_its_own_inputs_outputs_and_weights(exported, part, weight):
    model = exported[part]
    onnx.checker.check_model(model)
    assert len(model.graph.initializer) == 1
    assert [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim] == ["photos", ""]
    left, right = np.random.default_rng(0).random((2, 3, 5), np.float32)
    (rest,) = onnxruntime.InferenceSession(model.SerializeToString()).run(["rest"], {"left": left, "right": right})
    np.testing.assert_allclose(rest, left - weight * right, rtol=1e-6)


def test_the_end_of_the_search_is_exported_once_for_models_of_one_shape(tiny: Tiny, monkeypatch):
    given: list[list[str]] = []

    def trace_nothing(listed: dict[str, Part]) -> dict[str, onnx.ModelProto]:
        given.append(list(listed))
        return {name: onnx.ModelProto() for name in listed}

    monkeypatch.setattr(parts, "_finish_models", {})
    monkeypatch.setattr(parts, "trace", trace_nothing)
    monkeypatch.setattr(parts, "fold", lambda model: model)
    for max_words in (9, 9, 7):
        parts.trace_parts(tiny.model, 64, len(tiny.vocabulary), max_words, repeats_of(tiny.vocabulary, ()))
    assert ["last" in names for names in given] == [True, False, True]
