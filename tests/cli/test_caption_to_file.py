"""`sightline caption --out`: every photo once, whatever happens in between."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline import Captioner

COMMAND = [sys.executable, "-c", "from sightline.cli.main import main; main()", "caption"]
COLUMNS = [
    "photo",
    "caption",
    "words",
    "log_probs",
    "score",
    "confidence",
    "kind",
    "keywords",
    "error",
    "size",
    "modified_ns",
    "made_by",
]


@pytest.fixture(params=[".jsonl", ".csv", ".parquet"])
def suffix(request: pytest.FixtureRequest) -> str:
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    return request.param


def read(path: Path) -> list[dict[str, Any]]:
    """A file's rows, each format by a reader that is not ours."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return list(csv.DictReader(file))
    return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()


def captions(path: Path) -> list[tuple[str, str | None]]:
    return [(row["photo"], row["caption"] or None) for row in read(path)]


def journal(out: Path) -> Path:
    """Where rows are before the file is whole."""
    return out if out.suffix == ".jsonl" else out.with_name(out.name + ".jsonl")


@pytest.fixture(scope="module")
def text(tiny_bundle: Path, photos: list[Path]) -> list[tuple[str, str | None]]:
    captioner = Captioner(tiny_bundle)
    return [(str(photo), captioner(photo).text) for photo in photos]


