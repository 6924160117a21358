"""`sightline caption --write`: what is there is not captioned again, and everything is counted."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline import Captioner
from sightline.writers.packet import DESCRIPTION, subjects_in, texts_in


@pytest.fixture
def folder(photos: list[Path], tmp_path: Path) -> Path:
    (folder := tmp_path / "photos").mkdir()
    for photo in photos:
        shutil.copy(photo, folder)
    return folder


@pytest.fixture
def write(sightline: Callable[..., Any], tiny_bundle: Path) -> Callable[..., Any]:
    return lambda *arguments: sightline("caption", *arguments, "--model", tiny_bundle)


@pytest.fixture(scope="module")
def text(tiny_bundle: Path, photos: list[Path]) -> dict[str, str]:
    captioner = Captioner(tiny_bundle)
    return {photo.stem: captioner(photo).text for photo in photos}


def test_every_photo_has_its_own_caption(write, folder, text):
    for form in ("txt", "xmp"):
        done = write(folder, "--write", form)
        assert (done.status, done.err) == (0, "")
        assert done.out.startswith("captions: 7 written, 0 skipped")
    assert {path.stem: path.read_text() for path in folder.glob("*.txt")} == {n: f"{t}\n" for n, t in text.items()}
    for name, words in text.items():
        assert texts_in((folder / f"{name}.png.xmp").read_bytes(), DESCRIPTION)["en"] == words


def test_a_second_run_needs_no_model(write, sightline, folder):
    (folder / "0.txt").write_text("sks")
    assert "6 written, 1 skipped" in write(folder, "--write", "txt", "--prefix", "a photo of ", "--suffix", ", sks").out
    content = (folder / "1.txt").read_text()
    assert content.startswith("a photo of ") and content.endswith(", sks\n")
    again = sightline("caption", folder, "--write", "txt", "--model", folder / "no model")
    assert (again.status, again.err) == (0, "") and "0 written, 7 skipped" in again.out


def test_a_dry_run_changes_nothing(write, folder, text):
    (folder / "0.txt").write_text("sks")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for options in (["--write", "txt"], ["--write", "json", "--out", folder / "x.json"]):
        done = write(folder, *options, "--dry-run")
        assert done.status == 0 and f"{folder / '1.png'}: {text['1']}" in done.out.splitlines()
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert "6 would be written, 1 skipped" in write(folder, "--write", "txt", "--dry-run").out


def test_keywords_are_written_where_the_model_tells_them(sightline, folder, photos, heads_bundle, text):
    captioner = Captioner(heads_bundle)
    keywords = {photo.stem: [keyword.word for keyword in captioner(photo).keywords] for photo in photos}
    assert all(keywords.values())
    for options in (["xmp"], ["csv", "--out", folder / "all.csv"], ["json", "--out", folder / "all.json"], ["txt"]):
        done = sightline("caption", *sorted(folder.glob("*.png")), "--model", heads_bundle, "--write", *options)
        assert done.status == 0 and "7 written" in done.out
    for name, words in keywords.items():
        assert subjects_in((folder / f"{name}.png.xmp").read_bytes()) == words
        assert (folder / f"{name}.txt").read_text() == f"{text[name]}\n"
    with (folder / "all.csv").open(newline="") as file:
        assert [row["XMP-dc:Subject"] for row in csv.DictReader(file)] == list(map(", ".join, keywords.values()))
    entries = json.loads((folder / "all.json").read_text())
    assert [entry["keywords"] for entry in entries] == list(keywords.values())
    options = ["--write", "json", "--out", folder / "none.json", "--no-keywords"]
    assert sightline("caption", photos[0], "--model", heads_bundle, *options).status == 0
    assert "keywords" not in (folder / "none.json").read_text()


@pytest.mark.parametrize("model", ["tiny_bundle", "heads_bundle"])
def test_captions_that_are_less_sure_are_listed_and_not_written(sightline, folder, photos, model, request):
    captioner = Captioner(request.getfixturevalue(model))
    sure = {photo.stem: captioner(photo).sureness() for photo in photos}
    minimum = sorted(sure.values())[5]
    options = ["--write", "txt", "--min-confidence", str(minimum - 1e-6)]
    done = sightline("caption", folder, "--model", captioner.folder, *options)
    assert {path.stem for path in folder.glob("*.txt")} == {name for name, value in sure.items() if value >= minimum}
    listed = [line for line in done.out.splitlines() if "confidence" in line and ".png" in line]
    assert len(listed) == 5 and done.status == 0 and "2 written" in done.out and "5 below" in done.out


def test_what_cannot_be_written_is_named_and_the_rest_is_written(write, folder, text):
    with tarfile.open(folder / "shard.tar", "w") as shard:
        shard.add(folder / "0.png", "in.png")
    (folder / "bad.jpg").write_text("no photo")
    (folder / "1.png.xmp").write_text("no XMP")
    done = write(folder, "--write", "xmp")
    assert done.status == 1 and "6 written" in done.out and "3 failed" in done.out
    for name in ("bad.jpg: not an image", "1.png.xmp: not XMP", "shard.tar/in.png: "):
        assert sum(name in line for line in done.err.splitlines()) == 1
    done = write(folder / "shard.tar", folder / "1.png", "--write", "json", "--out", folder / "new" / "all.json")
    entries = json.loads((folder / "new" / "all.json").read_text())
    assert entries == [
        {"image_id": f"{folder / 'shard.tar'}/in.png", "caption": text["0"]},
        {"image_id": 1, "caption": text["1"]},
    ]


def test_a_read_only_folder_is_told_of_before_photos_are_captioned(sightline, folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as root, every folder can be written
    done = sightline("caption", folder / "0.png", "--write", "txt", "--model", folder / "no model")
    assert done.status == 1 and "0.txt: cannot be written" in done.err and "1 failed" in done.out


def test_a_full_disk_ends_the_run(write, folder, disk_full):
    with disk_full(3):
        done = write(folder, "--write", "txt")
    assert done.status == 1 and done.err.count("make room") == 1
    assert not list(folder.glob("*.txt")) and not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--prefix", "a "], "--prefix"),
        (["--dry-run"], "--dry-run"),
        (["--write", "pdf"], "pdf"),
        (["--write", "csv"], "--out"),
        (["--write", "txt", "--out", "x.csv"], "--out"),
        (["--write", "txt", "--field", "alt"], "--field"),
        (["--write", "xmp", "--existing", "append"], "append"),
        (["--write", "txt", "--json"], "--json"),
        (["--write", "csv", "--out", "x.csv", "--overwrite"], "--overwrite"),
        (["--write", "xmp", "--min-confidence", "2"], "--min-confidence"),
    ],
)
def test_options_that_do_not_go_together_are_named(write, folder, options, named):
    before = set(folder.iterdir())
    done = write(folder, *options)
    assert done.status in (1, 2) and named in done.err.splitlines()[-1] and set(folder.iterdir()) == before
    assert write(folder.parent / "absent*", "--write", "txt").status == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_run_that_is_killed_again_and_again_leaves_whole_files(folder, photos, tiny_bundle, sightline):
    for number in range(60):
        shutil.copy(photos[number % 7], folder / f"more {number}.png")
    total = len(list(folder.iterdir()))
    command = [sys.executable, "-m", "sightline", "caption", str(folder), "--write", "xmp", "--batch-size", "1"]
    for which in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        there = len(list(folder.glob("*.png.xmp")))
        process = subprocess.Popen([*command, "--model", str(tiny_bundle)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while (
            len(list(folder.glob("*.png.xmp"))) < there + 5 and process.poll() is None and time.monotonic() < deadline
        ):
            time.sleep(0.002)
        process.send_signal(which)
        process.wait()
        for path in folder.glob("*.png.xmp"):
            assert len(texts_in(path.read_bytes(), DESCRIPTION)) == 2
    assert 0 < len(list(folder.glob("*.png.xmp"))) <= total
    sightline("caption", folder, "--write", "xmp", "--model", tiny_bundle)
    assert len(list(folder.iterdir())) == 2 * total, "one sidecar a photo, and nothing else"
