from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sightline import Captioner
from sightline.errors import SightlineError
from sightline.export import export, integers
from sightline.export.agreement import Agreement
from sightline.export.export import export_model
from sightline.export.graph import share_weights
from sightline.export.integers import quantize_convolutions
from sightline.export.precision import PRECISIONS
from sightline.model_folder import ModelConfig
from sightline.nn.model_files import save_model
from sightline.nn.quantization import Interval, gather_ranges, known_ranges, train_in_integers
from sightline.preprocess import preprocess
from sightline.sessions import open_session, run_search

from ..conftest import Tiny


@pytest.fixture(scope="module")
def in_integers(tiny: Tiny, tiny_graph: onnx.ModelProto, photos: list[Path]) -> onnx.ModelProto:
    """The tiny model with its convolutions in integers, by the ranges of ``photos``."""
    graph = copy.deepcopy(tiny_graph)
    assert quantize_convolutions(graph, gather_ranges(tiny.model.encoder, photos)) == 4
    return graph


def features(graph: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    """What the last convolution gives, after ReLU, as (B, D, h, w)."""
    graph = copy.deepcopy(graph)
    last = [node for node in graph.graph.node if node.op_type == "Relu"][-1].output[0]
    rounded = f"{last}/rounded"
    name = rounded if any(rounded in node.output for node in graph.graph.node) else last
    graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    feed = {
        "pixels": pixels,
        "first_scores": np.zeros(1, np.float32),
        "length_penalty": np.array(0, np.float32),
        "explain": np.array(False),
    }
    return onnxruntime.InferenceSession(graph.SerializeToString()).run([name], feed)[0]


def test_convolutions_compute_in_integers_what_training_in_integers_computes(tiny, tiny_graph, in_integers, photos):
    pixels = np.stack([preprocess(photo, tiny.config.preprocessing) for photo in photos])
    encoder = copy.deepcopy(tiny.model.encoder)
    train_in_integers(encoder, gather_ranges(encoder, photos))
    with torch.no_grad():
        expected = encoder.eval().feature_map(torch.from_numpy(pixels)).numpy()
    whole, rounded = features(tiny_graph, pixels), features(in_integers, pixels)
    apart = [float(np.abs(each - expected).mean()) for each in (rounded, whole)]
    assert 0 < apart[0] < apart[1] / 2  # a rounding of the output is left
    assert np.abs(rounded - whole).mean() < 0.05 * np.abs(whole).mean()


def test_onnx_runtime_makes_integer_convolutions_of_them(in_integers, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    onnxruntime.InferenceSession(in_integers.SerializeToString(), options)
    operations = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operations.count("QLinearConv") == 4 and "Conv" not in operations
    assert "MatMulIntegerToFloat" in operations  # the product of the features


def test_a_caption_in_integers_has_the_same_bits_whatever_lies_beside_its_photo(tiny, in_integers, tmp_path, photos):
    onnx.save(share_weights(PRECISIONS["int8"](copy.deepcopy(in_integers))), path := tmp_path / "model.onnx")
    pixels = np.stack([preprocess(photo, tiny.config.preprocessing) for photo in photos])
    session = open_session(path, 1)
    together = run_search(session, pixels, 3, 1.0)
    for number in range(len(pixels)):
        alone = run_search(session, pixels[[number]], 3, 1.0)
        longest = alone["tokens"].shape[2]
        for name in ("tokens", "log_probs", "attention"):
            assert (alone[name][0] == together[name][number, :, :longest]).all()
        assert (alone["scores"] == together["scores"][number]).all()


@pytest.fixture
def run(tiny: Tiny, photos: list[Path], tmp_path: Path, tiny_graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder with ranges, whose export takes the graph that was already made."""
    monkeypatch.setattr(export, "to_onnx", lambda *_: copy.deepcopy(tiny_graph))
    config = replace(tiny.config, activation_ranges=gather_ranges(tiny.model.encoder, photos))
    save_model(tmp_path / "run", tiny.model, config, tiny.vocabulary)
    return tmp_path / "run"


def test_int8_takes_the_ranges_that_the_model_folder_holds(run, tiny, tiny_run, tmp_path, photos):
    assert known_ranges(ModelConfig.load(run / "config.json")) == gather_ranges(tiny.model.encoder, photos)
    made = export_model(run, tmp_path / "bundle", "int8")
    assert made.integers == 4 and Captioner(tmp_path / "bundle")(photos[0]).text
    stored = onnx.load(made.path)
    assert [node.op_type for node in stored.graph.node].count("QLinearConv") == 4  # fused in the file already
    assert {entry.domain for entry in stored.opset_import} == {"", "com.microsoft"}
    assert sorted(path.name for path in made.path.parent.iterdir()) == ["config.json", "model.onnx", "vocabulary.json"]
    assert export_model(run, tmp_path / "whole").integers == 0
    assert export_model(tiny_run, tmp_path / "without", "int8").integers == 0  # no ranges, and no photos
    assert export_model(tiny_run, tmp_path / "gathered", "int8", photos).integers == 4
    assert "activation_ranges" not in (tiny_run / "config.json").read_text()


def test_a_rounding_that_costs_too_much_is_refused(run, tmp_path, monkeypatch, sightline):
    with monkeypatch.context() as changed:
        changed.setattr(export, "compare", lambda *_: Agreement(8, 24, 9, 9, 0.5, 0.21))
        with pytest.raises(SightlineError, match=r"int8 0\.21 nats .*training\.quantization"):
            export_model(run, tmp_path / "bundle", "int8")
    assert not (tmp_path / "bundle").exists()
    assert Agreement(8, 24, 9, 9, 0.5, 0.19).close and not Agreement(8, 24, 0, 0, 0.0, float("nan")).close
    told = sightline("export", run, "--out", tmp_path / "bundle", "--precision", "int8").out
    assert "4 convolutions in integers" in told and "nats a word" in told


@pytest.mark.parametrize(
    ("operation", "bounds", "expected"),
    [("Relu", (), (0, 8)), ("Clip", ("a", "b"), (-1, 5)), ("Clip", ("a",), (-1, 8)), ("Clip", ("", "b"), (-9, 5))],
)
def test_what_follows_a_convolution_narrows_its_range(operation, bounds, expected):
    node = onnx.helper.make_node(operation, ["x", *bounds], ["y"])
    constants = {
        name: onnx.numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("a", -1), ("b", 5))
    }
    assert integers._activated("x", Interval(-9.0, 8.0), {"x": [node]}, constants) == ("y", expected)
