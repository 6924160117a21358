from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import sightline
from sightline import Caption, Captioner, SightlineError
from sightline.model_folder import identity, load_description
from sightline.nn.evidence import evidence
from sightline.preprocess import TooManyPixels, preprocess
from sightline.sessions import available_cores
from sightline.training.results import generate

from .conftest import Tiny


@pytest.fixture(scope="session")
def captioner(tiny_bundle: Path) -> Captioner:
    return sightline.load(tiny_bundle)


def same(one: Caption, other: Caption) -> bool:
    return one.as_dict() == other.as_dict()


@pytest.mark.parametrize(("beam_size", "length_penalty"), [(1, 0.0), (3, 0.0), (4, 0.7)])
def test_it_says_what_the_torch_model_says(tiny: Tiny, captioner, photos, beam_size, length_penalty):
    expected = generate(*tiny, photos, beam_size, length_penalty)
    for photo, theirs in zip(photos, expected, strict=True):
        ours = captioner(photo, beam_size, length_penalty)
        assert ours.words == theirs.words
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)
        np.testing.assert_allclose(ours.log_probs, theirs.log_probs, atol=1e-4)
        np.testing.assert_allclose(ours.attention, theirs.attention, atol=1e-5)
        assert ours.attention.shape == (len(ours.words), 8, 8)
        assert [other.text for other in ours.alternatives] == [other.text for other in theirs.alternatives]
        assert len(ours.alternatives) == beam_size - 1


def test_both_tiers_see_the_same_pixels_to_the_last_bit(tiny: Tiny, captioner, photos, tmp_path, monkeypatch):
    with Image.open(photos[0]) as image:
        image.resize((900, 700)).save(tmp_path / "large.jpg")
    seen = []
    run, features = sightline.captioner.run_search, tiny.model.features

    def remember_and_run(session, pixels, *options):
        seen.append(pixels)
        return run(session, pixels, *options)

    def remember_and_encode(pixels):
        seen.append(pixels.numpy())
        return features(pixels)

    monkeypatch.setattr(sightline.captioner, "run_search", remember_and_run)
    monkeypatch.setattr(tiny.model, "features", remember_and_encode)
    captioner(tmp_path / "large.jpg")
    list(captioner.stream([tmp_path / "large.jpg"]))
    generate(*tiny, [tmp_path / "large.jpg"])
    light, streamed, training = seen
    assert light.tobytes() == streamed.tobytes() == training.tobytes()
    assert (light.shape, light.dtype) == ((1, 3, 64, 64), np.float32)


def test_a_photo_is_a_path_bytes_a_pil_image_or_an_array(captioner, photos):
    expected = captioner(photos[0])
    with Image.open(photos[0]) as image:
        for photo in (str(photos[0]), photos[0].read_bytes(), image, np.asarray(image)):
            assert same(captioner(photo), expected)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_a_stream_keeps_the_order_whatever_the_batches(captioner, photos, batch_size):
    many = [photos[i] for i in (3, 1, 6, 0, 0, 5, 2, 4, 6, 1)]
    texts = [caption.text for caption in captioner.stream(iter(many), batch_size=batch_size)]
    assert texts == [captioner(photo).text for photo in many]
    assert len(set(texts)) == len(photos)


def test_a_stream_passes_the_options_on(captioner, photos):
    for options in ({"beam_size": 1}, {"beam_size": 4, "length_penalty": 1.0}):
        streamed = list(captioner.stream(photos, **options))
        assert [len(caption.alternatives) for caption in streamed] == [options["beam_size"] - 1] * len(photos)
        assert [caption.text for caption in streamed] == [captioner(photo, **options).text for photo in photos]


