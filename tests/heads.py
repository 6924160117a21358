"""What `sightline calibrate` adds to a model.onnx, made of the search's own numbers: for tests of what reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from sightline.model_folder import CONFIG, ONNX, identity, load_description

HEADS = {"kinds": ["photo", "chart", "page of text"], "keywords": ["dog", "grass", "ball", "red", "bench"]}
NOUNS = ("ball", "bench", "cat", "dog", "grass", "people")


def add_heads(bundle: Path, out: Path) -> None:
    """A copy of the exported model whose outputs have every head, with values of all sizes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shutil.copytree(bundle, out)
    config = json.loads((out / CONFIG).read_bytes())
    (out / CONFIG).write_text(json.dumps({**config, "heads": HEADS}))
    description = load_description(out)
    model = onnx.load(out / ONNX)
    graph = model.graph
    words = description[1].words
    constants = {
        "heads_nouns": np.array([word in NOUNS for word in words]),
        "heads_no_noun": np.array(np.nan, np.float32),
        "heads_one": np.array(1, np.float32),
        "heads_spread": np.array(10, np.float32),
        "heads_double": np.array(2, np.float32),
        "heads_axis": np.array([2]),
        "heads_first": np.array([0]),
        "heads_second": np.array([1]),
        "heads_count": np.array([len(HEADS["keywords"])]),
        "heads_others": np.array([0.7, 0.3], np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    for kind, inputs, output, attributes in (
        ("Exp", ["log_probs"], "heads_p", {}),
        ("Mul", ["heads_p", "heads_spread"], "heads_wide", {}),
        ("ReduceSum", ["heads_wide", "heads_axis"], "heads_sum", {"keepdims": 0}),
        ("Mod", ["heads_sum", "heads_one"], "confidence", {"fmod": 1}),
        ("Gather", ["heads_nouns", "tokens"], "heads_is_noun", {}),
        ("Mod", ["heads_wide", "heads_one"], "heads_words", {"fmod": 1}),
        ("Where", ["heads_is_noun", "heads_words", "heads_no_noun"], "word_confidence", {}),
        ("Slice", ["heads_sum", "heads_first", "heads_second", "heads_second"], "heads_best", {}),
        ("Mod", ["heads_best", "heads_double"], "heads_of_two", {"fmod": 1}),
        ("Min", ["heads_of_two", "heads_one"], "heads_photo", {}),
        ("Sub", ["heads_one", "heads_photo"], "heads_rest", {}),
        ("Mul", ["heads_rest", "heads_others"], "heads_each", {}),
        ("Concat", ["heads_photo", "heads_each"], "kinds", {"axis": 1}),
        ("Slice", ["heads_p", "heads_first", "heads_second", "heads_second"], "heads_best_p", {}),
        ("Slice", ["heads_best_p", "heads_first", "heads_count", "heads_axis"], "heads_some", {}),
        ("Squeeze", ["heads_some", "heads_second"], "heads_flat", {}),
        ("Mul", ["heads_flat", "heads_double"], "heads_twice", {}),
        ("Min", ["heads_twice", "heads_one"], "keywords", {}),
    ):
        graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
    for name, shape in (
        ("confidence", ["photos", "beams"]),
        ("word_confidence", ["photos", "beams", description[0].max_words]),
        ("kinds", ["photos", len(HEADS["kinds"])]),
        ("keywords", ["photos", len(HEADS["keywords"])]),
    ):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, **identity(*description)})
    onnx.save(model, out / ONNX)