@pytest.fixture
def caption(sightline: Callable[..., Any], tiny_bundle: Path) -> Callable[..., Any]:
    return lambda *arguments: sightline("caption", *arguments, "--model", tiny_bundle)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The photos that were decoded."""
    decode, decoded = Captioner._decode, []

    def decode_and_note(self, photo, **limits):
        decoded.append(photo.name)
        return decode(self, photo, **limits)

    monkeypatch.setattr(Captioner, "_decode", decode_and_note)
    return decoded


def test_every_photo_is_a_row_and_a_bad_one_holds_its_error(caption, tiny_bundle, photos, text, tmp_path, suffix):
    bad, absent, out = tmp_path / 'ümlaut, "a"\nb.jpg', tmp_path / "absent.jpg", tmp_path / f"a b/ö{suffix}"
    bad.write_text("no photo")
    done = caption(*photos, bad, absent, photos[0], "--out", out)
    assert (done.status, done.out) == (1, f"{out}: 9 photos, 2 of them with an error instead of a caption\n")
    assert captions(out) == [*text, (str(bad), None), (str(absent), None)]
    rows = read(out)
    assert list(rows[0]) == COLUMNS
    assert rows[7]["error"].endswith("b.jpg: not an image that can be read")
    assert rows[8]["error"] == f"{absent}: no such file"
    assert not rows[0]["error"] and not rows[8]["size"]
    words, log_probs = rows[0]["words"], rows[0]["log_probs"]
    if suffix == ".csv":
        words, log_probs = words.split(), [float(value) for value in log_probs.split()]
    expected = Captioner(tiny_bundle)(photos[0])
    assert words == list(expected.words)
    assert log_probs == pytest.approx(expected.log_probs.tolist(), abs=1e-5)
    assert float(rows[0]["score"]) == pytest.approx(expected.score, abs=1e-5)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_rows_have_what_the_heads_know(sightline, heads_bundle, photos, tmp_path, suffix):
    out = tmp_path / f"captions{suffix}"
    assert sightline("caption", *photos, "--out", out, "--model", heads_bundle).status == 0
    for row, caption in zip(read(out), Captioner(heads_bundle).stream(photos), strict=True):
        assert float(row["confidence"]) == pytest.approx(caption.confidence, abs=1e-4)
        assert row["kind"] == caption.kind
        keywords = row["keywords"].split() if suffix == ".csv" else row["keywords"]
        assert keywords == [keyword.word for keyword in caption.keywords]


def test_what_is_in_the_file_is_not_captioned_again(caption, photos, text, tmp_path, suffix, seen):
    (bad := tmp_path / "bad.jpg").write_text("no photo")
    out = tmp_path / f"captions{suffix}"
    caption(photos[0], bad, "--out", out)
    before = out.read_bytes()
    seen.clear()
    done = caption(photos[0], bad, "--out", out)
    assert (seen, out.read_bytes()) == ([], before)
    assert (done.status, done.out) == (1, f"{out}: 2 photos, 1 of them with an error instead of a caption\n")
    done = caption(*photos, bad, "--out", out)
    assert sorted(seen) == sorted(map(str, photos[1:]))
    assert captions(out) == [text[0], (str(bad), None), *text[1:]]
    assert "2 of 8 photos are in it already" in done.err


def test_a_photo_that_changed_has_its_new_row_alone(caption, photos, text, tmp_path, suffix):
    """Changed, come, and gone: each is known by size and time."""
    changed, come, gone, out = *(tmp_path / f"{name}.png" for name in ("a", "b", "c")), tmp_path / f"captions{suffix}"
    for path in (changed, gone):
        path.write_bytes(photos[0].read_bytes())
    caption(changed, come, gone, photos[6], "--out", out)
    for path in (changed, come):
        path.write_bytes(photos[1].read_bytes())
    gone.unlink()
    caption(changed, come, gone, "--out", out)
    now = [(str(changed), text[1][1]), (str(come), text[1][1]), (str(gone), None)]
    assert captions(out) == [text[6], *now]
    os.utime(changed, ns=(0, 0))
    caption(changed, "--out", out)
    assert captions(out) == [text[6], *now[1:], now[0]]


def test_what_another_model_made_is_not_mixed_in(caption, photos, tmp_path, suffix):
    out = tmp_path / f"captions{suffix}"
    caption(photos[0], "--out", out)
    before = out.read_bytes()
    done = caption(*photos, "--out", out, "--beam-size", 1)
    assert done.status == 1 and done.err.count("\n") == 1
    assert "beam 3, length penalty 1, these would be by model" in done.err and "--overwrite" in done.err
    assert out.read_bytes() == before
    caption(photos[1], "--out", out, "--beam-size", 1, "--overwrite")
    assert [row["photo"] for row in read(out)] == [str(photos[1])]


def test_a_row_that_was_cut_off_is_made_again(caption, photos, text, tmp_path, suffix):
    """As kill -9 or a power cut leave it: at every byte of the last row, and of the first."""
    out = tmp_path / f"captions{suffix}"
    whole = tmp_path / "whole.jsonl"
    caption(*photos[:2], "--out", whole)
    content = whole.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    for end in (0, 1, last // 2, last, last + 1, (last + len(content)) // 2, len(content) - 1):
        journal(out).write_bytes(content[:end])
        caption(*photos[:2], "--out", out)
        assert captions(out) == text[:2], end
        out.unlink()


def test_somebody_elses_file_is_left_alone(caption, photos, tmp_path, suffix):
    out = tmp_path / f"captions{suffix}"
    for foreign in (
        b"photo,caption\na.jpg,a dog\n",
        b'{"image": "a.jpg"}\n{"image"',
        b'{"photo": "a.jpg", "caption": "a"}\n',
    ):
        out.write_bytes(foreign)
        done = caption(photos[0], "--out", out)
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert str(out) in done.err and "--overwrite" in done.err
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(out.name, foreign)]
    assert caption(photos[0], "--out", out, "--overwrite").status == 0
    assert len(read(out)) == 1


def test_a_full_disk_leaves_whole_rows(caption, photos, text, tmp_path, suffix, disk_full):
    out = tmp_path / f"captions{suffix}"
    with disk_full(1000):
        done = caption(*photos, "--out", out)
    assert done.status == 1 and "cannot be written (File too large)" in done.err.splitlines()[-1]
    rows = journal(out).read_bytes()
    assert 0 < len(rows) < 1000 and rows.endswith(b"\n")
    caption(*photos, "--out", out)
    assert captions(out) == text


@pytest.mark.parametrize(("arguments", "told"), [
    (("--out", "captions.txt"), "captions.txt: what is written is .jsonl, .csv or .parquet"),
    (("--out", "a.jsonl", "--json"), "--json is for stdout"),
    (("--overwrite",), "--overwrite needs --out"),
    (("--engine", "ray"), "--engine needs --out"),
    (("--out", "a.jsonl", "--address", "auto"), "--address needs --engine ray"),
])  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_done(caption, photos, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    done = caption(photos[0], *arguments)
    assert done.status in (1, 2) and told in done.err
    assert not list(tmp_path.iterdir())


def test_without_pyarrow_parquet_says_how_to_get_it(caption, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = caption(photos[0], "--out", tmp_path / "a.parquet")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert 'Parquet needs pyarrow: pip install "sightline[parquet]"' in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_a_file_name_that_is_no_text_is_known_again(caption, photos, tmp_path, suffix, seen):
    odd, out = tmp_path / os.fsdecode(b"f\xfcr.png"), tmp_path / f"captions{suffix}"
    odd.write_bytes(photos[0].read_bytes())
    for _ in range(2):
        assert caption(odd, "--out", out).status == 0
    assert seen == [str(odd)]
    expected = str(tmp_path / r"f\xfcr.png") if suffix == ".parquet" else str(odd)
    assert [row["photo"] for row in read(out)] == [expected]


def test_two_processes_do_not_write_one_file(caption, photos, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with (out := tmp_path / "captions.jsonl").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = caption(photos[0], "--out", out)
    assert done.status == 1 and "another process is writing it" in done.err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are POSIX's")
def test_killed_and_interrupted_it_goes_on_and_no_row_is_twice_or_lost(
    caption, tiny_bundle, photos, text, tmp_path, suffix
):
    """Ctrl-C, SIGTERM and kill -9, one after the other, each once some more rows were written."""
    many = [tmp_path / f"{number:03}.png" for number in range(300)]
    for path, photo in zip(many, itertools.cycle(photos), strict=False):
        path.symlink_to(photo)
    out, rows = tmp_path / f"captions{suffix}", 0
    growing = journal(out)
    command = [*COMMAND, *map(str, many), "--out", str(out), "--batch-size", "1", "--model", str(tiny_bundle)]
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A job that was started in the background ignores the interrupt, and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while process.poll() is None and (not growing.exists() or growing.read_bytes().count(b"\n") < rows + 10):
            time.sleep(0.005)
        process.send_signal(number)
        told, complaint = process.communicate(timeout=60)
        assert (process.returncode, told) == (status, ""), complaint
        assert "Traceback" not in complaint
        assert growing.read_bytes().endswith(b"\n") or number == signal.SIGKILL
        rows = growing.read_bytes().count(b"\n")
        if number != signal.SIGKILL:
            said = re.search(r"(\d+) of 300 photos are in it; the same command goes on", complaint)
            assert said and rows - 1 <= int(said[1]) <= rows
    assert 30 <= rows < 300
    assert caption(*many, "--out", out).status == 0
    assert captions(out) == [(str(path), said) for path, (_, said) in zip(many, itertools.cycle(text), strict=False)]