def test_evidence_comes_where_it_is_asked_for(tiny: Tiny, captioner, photos):
    streamed = captioner.stream(photos, evidence=True)
    for photo, of_many in zip(photos, streamed, strict=True):
        plain, explained = captioner(photo), captioner(photo, evidence=True)
        assert plain.evidence is None and "evidence" not in plain.as_dict()
        assert {name: explained.as_dict()[name] for name in plain.as_dict()} == plain.as_dict()
        assert explained.evidence.shape == of_many.evidence.shape == (len(plain.words), 8, 8)
        assert np.shape(explained.as_dict()["evidence"]) == explained.evidence.shape
        pixels = torch.from_numpy(preprocess(photo, tiny.config.preprocessing)[None])
        with torch.no_grad():
            memory = tiny.model.prepare(tiny.model.features(pixels))
        tokens = torch.tensor([tiny.vocabulary.encode(plain.text, len(plain.words))])
        expected = evidence(tiny.model.decoder, memory, tokens)[0, : len(plain.words)].reshape(-1, 8, 8)
        np.testing.assert_allclose(explained.evidence, expected, atol=1e-4)
        np.testing.assert_allclose(of_many.evidence, expected, atol=1e-4)


def add_heads(bundle: Path) -> None:
    """Give a bundle outputs of heads that are made up from what the search finds, at beam size 3."""
    path = bundle / "model.onnx"
    config = json.loads((bundle / "config.json").read_text())
    config["heads"] = {"kinds": ["photo", "chart", "map"], "keywords": ["dog", "grass", "bench"]}
    (bundle / "config.json").write_text(json.dumps(config))
    graph = onnx.load(path)
    node, values = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph.graph.node.extend(
        [
            node("Exp", ["scores"], ["confidence"]),
            node("Exp", ["log_probs"], ["word_confidence"]),
            node("Softmax", ["scores"], ["kinds"]),
            node("Sigmoid", ["scores"], ["keywords"]),
        ]
    )
    for name, dimensions in (("confidence", "BK"), ("word_confidence", "BKT"), ("kinds", "BC"), ("keywords", "BW")):
        graph.graph.output.append(values(name, onnx.TensorProto.FLOAT, list(dimensions)))
    description = load_description(bundle)
    onnx.helper.set_model_props(graph, identity(*description))
    onnx.save(graph, path)


def test_heads_say_what_they_know_with_evidence_and_without(bundle, photos):
    plain = [caption.text for caption in sightline.load(bundle).stream(photos)]
    add_heads(bundle)
    captioner = sightline.load(bundle)
    for caption, text in zip(captioner.stream(photos, evidence=True), plain, strict=True):
        assert caption.text == text and caption.evidence is not None
        assert caption.confidence == pytest.approx(np.exp(caption.score), abs=1e-5)
        np.testing.assert_allclose(caption.word_confidence, np.exp(caption.log_probs), atol=1e-5)
        assert [other.confidence for other in caption.alternatives] == [
            pytest.approx(np.exp(other.score), abs=1e-5) for other in caption.alternatives
        ]
        # The best beam's score is the greatest, and so is what was made up from it.
        assert caption.kind == "photo" or caption.note == f"this seems to be no photo ({caption.kind}): " + (
            "the caption can hardly be right"
        )
        assert [keyword.word for keyword in caption.keywords] == ["dog", "grass", "bench"][: len(caption.keywords)]
    assert same(captioner(photos[0]), captioner.caption_batch(photos)[0])


def test_a_model_of_other_heads_is_noticed(bundle):
    add_heads(bundle)
    config = json.loads((bundle / "config.json").read_text())
    for heads in ({"kinds": ["photo", "chart"], "keywords": []}, {}):
        (bundle / "config.json").write_text(json.dumps(config | {"heads": heads}))
        with pytest.raises(SightlineError, match="made for another config"):
            sightline.load(bundle)


