from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sightline import Captioner
from sightline.errors import SightlineError
from sightline.export import agreement, export
from sightline.export.agreement import Agreement, compare, random_photos
from sightline.export.export import export_into, export_model
from sightline.export.graph import ready_to_trace, share_weights
from sightline.export.precision import PRECISIONS
from sightline.export.trace import Free, Part, trace
from sightline.model_folder import ALLOW_REPEATS, INPUTS, OUTPUTS
from sightline.nn.library_encoders import ENCODERS
from sightline.nn.model import CaptionModel
from sightline.nn.repeats import repeats_of
from sightline.nn.search import search
from sightline.sessions import open_session, run_search
from sightline.vocabulary import END, split_words

from ..conftest import Tiny, make_tiny


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch, tiny_graph: onnx.ModelProto) -> Callable[..., None]:
    """Lets exports of the tiny model take the graph that was already made, changed as the test wants."""

    def use(change: Callable[[onnx.GraphProto], object] = lambda graph: None) -> None:
        made = copy.deepcopy(tiny_graph)
        change(made.graph)
        monkeypatch.setattr(export, "to_onnx", lambda *_: copy.deepcopy(made))

    use()
    return use


def change_the_bias(graph: onnx.GraphProto, by: np.ndarray | float) -> None:
    """Add to the score of every word."""
    body = next(node for node in graph.node if node.op_type == "Loop").attribute[0].g
    bias = next(weight for weight in body.initializer if weight.name.endswith("decoder.output.bias"))
    values = onnx.numpy_helper.to_array(bias)
    bias.CopyFrom(onnx.numpy_helper.from_array((values + by).astype(np.float32), bias.name))


def tilt(by: float) -> np.ndarray:
    """Another change for every word of the tiny vocabulary."""
    return by * np.linspace(-1, 1, 24)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("beam_size", [1, 3, 5])
@pytest.mark.parametrize("photos", [1, 2, 7])
def test_onnx_finds_what_torch_finds(tiny: Tiny, tiny_bundle: Path, photos, beam_size, length_penalty):
    pixels = random_photos(64)[:photos]
    found = run_search(open_session(tiny_bundle / "model.onnx", threads=1), pixels, beam_size, length_penalty)
    with torch.no_grad():
        memory = tiny.model.prepare(tiny.model.features(torch.from_numpy(pixels)))
    repeats = repeats_of(tiny.vocabulary, ())
    sentences, scores = search(tiny.model.decoder, memory, beam_size, tiny.config.max_words, length_penalty, repeats)
    assert np.array_equal(found["tokens"], sentences.tokens)
    assert np.array_equal(found["lengths"], sentences.lengths)
    np.testing.assert_allclose(found["scores"], scores, atol=1e-4)
    np.testing.assert_allclose(found["log_probs"], sentences.log_probs, atol=1e-4)
    np.testing.assert_allclose(found["attention"], sentences.attention, atol=1e-5)
    assert found["attention"].shape == (photos, beam_size, 9, 64)
    real = np.arange(9) < found["lengths"][..., None]
    np.testing.assert_allclose(found["attention"].sum(-1), real, atol=1e-5)


def test_repeats_are_forbidden_unless_they_are_allowed(tiny_bundle: Path):
    def repeating(**options):
        tokens = run_search(session, random_photos(64), 3, 1.0, **options)["tokens"].reshape(24, -1).tolist()
        pairs = ([pair for pair in pairwise(each) if min(pair) > END] for each in tokens)
        return sum(len(set(each)) < len(each) for each in pairs)

    session = open_session(tiny_bundle / "model.onnx", threads=1)
    assert repeating() == 0 < repeating(allow_repeats=True)


