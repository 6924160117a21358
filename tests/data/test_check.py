from __future__ import annotations

import json
import shutil
import struct
import zlib

import pytest
from click.testing import CliRunner
from PIL import Image

from sightline.annotations.text import plain_caption
from sightline.cli.data import app
from sightline.data.check import check_dataset, find_oddity
from sightline.data.dataset import LAYOUTS, read_dataset
from sightline.data.large.packed import captions_of

every_layout = pytest.mark.parametrize(
    "layout", sorted(LAYOUTS.keys() - {"coco"})
)  # which always has splits, in folders: see test_coco.py
CAPTIONS = {name: [f"a dog named {name[0]}", "a cat"] for name in ("a.png", "b.png", "c.png", "d.png")}
SPLITS = {"train": ["a.png", "b.png"], "val": ["c.png"], "test": ["d.png"]}


def findings(root):
    """By kind; that the photos are few goes without saying here."""
    return {finding.kind: finding for finding in check_dataset(root).findings if finding.kind != "few-photos"}


def bomb(side: int) -> bytes:
    """A PNG that says it is ``side`` pixels wide and high, and is a hundred bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@every_layout
def test_a_sound_dataset_has_no_findings(layout, write_dataset):
    more = [f"{number}.png" for number in range(30)]
    captions = {**CAPTIONS, **{name: ["a dog"] for name in more}}
    report = check_dataset(write_dataset(layout, captions, {**SPLITS, "train": [*SPLITS["train"], *more]}))
    assert (report.layout, report.findings, report.ok) == (layout, (), True)
    assert (report.photos, report.captions, report.split_source) == (34, 38, "files")
    assert report.splits == {"train": 32, "val": 1, "test": 1}


@every_layout
def test_photos_and_captions_without_each_other(layout, write_dataset):
    captions = {**CAPTIONS, "gone.png": ["a ghost"], "lost.png": ["another"]}
    splits = {**SPLITS, "val": ["c.png", "gone.png"]}
    report = check_dataset(write_dataset(layout, captions, splits, photos=[*CAPTIONS, "bare.png"]))
    found = {finding.kind: (finding.level, finding.names) for finding in report.findings}
    assert found.pop("few-photos") == ("warning", ())
    assert found == {
        "missing-photos": ("error", ("gone.png",)),
        "captions-without-photo": ("warning", ("lost.png",)),
        "photos-without-captions": ("warning", ("bare.png",)),
    }
    assert not report.ok


def test_unreadable_photos_are_named_with_their_reason(write_dataset):
    captions = {**CAPTIONS, "e.png": ["x"], "f.png": ["y"]}
    root = write_dataset("kaggle", captions, {**SPLITS, "train": ["a.png", "b.png", "e.png", "f.png"]})
    photo = root / "Images"
    Image.effect_noise((64, 64), 50).save(photo / "a.png")
    (photo / "a.png").write_bytes((photo / "a.png").read_bytes()[:1500])
    (photo / "b.png").write_text("not a photo")
    (photo / "c.png").write_bytes(bomb(60_000))
    (photo / "e.png").write_bytes(b"")
    found = findings(root)
    assert set(found) == {"unreadable-photos"} and found["unreadable-photos"].level == "error"
    reasons = dict(text.split(" (", 1) for text in found["unreadable-photos"].names)
    assert list(reasons) == ["a.png", "b.png", "c.png", "e.png"]
    assert "truncated" in reasons["a.png"]
    assert "not an image" in reasons["b.png"] and "an empty file" in reasons["e.png"]
    assert "60000 x 60000 pixels" in reasons["c.png"]


def test_an_unreadable_photo_that_no_split_uses_is_a_warning(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, SPLITS, photos=[*CAPTIONS, "spare.png"])
    (root / "Images" / "spare.png").write_text("not a photo")
    assert findings(root)["unreadable-photos"].level == "warning"


def test_duplicates_within_a_split_and_across(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, SPLITS)
    photo = root / "Images"
    shutil.copy(photo / "a.png", photo / "b.png")
    assert {kind: (f.level, f.names) for kind, f in findings(root).items()} == {
        "duplicate-photos": ("warning", ("a.png = b.png",))
    }
    shutil.copy(photo / "a.png", photo / "d.png")
    assert {kind: (f.level, f.names) for kind, f in findings(root).items()} == {
        "overlapping-content": ("error", ("a.png (train) = b.png (train) = d.png (test)",))
    }


def test_splits_that_overlap_by_name(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {**SPLITS, "test": ["d.png", "a.png"]})
    assert {kind: (f.level, f.names) for kind, f in findings(root).items()} == {
        "overlapping-splits": ("error", ("a.png (train, test)",))
    }


def test_splits_that_are_missing_or_leave_photos_out(write_dataset):
    found = findings(write_dataset("kaggle", CAPTIONS, {"train": ["a.png", "b.png"]}))
    assert found["missing-split"].message == "no photos in the test split"
    report = check_dataset(write_dataset("karpathy", CAPTIONS, {"train": ["a.png", "b.png"]}))
    assert [(f.level, f.message) for f in report.findings if f.kind == "missing-split"] == [
        ("error", "no photos in the val split"),
        ("warning", "no photos in the test split"),
    ]
    assert found["photos-in-no-split"].names == ("c.png", "d.png")


@every_layout
def test_derived_splits_are_told(layout, write_dataset):
    report = check_dataset(write_dataset(layout, {f"{i}.png": ["x"] for i in range(60)}))
    assert [(f.kind, f.level, f.count) for f in report.findings] == [("derived-splits", "warning", 1)]
    assert report.split_source == "derived" and sum(report.splits.values()) == 60 and report.ok


def test_captions_odd_empty_and_repeated(write_dataset):
    captions = {**CAPTIONS, "a.png": ["a\u200bdog", "fine " * 5, ""], "b.png": ["same", "same"]}
    found = findings(write_dataset("table", captions, SPLITS))
    assert {kind: (f.level, f.names) for kind, f in found.items()} == {
        "odd-captions": ("warning", ("a.png caption 1 (invisible character U+200B)",)),
        "empty-captions": ("warning", ("a.png caption 3",)),
        "repeated-captions": ("warning", ("b.png",)),
    }


@pytest.mark.parametrize(
    ("caption", "oddity"),
    [
        ("a caf\ufffd", "replacement character U+FFFD"),
        ("a\tdog", "control character U+0009"),
        ("a dog\x07", "control character U+0007"),
        ("a\xa0dog", "invisible character U+00A0"),
        ("salt &amp; pepper", "HTML entity &amp;"),
        ("it&#39;s", "HTML entity &#39;"),
        ("a <B>red</B> ball", "HTML tag <B>"),
        ("a cafÃ© at night", "garbled Ã©"),
        ("FahrrÃ¤der und Ã„pfel", "garbled Ã¤"),
    ],
)
def test_odd_characters_are_named(caption, oddity):
    assert find_oddity(caption) == oddity


@pytest.mark.parametrize(
    "caption",
    [
        "A dog's ball .",
        "salt & pepper",
        "AT&T sign; a man",
        "2 < 3 and a <unk> word <3",
        "ein Café für Ü",
        "猫が寝ている",
        "“quoted” — naïve",
        "🐕 runs",
    ],
)
def test_text_that_people_type_is_not_odd(caption):
    assert find_oddity(caption) == "" and plain_caption(caption) == caption


@pytest.mark.parametrize(
    ("caption", "plain"),
    [
        ("Tom &amp; Jerry&#39;s", "Tom & Jerry's"),
        ("a &quot;big&quot; dog&nbsp;runs", 'a "big" dog runs'),
        ("&amp;quot;twice&amp;quot;", '"twice"'),
        ("&lt;b&gt;a dog&lt;/b&gt;", "a dog"),
        ('<p class="x">A <b>red</b> ball.<br/>On grass</p>', "A red ball. On grass"),
        ("<i>Dogs</i>, caf&eacute;", "Dogs, café"),
        ("<a href='http://x.org/?a=1&amp;b=2' target=_blank>a dog</a>", "a dog"),
        ("a < b and c > d &c; &nosuch;", "a < b and c > d &c; &nosuch;"),
        ("<br>", "<br>"),
    ],
)
def test_html_is_read_as_plain_text(caption, plain):
    assert plain_caption(caption) == plain


@pytest.mark.parametrize("layout", ["kaggle", "shards", "pairs"])
def test_html_is_not_learned_and_told(layout, write_dataset):
    root = write_dataset(
        layout, {"a.png": ["a <b>dog</b> &amp; a cat"], "b.png": ["a cow"]}, {"train": ["a.png", "b.png"]}
    )
    dataset = read_dataset(root)
    assert sorted(example.captions[0] for example in dataset.split("train")) == ["a cow", "a dog & a cat"]
    assert sorted(captions_of(dataset.split("train"))) == [["a cow"], ["a dog & a cat"]]
    (finding,) = (each for each in check_dataset(root).findings if each.kind == "odd-captions")
    assert finding.count == 1 and "&amp;" in finding.names[0]


def test_progress_counts_every_photo(write_dataset):
    seen: list[tuple[int, int]] = []
    check_dataset(write_dataset("kaggle", CAPTIONS, SPLITS), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_command_reports_and_exits_by_the_errors(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": ["a.png", "b.png"], "val": ["c.png"]})
    result = CliRunner().invoke(app, ["check", str(root)])
    assert result.exit_code == 0
    assert "train 2, val 1" in result.stdout and "no photos in the test split" in result.stdout
    (root / "Images" / "a.png").unlink()
    result = CliRunner().invoke(app, ["check", str(root), "--json"])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False and document["findings"][0] == {
        "kind": "missing-photos",
        "level": "error",
        "message": "photos of a split that are not there",
        "count": 1,
        "names": ["a.png"],
    }