def test_errors_come_in_their_places(captioner, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    many = ["absent.png", photos[0], photos[1], tmp_path / "text.jpg", "gone.png", "lost.png", photos[2]]
    results = list(captioner.stream(many, batch_size=2))
    assert [isinstance(result, SightlineError) for result in results] == [1, 0, 0, 1, 1, 1, 0]
    assert [str(result) for result in results if isinstance(result, SightlineError)] == [
        "absent.png: no such file",
        f"{tmp_path / 'text.jpg'}: not an image that can be read",
        "gone.png: no such file",
        "lost.png: no such file",
    ]
    assert [results[i].text for i in (1, 2, 6)] == [captioner(photo).text for photo in photos[:3]]


def test_a_batch_has_each_photos_own_caption_or_error(captioner, photos):
    found = captioner.caption_batch([photos[0], "absent.png", photos[1]], beam_size=2, evidence=True)
    assert str(found[1]) == "absent.png: no such file"
    for caption, photo in ((found[0], photos[0]), (found[2], photos[1])):
        assert same(caption, captioner(photo, beam_size=2, evidence=True)) and caption.photo == photo
        assert caption.evidence.shape == caption.attention.shape
    assert captioner.caption_batch([]) == captioner.caption_batch(()) == []
    with pytest.raises(SightlineError, match="put a single photo in a list"):
        captioner.caption_batch(photos[0])


def test_a_batch_of_strangers_photos_has_limits(captioner, photos):
    caption, error = captioner.caption_batch([photos[0], b"GIF89a" + bytes(20)], formats=["PNG"])
    assert same(caption, captioner(photos[0])) and "PNG" in str(error)
    (error,) = captioner.caption_batch([photos[0]], max_pixels=96 * 80 - 1)
    assert isinstance(error, TooManyPixels) and error.photo == photos[0]
    (error,) = captioner.stream([photos[0]], max_pixels=96 * 80 - 1)
    assert isinstance(error, TooManyPixels)
    with pytest.raises(TooManyPixels):
        captioner(photos[0], max_pixels=96 * 80 - 1)


@pytest.mark.parametrize("threads", [0, -2, 1.5, "2", True])
def test_threads_that_cannot_be_are_no_damaged_model(tiny_bundle, threads):
    with pytest.raises(SightlineError, match=r"threads .*whole number, 1 or more"):
        Captioner(tiny_bundle, threads)


def test_a_stream_of_nothing_is_empty(captioner):
    assert list(captioner.stream([])) == []


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_stream_takes_no_more_photos_than_it_needs(captioner, photos, batch_size):
    taken = 0

    def endless():
        nonlocal taken
        for photo in itertools.cycle(photos):
            taken += 1
            yield photo

    ahead = []
    stream = captioner.stream(endless(), beam_size=1, batch_size=batch_size)
    for given, _ in enumerate(itertools.islice(stream, 40)):
        ahead.append(taken - given)
    stream.close()
    assert max(ahead) <= batch_size * (available_cores() + 1)


def test_photos_are_decoded_while_the_model_runs(captioner, photos, monkeypatch):
    """The model's first run waits until photos of the second batch are decoded, which so must happen meanwhile."""
    monkeypatch.setattr(captioner, "_cores", 2)
    decode, search, second_batch = captioner._decode, captioner._search, threading.Event()

    def decode_and_tell(photo, **limits):
        if photo in photos[2:4]:
            second_batch.set()
        return decode(photo, **limits)

    def wait_and_search(*arguments):
        assert second_batch.wait(10), "nothing was decoded while the model ran"
        return search(*arguments)

    monkeypatch.setattr(captioner, "_decode", decode_and_tell)
    monkeypatch.setattr(captioner, "_search", wait_and_search)
    captions = list(captioner.stream(photos, batch_size=2))
    assert [caption.text for caption in captions] == [captioner(photo).text for photo in photos]


def test_an_abandoned_stream_leaves_no_threads(captioner, photos):
    before = threading.active_count()
    stream = captioner.stream(itertools.cycle(photos))
    next(stream)
    assert threading.active_count() > before
    stream.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam size 0"),
        ({"beam_size": 100_000}, r"^beam size 100000: this model's largest is \d+$"),
        ({"length_penalty": float("nan")}, "length penalty nan"),
        ({"length_penalty": float("inf")}, "length penalty inf"),
        ({"batch_size": 0}, "batch size 0"),
    ],
)
def test_impossible_options_are_refused_at_once(captioner, photos, options, message):
    with pytest.raises(SightlineError, match=message):
        captioner.stream(photos, **options)
    if "batch_size" not in options:
        with pytest.raises(SightlineError, match=message):
            captioner(photos[0], **options)