def test_models_of_former_versions_repeat_what_they_like(tiny: Tiny, tiny_graph: onnx.ModelProto, tmp_path):
    graph = copy.deepcopy(tiny_graph)
    (allowed,) = (value for value in graph.graph.input if value.name == "allow_repeats")
    graph.graph.input.remove(allowed)
    onnx.save(graph, tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx", threads=1)
    former = [run_search(session, random_photos(64), 2, 1.0, allow_repeats=each)["tokens"] for each in (False, True)]
    assert np.array_equal(*former)


def test_evidence_goes_as_far_as_the_longest_sentence_and_only_where_it_is_asked_for(tiny_bundle: Path):
    session = open_session(tiny_bundle / "model.onnx", threads=1)
    for pixels in (random_photos(64)[:1], random_photos(64)):
        found = run_search(session, pixels, 1, 0.0, evidence=True)
        assert found["evidence"].shape == (len(pixels), found["lengths"].max(), 64)
        assert found["evidence"].any((1, 2)).all()
    feed = {"pixels": pixels, "first_scores": np.zeros(1, np.float32), "length_penalty": np.array(0, np.float32)}
    assert session.run(["evidence"], feed | {"explain": np.array(False)})[0].size == 0


def test_the_tiny_model_is_worth_testing_with(tiny_bundle: Path):
    found = run_search(open_session(tiny_bundle / "model.onnx", threads=1), random_photos(64), 3, 0.0)
    assert len({tuple(tokens) for tokens in found["tokens"][:, 0]}) > 4
    assert len(np.unique(found["lengths"])) > 1
    assert (found["tokens"] == END).any()


@pytest.mark.parametrize(("eagerness_to_end", "steps"), [(-100.0, 9), (4.0, 2)])
def test_the_loop_stops_when_every_beam_has_ended(tiny_graph: onnx.ModelProto, eagerness_to_end, steps):
    graph = copy.deepcopy(tiny_graph)
    change_the_bias(graph.graph, eagerness_to_end * (np.arange(24) == END))
    graph.graph.output.append(onnx.helper.make_tensor_value_info("loop/step", onnx.TensorProto.INT64, []))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    feed = {
        "pixels": random_photos(64),
        "first_scores": np.zeros(1, np.float32),
        "length_penalty": np.array(0, np.float32),
        "explain": np.array(False),
    }
    lengths, taken = session.run(["lengths", "loop/step"], feed)
    assert lengths.max() == taken == steps


class Features(torch.nn.Module):
    def __init__(self, model: CaptionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.model.features(pixels),)


EVERY_ENCODER = [*ENCODERS, "timm/test_vit", "timm/test_convnext", "torchvision/squeezenet1_1"]


@pytest.fixture(scope="module")
def every_encoder() -> dict[str, tuple[CaptionModel, onnx.ModelProto]]:
    """All of them in one run of the exporter, which saves seconds for each."""
    models = {name: make_tiny(name).model for name in EVERY_ENCODER}
    parts = {}
    for number, model in enumerate(models.values()):
        size, name = model.encoder.preprocessing.size, f"encoder_{number}"
        parts[name] = Part(
            Features(ready_to_trace(model)), (torch.zeros(2, 3, size, size),), (Free(name).photos,), ["x"], ["y"]
        )
    return dict(zip(models, zip(models.values(), trace(parts).values(), strict=True), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_ENCODER)
def test_every_encoder_is_exported_exactly(name, every_encoder):
    """Encoders and decoders meet in the annotation vectors alone, so each need not meet all of the other kind."""
    model, exported = every_encoder[name]
    pixels = random_photos(model.encoder.preprocessing.size)
    (vectors,) = onnxruntime.InferenceSession(exported.SerializeToString()).run(["y"], {"x": pixels})
    with torch.no_grad():
        expected = model.features(torch.from_numpy(pixels)).numpy()
    assert vectors.shape == expected.shape == (8, math.prod(model.encoder.grid), model.encoder.feature_size)
    largest = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1 * largest  # the photos differ in what an encoder says of them
    np.testing.assert_allclose(vectors, expected, atol=1e-4 * largest)


def test_a_bundle_holds_what_captioning_needs_and_the_card(tiny_run, tmp_path, instant, photos):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    (run / "MODEL_CARD.md").write_text("# Tiny\n")
    (run / "loss.png").write_text("not for a bundle")
    made = export_model(run, tmp_path / "deep" / "bundle", photos=photos)
    assert made.path == tmp_path / "deep" / "bundle" / "model.onnx"
    assert sorted(path.name for path in made.path.parent.iterdir()) == [
        "MODEL_CARD.md", "config.json", "model.onnx", "vocabulary.json"
    ]  # fmt: skip
    assert (made.size, made.precision) == (made.path.stat().st_size, "fp32")
    assert made.agreement.photos == 8 + len(photos)
    assert Captioner(made.path.parent)(photos[0]).text


@pytest.mark.parametrize("by", [0.001, 5.0])
def test_a_model_that_says_something_else_is_not_exported(tiny_run, bundle, instant, by):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    instant(lambda graph: change_the_bias(graph, tilt(by)))
    with pytest.raises(SightlineError, match="nothing exported, as ONNX Runtime says otherwise"):
        export_model(tiny_run, bundle)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_only_a_bundle_is_replaced(tiny_run, bundle, tmp_path, instant):
    (bundle / "model.onnx").write_text("an old one")
    export_model(tiny_run, bundle)
    assert Captioner(bundle).precision == "fp32"
    (bundle / "thesis.tex").write_text("years of work")
    with pytest.raises(SightlineError, match=r"not a bundle to replace .*thesis\.tex"):
        export_model(tiny_run, bundle)
    assert (bundle / "thesis.tex").exists()
    with pytest.raises(SightlineError, match=r"not a bundle to replace .*model\.safetensors"):
        export_model(tiny_run, tiny_run)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(SightlineError, match="not a bundle to replace"):
        export_model(tiny_run, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "a file"


def test_a_run_gets_its_own_model_and_keeps_the_rest(tiny_run, tmp_path, instant, photos):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    made = export_into(run)
    assert made.path == run / "model.onnx"
    assert sorted(path.name for path in run.iterdir()) == sorted([*(p.name for p in tiny_run.iterdir()), "model.onnx"])
    assert Captioner(run)(photos[0]).text


@pytest.mark.parametrize(("precision", "share"), [("fp16", 0.55), ("int8", 0.52)])
def test_smaller_weights_make_a_smaller_file_that_says_nearly_the_same(tiny_run, tmp_path, instant, precision, share):
    whole = export_model(tiny_run, tmp_path / "fp32")
    small = export_model(tiny_run, tmp_path / precision, precision)
    weights = sum(tensor.numel() * 4 for tensor in export.load_model(tiny_run)[0].state_dict().values())
    assert whole.size - small.size > (1 - share) * weights
    assert Captioner(tmp_path / precision).precision == precision
    assert 0 < small.agreement.difference < 0.5
    assert small.agreement.differing_captions <= small.agreement.captions / 4


@pytest.mark.parametrize("made", ["tiny_bundle", "every_decoder"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_caption_does_not_depend_on_the_photos_beside_it(made, precision, tmp_path, request):
    graph = onnx.load(request.getfixturevalue(made) / "model.onnx")
    onnx.save(share_weights(PRECISIONS[precision](graph)), path := tmp_path / "model.onnx")
    # A photo of large values would stretch a scale that all photos shared.
    pixels = random_photos(64) * np.array([1, 9, 0.1, 1, 4, 1, 1, 2], np.float32)[:, None, None, None]
    session = open_session(path, 1)
    together = run_search(session, pixels, 3, 0.0, evidence=True)
    for photo in range(len(pixels)):
        alone = run_search(session, pixels[[photo]], 3, 0.0, evidence=True)
        longest = alone["tokens"].shape[2]
        assert (alone["tokens"][0] == together["tokens"][photo, :, :longest]).all()
        for name in ("log_probs", "attention"):
            assert np.abs(alone[name][0] - together[name][photo, :, :longest]).max() < 1e-5
        assert np.abs(alone["evidence"][0] - together["evidence"][photo, : alone["evidence"].shape[1]]).max() < 1e-4


@pytest.mark.parametrize("penalty", [-1e300, -20.0, 40.0, 1e6])
def test_any_length_penalty_captions(tiny_bundle, photos, penalty):
    captioner = Captioner(tiny_bundle)
    captions = [captioner(photo, beam_size=4, length_penalty=penalty) for photo in photos]
    assert all(caption.words and len(caption.alternatives) == 3 for caption in captions)
    longest = captioner.config.max_words
    lengths = [  # <end> counts, where a sentence has one
        [min(len(split_words(one.text)) + 1, longest) for one in (caption, *caption.alternatives)]
        for caption in captions
    ]
    assert all(each == sorted(each, reverse=penalty > 0) for each in lengths)


def test_what_departs_is_counted(tiny: Tiny, tiny_graph, tmp_path):
    graph = copy.deepcopy(tiny_graph)
    change_the_bias(graph.graph, tilt(20))
    onnx.save(graph, tmp_path / "model.onnx")
    agreement = compare(tiny.model, tiny.config, tmp_path / "model.onnx", random_photos(64))
    assert agreement.differing_captions == agreement.captions == 24
    assert agreement.differing_beams > 24
    assert not agreement.exact


def test_evidence_alone_that_departs_is_counted(tiny: Tiny, tiny_graph, tmp_path):
    graph = copy.deepcopy(tiny_graph)
    (choice,) = (node for node in graph.graph.node if node.op_type == "If")
    (then,) = (branch.g for branch in choice.attribute if branch.name == "then_branch")
    (start,) = (weight for weight in then.initializer if weight.name == "then/start")
    start.CopyFrom(onnx.helper.make_tensor(start.name, onnx.TensorProto.INT64, [], [END]))
    onnx.save(graph, tmp_path / "model.onnx")
    agreement = compare(tiny.model, tiny.config, tmp_path / "model.onnx", random_photos(64))
    assert agreement.differing_beams == 0 and not agreement.exact


def test_the_graph_does_not_tell_where_it_was_made(tiny_graph: onnx.ModelProto):
    assert b"site-packages" not in tiny_graph.SerializeToString() and b".py" not in tiny_graph.SerializeToString()


def test_equally_good_words_may_be_chosen_either_way():
    ours = {
        "tokens": np.array([[[5, 7, 2]]]),
        "log_probs": np.array([[[-1.0, -2.0, -0.1]]]),
        "attention": np.zeros((1, 1, 3, 1)),
        "scores": np.array([[-3.1]]),
        "lengths": np.array([[3]]),
        "evidence": np.zeros((1, 3, 1)),
    }
    theirs = copy.deepcopy(ours)
    theirs["tokens"][0, 0, 1] = 8
    theirs["log_probs"][0, 0, 2] = -0.4
    same, difference = agreement._differences(ours, theirs)
    assert same.all()
    assert difference == 0
    theirs["log_probs"][0, 0, 1] -= 0.01
    assert not agreement._differences(ours, theirs)[0].any()


def test_evidence_that_departs_is_noticed():
    ours = {
        "tokens": np.array([[[5, 2], [6, 2]]]),
        "log_probs": np.zeros((1, 2, 2)),
        "attention": np.zeros((1, 2, 2, 1)),
        "scores": np.zeros((1, 2)),
        "lengths": np.full((1, 2), 2),
        "evidence": np.zeros((1, 2, 1)),
    }
    theirs = copy.deepcopy(ours)
    theirs["evidence"][0, 1] = 0.5
    assert agreement._differences(ours, theirs)[1] == 0.5


def test_agreement_is_exact_only_within_the_tolerance():
    assert Agreement(8, 24, 0, 0, 9e-5, 0.0).exact
    assert not Agreement(8, 24, 0, 0, 1.1e-4, 0.0).exact
    assert not Agreement(8, 24, 0, 1, 0.0, 0.0).exact


def test_the_graph_names_what_it_takes_and_gives(tiny_graph: onnx.ModelProto):
    assert [value.name for value in tiny_graph.graph.input] == [*INPUTS, ALLOW_REPEATS]
    assert [value.name for value in tiny_graph.graph.output] == list(OUTPUTS)
    assert {entry.domain for entry in tiny_graph.opset_import} == {""}


def test_impossible_exports_are_refused(tiny_run, tmp_path, instant):
    with pytest.raises(SightlineError, match="unknown precision 'fp8'; there are: fp32, fp16, int8"):
        export_model(tiny_run, tmp_path / "out", "fp8")
    with pytest.raises(SightlineError, match="no such model folder"):
        export_model(tmp_path / "absent", tmp_path / "out")
    with pytest.raises(SightlineError, match=r"no-photo\.png: no such file"):
        export_model(tiny_run, tmp_path / "out", photos=[tmp_path / "no-photo.png"])
    assert list(PRECISIONS) == ["fp32", "fp16", "int8"]
    assert not list(tmp_path.iterdir())


def test_the_command_exports_and_says_what_it_proved(sightline, tiny_run, tmp_path, instant, photos):
    done = sightline("export", tiny_run, "--out", tmp_path / "bundle", "--photos", photos[0].parent)
    assert done.status == 0, done.err
    assert "model.onnx: fp32, 0." in done.out
    assert "beside torch on 15 photos, beams 1 and 3: the same words, numbers within" in done.out
    done = sightline("export", tmp_path / "nothing", "--out", tmp_path / "other")
    assert (done.status, done.out) == (1, "")
    assert done.err == f"sightline: {tmp_path / 'nothing'}: no such model folder\n"
