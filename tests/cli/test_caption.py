from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Captioner

COMMAND = [sys.executable, "-c", "from sightline.cli.main import main; main()", "caption"]


@pytest.fixture(scope="session")
def text(tiny_bundle: Path, photos: list[Path]) -> dict[str, str]:
    """What the model says of each photo."""
    captioner = Captioner(tiny_bundle)
    return {str(photo): captioner(photo).text for photo in photos}


def lines_of(text: dict[str, str], *photos: object) -> str:
    return "".join(f"{photo}: {text[str(photo)]}\n" for photo in photos)


def test_one_photo_is_one_line(sightline, tiny_bundle, photos, text):
    done = sightline("caption", photos[0], "--model", tiny_bundle)
    assert done == (0, lines_of(text, photos[0]), "")


def test_photos_come_in_the_order_of_the_command_line(sightline, tiny_bundle, photos, text):
    named = [photos[4], photos[0], photos[4], photos[6]]
    assert sightline("caption", *named, "--model", tiny_bundle, "--batch-size", 2).out == lines_of(text, *named)


def test_a_folder_stands_for_its_photos_and_those_below(sightline, tiny_bundle, photos, text, tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    found = {
        tmp_path / "b" / "c" / "1.PNG": photos[2],
        tmp_path / "b" / "2.png": photos[1],
        tmp_path / "a.png": photos[0],
    }
    for path, photo in found.items():
        path.write_bytes(photo.read_bytes())
    (tmp_path / "b" / "notes.txt").write_text("no photo, and not meant as one")
    done = sightline("caption", tmp_path, "--model", tiny_bundle)
    expected = {str(path): text[str(photo)] for path, photo in found.items()}
    assert done == (0, lines_of(expected, *sorted(expected)), "")


def test_a_pattern_the_shell_left_alone_is_expanded(sightline, tiny_bundle, photos, text, tmp_path, monkeypatch):
    folder = photos[0].parent
    assert sightline("caption", folder / "[12].png", "--model", tiny_bundle).out == lines_of(text, *photos[1:3])
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.png").write_bytes(photos[3].read_bytes())
    monkeypatch.chdir(tmp_path)
    assert sightline("caption", "**/x.png", "--model", tiny_bundle).out == f"a/b/x.png: {text[str(photos[3])]}\n"
    odd = tmp_path / "what[1].png"
    odd.write_bytes(photos[0].read_bytes())
    assert sightline("caption", odd, "--model", tiny_bundle).out == f"{odd}: {text[str(photos[0])]}\n"


def test_a_dash_reads_names_from_standard_input(sightline, tiny_bundle, photos, text, monkeypatch):
    listed = f"{photos[2]}\n\n{photos[1]}\r\n{photos[0]}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
    done = sightline("caption", "-", photos[5], "--model", tiny_bundle)
    assert done == (0, lines_of(text, *photos[2::-1], photos[5]), "")


def test_json_tells_everything(sightline, tiny_bundle, photos):
    done = sightline(
        "caption", *photos[:3], "--model", tiny_bundle, "--json", "--beam-size", 4, "--length-penalty", 0.7
    )
    captioner = Captioner(tiny_bundle)
    for line, photo in zip(done.out.splitlines(), photos[:3], strict=True):
        entry = json.loads(line)
        expected = captioner(photo, 4, 0.7)
        assert list(entry) == ["photo", "caption", "words", "log_probs", "score", "attention", "alternatives"]
        assert entry["photo"] == str(photo)
        assert entry["caption"] == expected.text
        assert entry["words"] == list(expected.words)
        assert entry["score"] == pytest.approx(expected.score, abs=1e-5)
        np.testing.assert_allclose(entry["log_probs"], expected.log_probs, atol=1e-5)
        np.testing.assert_allclose(entry["attention"], expected.attention, atol=1e-5)
        assert np.shape(entry["attention"]) == (len(entry["words"]), 8, 8)
        assert [other["caption"] for other in entry["alternatives"]] == [o.text for o in expected.alternatives]
        assert len(entry["alternatives"]) == 3


def test_json_tells_what_the_heads_know(sightline, heads_bundle, photos):
    done = sightline("caption", *photos, "--model", heads_bundle, "--json")
    entries = [json.loads(line) for line in done.out.splitlines()]
    for entry, expected in zip(entries, Captioner(heads_bundle).stream(photos), strict=True):
        assert entry == {"photo": str(expected.photo), **expected.as_dict()}
    kinds = [entry["kind"] for entry in entries]
    assert {"photo"} < set(kinds), "some of each"
    # What is no photo is captioned, and noted beside.
    notes = [f"note: {entry['photo']}: {entry['note']}" for entry in entries if entry["kind"] != "photo"]
    assert done.status == 0 and done.err.splitlines() == notes and "note" not in entries[kinds.index("photo")]


@pytest.mark.parametrize("model", ["tiny_bundle", "heads_bundle"])
def test_captions_that_are_less_sure_are_left_out_and_named(sightline, photos, model, request):
    bundle = request.getfixturevalue(model)
    captions = [Captioner(bundle)(photo) for photo in photos]
    least = sorted(caption.sureness() for caption in captions)[5]
    for options in ([], ["--json"]):
        done = sightline("caption", *photos, "--model", bundle, "--min-confidence", least - 1e-6, *options)
        assert (done.status, len(done.out.splitlines())) == (0, 2)
        told = [line for line in done.err.splitlines() if "not sure" in line]
        assert told == [
            f"not sure: {caption.photo}: confidence {caption.sureness():.2f}"
            for caption in captions
            if caption.sureness() < least
        ]
    none = sightline("caption", photos[0], "--model", bundle, "--min-confidence", 1)
    assert (none.status, none.out, len(none.err.splitlines())) == (0, "", 1)


@pytest.mark.parametrize(
    "options", [["--min-confidence", 1.1], ["--min-confidence", "nan"], ["--min-confidence", 0.5, "--out", "rows.csv"]]
)
def test_a_confidence_that_cannot_be_asked_for_is_refused(
    sightline, tiny_bundle, photos, tmp_path, monkeypatch, options
):
    monkeypatch.chdir(tmp_path)
    done = sightline("caption", photos[0], "--model", tiny_bundle, *options)
    assert done.status == 2 and "--min-confidence" in done.err and not list(tmp_path.iterdir())


def test_beam_size_one_is_greedy(sightline, tiny_bundle, photos):
    done = sightline("caption", photos[0], "--model", tiny_bundle, "--beam-size", 1)
    assert done.out == f"{photos[0]}: {Captioner(tiny_bundle)(photos[0], beam_size=1)}\n"


def test_what_cannot_be_read_is_named_and_the_rest_captioned(sightline, tiny_bundle, photos, text, tmp_path):
    whole = photos[0].read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no photo")
    named = [tmp_path / "absent.jpg", photos[0], tmp_path / "cut.png", tmp_path / "text.jpg", photos[1]]
    done = sightline("caption", *named, "--model", tiny_bundle)
    assert done.status == 1
    assert done.out == lines_of(text, *photos[:2])
    errors = done.err.splitlines()
    assert errors[0] == f"sightline: {tmp_path / 'absent.jpg'}: no such file"
    assert errors[1].startswith(f"sightline: {tmp_path / 'cut.png'}: damaged or truncated image (")
    assert errors[2] == f"sightline: {tmp_path / 'text.jpg'}: not an image that can be read"
    assert len(errors) == 3


def test_names_that_stand_for_nothing_fail(sightline, tiny_bundle, photos, text, tmp_path):
    done = sightline("caption", tmp_path / "*.jpg", tmp_path, "", photos[0], "--model", tiny_bundle)
    assert (done.status, done.out) == (1, lines_of(text, photos[0]))
    assert done.err == (
        f"sightline: {tmp_path}/*.jpg: no such file\nsightline: {tmp_path}: no photos in this folder\n"
        "sightline: '': an empty name is no photo; the current folder is .\n"
    )


def test_an_empty_list_is_told_in_one_line(sightline, tiny_bundle, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    done = sightline("caption", "-", "--model", tiny_bundle)
    assert done == (1, "", "sightline: no photos found in -\n")


def test_without_a_model_it_says_how_to_name_one(sightline, photos, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline.captioner.BUNDLED_MODEL", tmp_path / "model")
    done = sightline("caption", photos[0])
    assert (done.status, done.out) == (1, "")
    assert "no model came with this installation; name a model folder: --model PATH" in done.err
    done = sightline("caption", photos[0], "--model", tiny_run)
    assert done.err == f"sightline: {tiny_run}: no model.onnx; `sightline export {tiny_run} --out BUNDLE` makes one\n"


@pytest.mark.parametrize("option", [("--beam-size", "0"), ("--batch-size", "-1"), ("--beam-size", "many")])
def test_impossible_options_are_refused(sightline, tiny_bundle, photos, option):
    done = sightline("caption", photos[0], "--model", tiny_bundle, *option)
    assert (done.status, done.out) == (2, "")
    assert option[0] in done.err
    done = sightline("caption", photos[0], "--model", tiny_bundle, "--length-penalty", "nan")
    assert done == (1, "", "sightline: length penalty nan: it must be a finite number\n")


@pytest.mark.parametrize("verb", [["caption"], ["caption", "--out", "rows.csv"], ["explain", "--out", "explained"]])
def test_photos_over_the_limit_of_pixels_may_be_allowed(sightline, tiny_bundle, photos, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = sightline(*verb, photos[0], "--model", tiny_bundle)
        told = Path("rows.csv").read_text() if "rows.csv" in verb else done.err
        assert done.status == 1 and "--max-megapixels 1" in told
        assert sightline(*verb, photos[0], "--model", tiny_bundle, "--max-megapixels", 1).status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_a_file_name_that_is_no_text_comes_back_as_it_was(tiny_bundle, photos, text):
    odd = os.fsencode(photos[0].parent.parent) + b"/f\xfcr.png"
    Path(os.fsdecode(odd)).write_bytes(photos[0].read_bytes())
    done = subprocess.run([*COMMAND, odd, "--model", str(tiny_bundle)], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == odd + b": " + text[str(photos[0])].encode() + b"\n"
    listed = subprocess.run(
        [*COMMAND, "-", "--json", "--model", str(tiny_bundle)], input=odd, capture_output=True, timeout=60
    )
    assert os.fsencode(json.loads(listed.stdout)["photo"]) == odd


def test_a_reader_that_leaves_early_is_no_failure_to_talk_about(tiny_bundle, photos):
    many = [str(photo) for photo in photos] * 200
    process = subprocess.Popen(
        [*COMMAND, *many, "--model", str(tiny_bundle), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert json.loads(process.stdout.readline())["photo"] == many[0]
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 1


def test_an_interruption_keeps_what_was_printed(tiny_bundle, photos, text):
    process = subprocess.Popen(
        [*COMMAND, "-", "--batch-size", "2", "--model", str(tiny_bundle)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A job that was started in the background ignores the interrupt, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write("".join(f"{photo}\n" for photo in photos))
    process.stdin.flush()
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert first == lines_of(text, photos[0])
    assert lines_of(text, *photos[1:]).startswith(rest)


def test_progress_goes_to_a_terminal_while_captions_go_to_a_file(sightline, tiny_bundle, photos, text, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    done = sightline("caption", *photos, "--model", tiny_bundle)
    assert done.out == lines_of(text, *photos)
    assert "captioning" in done.err


def test_what_cannot_be_read_is_told_on_a_line_of_its_own(sightline, tiny_bundle, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    done = sightline("caption", photos[0], tmp_path / "absent.jpg", "--model", tiny_bundle)
    before, _, after = done.err.partition(f"sightline: {tmp_path / 'absent.jpg'}: no such file\n")
    assert before.startswith("\rcaptioning 0") and before.endswith(" \r")
    assert after.splitlines()[-1].startswith("1 photo captioned in ")
    assert after.endswith(" a second; 1 failed\n")


def test_a_large_photo_is_captioned_without_a_warning(sightline, tiny_bundle, photos, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    done = sightline("caption", photos[0], "--model", tiny_bundle)
    assert (done.status, done.err) == (0, "")


CARD = """# Tiny

A model of nothing.

## Training

None.

## Licences

CC0.

```
# no title
```

## More

x
"""


def test_info_tells_what_the_model_is(sightline, bundle):
    (bundle / "MODEL_CARD.md").write_text(CARD)
    told = sightline("info", "--model", bundle)
    assert (told.status, told.err) == (0, "")
    for fact in (
        "small_cnn, 8x8 cells, projected to 16",
        "gru (hidden_size 16",
        "24 words",
        "9 words at most",
        "resized to 64x64",
        "data            nothing",
        "MB, fp32",
        "A model of nothing.",
        "CC0.",
        "# no title",
    ):
        assert fact in told.out
    assert "None." not in told.out
    assert "## More" not in told.out


def test_info_says_what_is_missing_or_broken(sightline, bundle, tiny_run):
    told = sightline("info", "--model", tiny_run)
    assert "model.safetensors" in told.out
    assert "no model.onnx: it cannot caption yet; `sightline export" in told.out
    (bundle / "model.onnx").write_bytes(b"broken")
    told = sightline("info", "--model", bundle)
    assert (told.status, told.out) == (1, "")
    assert "damaged or truncated" in told.err