def test_wide_beams_take_some_photos_at_a_time_and_none_more_than_the_vocabulary(captioner, photos, monkeypatch):
    words = len(captioner.vocabulary)
    assert captioner.max_beam_size == words
    texts = [caption.text for caption in captioner.caption_batch(photos)]
    monkeypatch.setattr("sightline.captioner._SCORES", 2 * 3 * words + 1)
    seen = []
    run = sightline.captioner.run_search
    monkeypatch.setattr(
        "sightline.captioner.run_search",
        lambda session, pixels, *_: seen.append(len(pixels)) or run(session, pixels, *_),
    )
    assert [caption.text for caption in captioner.caption_batch(photos)] == texts
    assert (max(seen), sum(seen)) == (2, len(photos))
    assert Captioner(captioner.folder).max_beam_size == 6


def test_threads_may_share_a_captioner(captioner, photos):
    expected = [captioner(photo).text for photo in photos]
    results: dict[int, list[str]] = {}

    def work(number: int) -> None:
        results[number] = [captioner(photo).text for photo in photos]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), expected)


def without(name: str) -> Callable[[Path], object]:
    return lambda bundle: (bundle / name).unlink()


def cut(share: float) -> Callable[[Path], object]:
    def damage(bundle: Path) -> None:
        whole = (bundle / "model.onnx").read_bytes()
        (bundle / "model.onnx").write_bytes(whole[: int(share * len(whole))])

    return damage


def other_words(change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    def damage(bundle: Path) -> None:
        words = json.loads((bundle / "vocabulary.json").read_text())
        (bundle / "vocabulary.json").write_text(json.dumps(change(words)))

    return damage


def other_config(**values: object) -> Callable[[Path], object]:
    def damage(bundle: Path) -> None:
        config = json.loads((bundle / "config.json").read_text())
        (bundle / "config.json").write_text(json.dumps(config | values))

    return damage


def without_evidence(bundle: Path) -> None:
    model = onnx.load(bundle / "model.onnx")
    nodes = [node for node in model.graph.node if node.op_type != "If"]
    del model.graph.node[:], model.graph.output[-1], model.graph.input[-1]
    model.graph.node.extend(nodes)
    onnx.save(model, bundle / "model.onnx")


def anothers_onnx(bundle: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [onnx.helper.make_tensor_value_info("y", 1, [1])])
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), bundle / "model.onnx")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("model.onnx"), "no model.onnx; `sightline export .* --out BUNDLE` makes one"),
        (without("config.json"), "no model folder .*train or export one there"),
        (without("vocabulary.json"), "no readable vocabulary .*export or train the model again"),
        (cut(0), "damaged or truncated .*; copy it anew or export again"),
        (cut(0.5), "damaged or truncated .*; copy it anew or export again"),
        (cut(0.999), "damaged or truncated .*; copy it anew or export again|another config.json"),
        (lambda bundle: (bundle / "model.onnx").write_text("<html>404"), "damaged or truncated"),
        (anothers_onnx, "not a model that this sightline exported; `sightline export` makes one"),
        (without_evidence, "not a model that this sightline exported; `sightline export` makes one"),
        (other_words(lambda words: [*words, "more"]), r"\(vocabulary: 24 words.*here 25 words.*export the model again"),
        (other_words(lambda words: words[:-1]), r"\(vocabulary: 24 words.*here 23 words"),
        (other_words(lambda words: [*words[:-2], words[-1], words[-2]]), r"\(vocabulary: 24 words.*here 24 words"),
        (other_config(max_words=8), r"\(max_words: 9, here 8\)"),
        (other_config(grid=[4, 16]), r"\(grid: "),
        (other_config(preprocessing={"size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]}), r"\(preprocessing: "),
        (other_config(format=2), "model format 2, this sightline reads 1; upgrade sightline or export again"),
    ],
)
def test_bad_bundles_are_refused_with_one_line(bundle, damage, message):
    damage(bundle)
    with pytest.raises(SightlineError, match=message) as refused:
        sightline.load(bundle)
    assert "\n" not in str(refused.value)
    assert str(bundle) in str(refused.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SightlineError, match="absent: no such model folder"):
        sightline.load(tmp_path / "absent")


def test_without_a_bundled_model_one_must_be_named(monkeypatch, tmp_path):
    monkeypatch.setattr("sightline.captioner.BUNDLED_MODEL", tmp_path / "model")
    with pytest.raises(
        SightlineError, match=r"no model came with this installation; name a model folder: --model PATH"
    ):
        sightline.load()


def test_the_bundled_model_is_loaded_by_default(monkeypatch, tiny_bundle, photos):
    monkeypatch.setattr("sightline.captioner.BUNDLED_MODEL", tiny_bundle)
    assert sightline.load()(photos[0]).text


def test_files_and_buffers_are_photos(captioner, photos):
    data = photos[0].read_bytes()
    with photos[0].open("rb") as file:
        many = [file, io.BytesIO(data), bytearray(data), memoryview(data)]
        expected = captioner(photos[0])
        assert all(same(captioner(photo), expected) for photo in many)
        assert [caption.text for caption in captioner.stream(many)] == [expected.text] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": "3"}, "beam size '3': it must be a whole number, 1 or more"),
        ({"beam_size": 2.5}, "beam size 2.5: it must be a whole number, 1 or more"),
        ({"beam_size": True}, "beam size True: it must be a whole number, 1 or more"),
        ({"beam_size": None}, "beam size None: it must be a whole number, 1 or more"),
        ({"length_penalty": "x"}, "length penalty 'x': it must be a finite number"),
        ({"length_penalty": None}, "length penalty None: it must be a finite number"),
        ({"batch_size": "8"}, "batch size '8': it must be a whole number, 1 or more"),
        ({"batch_size": 1.5}, "batch size 1.5: it must be a whole number, 1 or more"),
    ],
)
def test_options_of_other_types_are_refused_in_words(captioner, photos, options, message):
    with pytest.raises(SightlineError) as refused:
        captioner.stream(photos, **options)
    assert str(refused.value) == message


def test_numbers_of_numpy_are_numbers(captioner, photos):
    expected = captioner(photos[0], 2, 0.5)
    assert same(captioner(photos[0], np.int64(2), np.float32(0.5)), expected)
    assert same(next(captioner.stream(photos, np.uint8(2), np.float64(0.5), np.int32(3))), expected)


@pytest.mark.parametrize("of", [str, Path, Path.read_bytes, Image.open, lambda path: np.asarray(Image.open(path)),
                                lambda path: io.BytesIO(path.read_bytes()), lambda _: None, lambda _: 5])  # fmt: skip
def test_a_stream_is_of_many_photos(captioner, photos, of):
    with pytest.raises(SightlineError, match=r"^photos must be .*: put a single photo in a list$"):
        captioner.stream(of(photos[0]))


def test_a_blank_photo_is_captioned_and_said_to_be_blank(captioner, photos):
    blank, seen = captioner.stream([np.full((50, 60, 3), 99, np.uint8), photos[0]])
    assert blank.text and blank.note.startswith("the photo is blank")
    assert blank.as_dict()["note"] == blank.note
    assert seen.note == "" and "note" not in seen.as_dict()
    assert captioner(Image.new("RGBA", (9, 9))).note == blank.note


def test_errors_hold_nothing_but_their_message_and_photo(captioner, photos, tmp_path):
    (tmp_path / "cut.png").write_bytes(photos[0].read_bytes()[:400])
    many = ["absent.png", tmp_path / "cut.png", None]
    for photo, error in zip(many, captioner.stream(many), strict=True):
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)
        assert vars(error) == {"photo": photo}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is told by /proc")
def test_memory_does_not_grow_with_photos_that_fail(captioner, tmp_path):
    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    whole = io.BytesIO()
    Image.new("RGB", (2500, 2000), "red").save(whole, "PNG", compress_level=0)
    path = tmp_path / "cut.png"
    path.write_bytes(whole.getvalue()[: whole.tell() // 20])  # 20 MB of pixels each
    stream = captioner.stream(itertools.repeat(path))
    kept = list(itertools.islice(stream, 20))
    before = resident()
    kept += itertools.islice(stream, 60)
    assert all("cut.png: damaged or truncated image" in str(error) for error in kept)
    for _ in range(10):
        with pytest.raises(SightlineError) as refused:
            captioner(path.read_bytes())
        kept.append(refused.value)
    assert resident() - before < 100  # where they were kept, 1,400
    stream.close()


def test_a_captioner_can_be_pickled(tiny_bundle, photos, monkeypatch):
    monkeypatch.chdir(tiny_bundle.parent)
    captioner = sightline.load(tiny_bundle.name)
    pickled = pickle.dumps(captioner)
    monkeypatch.chdir("/")
    assert len(pickled) < 1000
    assert same(pickle.loads(pickled)(photos[0]), captioner(photos[0]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_captioner_works_after_a_fork(tiny_bundle, photos):
    code = f"""
import os, sys, sightline
captioner, photos = sightline.load({str(tiny_bundle)!r}), {[str(photo) for photo in photos]!r}
captioner._cores = 2
expected = [captioner(photo).text for photo in photos]
child = os.fork()
alike = [captioner(photo).text for photo in photos] == expected
alike &= [caption.text for caption in captioner.stream(photos)] == expected
if child:
    alike &= os.waitpid(child, 0)[1] == 0
sys.exit(not alike)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_vocabulary_without_its_first_words_is_named(bundle):
    (bundle / "vocabulary.json").write_text(json.dumps(["a", "dog"]))
    with pytest.raises(SightlineError, match=r"vocabulary\.json: a vocabulary must begin with <pad>.*export or train"):
        sightline.load(bundle)


def test_threads_are_all_the_cores_it_uses(tiny_bundle, photos, monkeypatch):
    """An engine gives a worker its share of the cores; the worker sees the whole machine."""
    alone = sightline.load(tiny_bundle, threads=1)
    search, at_once, most = alone._search, 0, 0

    def count_and_search(*arguments):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        at_once -= 1
        return search(*arguments)

    monkeypatch.setattr(alone, "_search", count_and_search)
    texts = [caption.text for caption in alone.stream(photos, batch_size=1)]
    assert most == 1
    assert texts == [sightline.load(tiny_bundle)(photo).text for photo in photos]


def test_a_device_that_is_not_there_is_one_line(tiny_bundle, photos, caplog):
    captioner = sightline.load(tiny_bundle, device="cuda")
    assert captioner.device == "cpu"
    assert [record.getMessage() for record in caplog.records] == [
        "sightline: this ONNX Runtime has no CUDA (onnxruntime-gpu has); captions are computed on the processor"
    ]
    assert captioner(photos[0]).text == sightline.load(tiny_bundle, device="auto")(photos[0]).text
    assert len(caplog.records) == 1
    with pytest.raises(SightlineError, match="device 'gpu': it must be one of cpu, cuda, auto"):
        sightline.load(tiny_bundle, device="gpu")


@pytest.mark.parametrize("starts", [True, False])
def test_cuda_is_taken_where_it_is_offered_and_starts(starts, tiny_bundle, caplog, monkeypatch):
    class Session(onnxruntime.InferenceSession):
        """What onnxruntime-gpu's would be: it gives what starts, and never fails for what does not."""

        def __init__(self, path, options, providers):
            self.asked = providers
            super().__init__(path, options, providers=providers[-1:])

        def get_providers(self):
            return self.asked if starts else self.asked[-1:]

    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    for device in ("cuda", "auto"):
        captioner = sightline.load(tiny_bundle, device=device)
        assert captioner._sessions.get(1).asked == offered
        assert captioner.device == ("cuda" if starts else "cpu")
        assert pickle.loads(pickle.dumps(captioner)).device == captioner.device
    assert sightline.load(tiny_bundle)._sessions.get(1).asked == ["CPUExecutionProvider"]
    told = {record.getMessage() for record in caplog.records}
    assert told == (
        set() if starts else {"sightline: CUDA could not be started; captions are computed on the processor"}
    )
