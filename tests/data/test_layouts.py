from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from sightline.data.check import check_dataset
from sightline.data.dataset import LAYOUTS, derive_split, read_dataset
from sightline.errors import SightlineError
from sightline.images.source import FileSource
from sightline.testing import check_layout
from sightline.testing.layouts import CAPTIONS, SPLITS
from tests.data.conftest import write_layout

every_layout = pytest.mark.parametrize(
    "layout", sorted(LAYOUTS.keys() - {"coco"})
)  # which always has splits, in folders: see test_coco.py


@every_layout
def test_layouts_keep_their_promises(layout):
    check_layout(layout, partial(write_layout, layout))


@every_layout
def test_a_missing_split_is_named_with_those_there_are(layout, write_dataset):
    dataset = read_dataset(write_dataset(layout, CAPTIONS, {"train": ["a.jpg", "d.jpg"], "val": ["c.JPG"]}))
    with pytest.raises(SightlineError, match=r"no 'test' split; there is train \(2 photos\), val \(1 photos\)"):
        dataset.split("test")


@every_layout
def test_photos_added_later_move_no_other(layout, write_dataset):
    before = {name: derive_split(name) for name in ("a.jpg", "b.jpg")}
    root = write_dataset(layout, {name: ["x"] for name in (*before, *(f"new{i}.jpg" for i in range(30)))})
    home = {e.name: split for split, examples in read_dataset(root).splits.items() for e in examples}
    assert {name: home[name] for name in before} == before


# Of a million files one may be odd, and Parquet is no text.
@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - {"coco", "shards", "parquet"}))
def test_text_that_is_not_utf8_is_refused_by_line(layout, write_dataset):
    root = write_dataset(layout, CAPTIONS, SPLITS)
    for path in root.rglob("*"):
        if path.name in (
            "captions.txt",
            "Flickr8k.token.txt",
            "dataset_tiny.json",
            "mine.jsonl",
            "metadata.jsonl",
            "d.jpg.txt",
            "results_20130124.token",
        ):
            path.write_bytes(path.read_bytes().replace(b"a cat", b"a c\xe4t"))
    with pytest.raises(SightlineError, match=r"line \d+: this is not UTF-8"):
        read_dataset(root)


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_a_folder_that_is_no_dataset_is_one_line(kind, tmp_path):
    root = tmp_path / "here"
    if kind == "empty":
        root.mkdir()
    elif kind == "file":
        root.write_text("x")
    expected = {"missing": "no such folder", "empty": "looked for", "file": "is not a folder"}[kind]
    with pytest.raises(SightlineError, match=expected) as caught:
        read_dataset(root)
    assert "\n" not in str(caught.value) and str(root) in str(caught.value)
    if kind == "empty":
        assert all(layout.looks_for in str(caught.value) for layout in LAYOUTS.values())


def test_kaggle_unquoted_commas_belong_to_the_caption(write_dataset):
    root = write_dataset("kaggle", {"a.jpg": []})
    (root / "captions.txt").write_text("image,caption\na.jpg,a dog, a cat , and a bird\n")
    (example,) = (e for examples in read_dataset(root).splits.values() for e in examples)
    assert example.captions == ("a dog, a cat , and a bird",)


def test_kaggle_without_its_header_is_refused(write_dataset):
    root = write_dataset("kaggle", {"a.jpg": []})
    (root / "captions.txt").write_text("a.jpg,a dog\n")
    with pytest.raises(SightlineError, match=r"first line must be 'image,caption'; it is 'a\.jpg,a dog'"):
        read_dataset(root)


def test_two_lists_of_one_split_are_refused(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, SPLITS)
    (root / "other.trainImages.txt").write_text("a.jpg\n")
    (root / "._Flickr_8k.testImages.txt").write_bytes(b"\x00\xff left by a Mac")
    with pytest.raises(SightlineError, match=r"Flickr_8k\S+ and other\S+ both list the train split"):
        read_dataset(root)


@pytest.mark.parametrize("folder", ["Flickr8k_Dataset", "Flicker8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset"])
def test_original_folder_names(folder, write_dataset):
    root = write_dataset("flickr8k_original", CAPTIONS, SPLITS)
    (root / "Flicker8k_Dataset").rename(root / "moved")
    (root / folder).parent.mkdir(exist_ok=True)
    (root / "moved").rename(root / folder)
    for path in (root / "Flickr8k_text").iterdir():
        path.rename(root / path.name)
    assert len(read_dataset(root).split("train")) == 2


def test_original_odd_line_is_counted_and_skipped(write_dataset):
    root = write_dataset("flickr8k_original", CAPTIONS, SPLITS)
    with (root / "Flickr8k_text" / "Flickr8k.token.txt").open("a") as file:
        file.write("no number here\n")
    findings = {finding.kind: finding for finding in check_dataset(root).findings}
    assert findings["unread-lines"].names == ("Flickr8k.token.txt line 7",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\r", "\r\n"])
def test_tables_and_lists_as_other_machines_save_them(encoding, line_end, write_dataset):
    root = write_dataset("kaggle", {"ü.jpg": [], "b.jpg": []})
    lines = ["Image,Caption", "ü.jpg,ein Hund, ein Ball", "b.jpg,x"]
    (root / "captions.txt").write_bytes(line_end.join(lines).encode(encoding))
    (root / "trainImages.txt").write_bytes(line_end.join(["b.jpg", "", "ü.jpg"]).encode(encoding))
    train = read_dataset(str(root)).split("train")
    assert [(example.name, example.captions) for example in train] == [
        ("b.jpg", ("x",)),
        ("ü.jpg", ("ein Hund, ein Ball",)),
    ]


def test_a_line_without_its_tab_is_read_and_two_token_files_are_refused(write_dataset):
    root = write_dataset("token_file", CAPTIONS, {"train": ["a.jpg"]})
    (root / "results_20130124.token").write_text("a.jpg#0 a dog\na.jpg#1\ta cat , #2 of two\n")
    assert read_dataset(root).split("train")[0].captions == ("a dog", "a cat , #2 of two")
    (root / "other.token").touch()
    with pytest.raises(SightlineError, match=r"other\.token and results\S+ hold captions; keep one"):
        read_dataset(root)


def test_a_broken_first_line_of_json_is_named_and_the_rest_is_kept(write_dataset):
    root = write_dataset("table", CAPTIONS, SPLITS)
    path = root / "mine.jsonl"
    path.write_text('{"file_name": "a.j\n' + path.read_text(encoding="utf-8-sig") + "[" * 100_000)
    (finding,) = (f for f in check_dataset(root).findings if f.kind == "unread-lines")
    assert finding.names == ("mine.jsonl line 1", "mine.jsonl line 6")
    assert len(read_dataset(root).split("train")) == 2


@pytest.mark.parametrize("path", [7, None, b"folder", ["folder"]])
def test_what_is_no_path_is_refused(path):
    for read in (read_dataset, check_dataset):
        with pytest.raises(SightlineError, match="not a path; pass a string or a Path"):
            read(path)


def test_karpathy_odd_images_are_named_and_the_rest_is_kept(write_dataset):
    root = write_dataset("karpathy", CAPTIONS, SPLITS)
    document = json.loads((root / "dataset_tiny.json").read_text())
    document["images"] += [7, {"filename": "x.jpg"}, {"filename": None, "sentences": [{"raw": 1}]}]
    (root / "dataset_tiny.json").write_text(json.dumps(document))
    (finding,) = (f for f in check_dataset(root).findings if f.kind == "unread-lines")
    assert finding.names == tuple(f"dataset_tiny.json images[{index}]" for index in (4, 5, 6))


def test_karpathy_filepath_and_photos_under_the_root(tmp_path, draw_photo):
    images = [
        {"filepath": "val2014", "filename": "1.jpg", "split": "train", "sentences": [{"raw": " a dog "}]},
        {"filepath": "train2014", "filename": "1.jpg", "split": "val", "sentences": [{"raw": "a cat"}]},
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    (tmp_path / "dataset_infos.json").write_text(json.dumps({"default": {}}))
    for image in images:
        draw_photo(tmp_path / image["filepath"] / image["filename"])
    (train,), (val,) = (read_dataset(tmp_path).split(split) for split in ("train", "val"))
    assert (train.name, Path(train.photo), train.captions) == (
        "val2014/1.jpg",
        tmp_path / "val2014" / "1.jpg",
        ("a dog",),
    )
    assert Path(val.photo) == tmp_path / "train2014" / "1.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', "broken JSON"),
        ('{"images": [{"filename": "a.jpg"}]}', r"images\[0\]: needs a filename"),
        ('{"images": [7]}', r"images\[0\]: needs a filename"),
        ('{"images": [{"filename": "a", "sentences": [], "split": "dve"}]}', r"images\[0\]: unknown split 'dve'"),
    ],
)
def test_karpathy_mistakes_are_named(text, message, tmp_path):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(SightlineError, match=message):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'Image,Caption,split\nsub/a.png,"a dog, a cat",training\nsub/a.png,"says ""hi""",train\n'),
        ("t.csv", '\ufeffsplit;filename;text\r\ntrain;sub/a.png;"a dog, a cat"\r\ntrain;sub/a.png;says "hi"\r\n'),
        ("t.csv", 'image_name| comment_number| comment\nsub/a.png| 0| a dog, a cat\nsub/a.png| 1| says "hi"\n'),
        ("t.tsv", 'file_name\tcaption\n./sub/a.png\ta dog, a cat\n./sub/a.png\tsays "hi"\n'),
        (
            "t.jsonl",
            '{"image": "sub/a.png", "text": "a dog, a cat"}\n\n{"image": "sub/a.png", "text": "says \\"hi\\""}\n',
        ),
        ("t.jsonl", '{"file_name": "sub/a.png", "captions": ["a dog, a cat", "says \\"hi\\""]}\n'),
        ("t.csv", 'image,caption_0,caption_1,caption_2\nsub/a.png,"a dog, a cat","says ""hi""",\n'),
        ("t.tsv", 'Sentence 1\timage\tSentence 2\na dog, a cat\tsub/a.png\tsays "hi"\n'),
        ("t.tsv", 'image\tcaption\tcaption_2\nsub/a.png\ta dog, a cat\tsays "hi"\n'),
        ("t.tsv", 'image\tcaption\tcaption\nsub/a.png\ta dog, a cat\tsays "hi"\n'),
        ("t.tsv", 'image\tcaptions\nsub/a.png\t[{"caption": "a dog, a cat"}, {"caption": "says \\"hi\\""}]\n'),
        (
            "t.jsonl",
            '{"image": "sub/a.png", "caption1": "a dog, a cat", "caption2": "says \\"hi\\"", "caption3": null}\n',
        ),
        ("t.json", '{\n "sub/a.png": [\n "a dog, a cat", "says \\"hi\\""]}'),
        ("t.json", '{"sub/a.png": [{"text": "a dog, a cat"}, {"text": "says \\"hi\\""}]}'),
        (
            "t.json",
            '[{"image": "sub/a.png", "sentences": [{"raw": "a dog, a cat"}, {"tokens": [], "raw": "says \\"hi\\""}]}]',
        ),
        ("t.json", '{"sub/a.png": {"width": 8, "captions": ["a dog, a cat", "says \\"hi\\""]}}'),
        ("sub/a.caption", 'a dog, a cat\nsays "hi"\n'),
    ],
)
def test_tables_people_have(name, text, tmp_path, draw_photo):
    draw_photo(tmp_path / "sub" / "a.png")
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    (tmp_path / "scores.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "labels.json").write_text('{"0": ["n01440764", "tench"]}')
    (tmp_path / "boxes.json").write_text('{"sub/a.png": {"boxes": [[0, 0, 1, 1]]}}')
    (example,) = (e for examples in read_dataset(tmp_path).splits.values() for e in examples)
    assert example.captions == ("a dog, a cat", 'says "hi"')
    assert example.photo == FileSource(str(tmp_path / "sub" / "a.png"))


def test_a_comma_that_could_be_of_any_of_a_photos_captions_costs_its_line(tmp_path, draw_photo):
    draw_photo(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("image,caption_0,caption_1\na.png,a dog,a cat\na.png,a dog, or two,a cat\n")
    (example,) = (e for examples in read_dataset(tmp_path).splits.values() for e in examples)
    assert example.captions == ("a dog", "a cat")
    (finding,) = (each for each in check_dataset(tmp_path).findings if each.kind == "unread-lines")
    assert finding.names == ("t.csv line 3",)


def test_two_tables_and_unknown_splits_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("image,caption,split\na.jpg,a dog,holdout\n")
    with pytest.raises(SightlineError, match=r"a\.csv line 2: unknown split 'holdout'; use one of train"):
        read_dataset(tmp_path)
    (tmp_path / "b.jsonl").write_text('{"image": "a.jpg", "caption": "a dog"}\n')
    with pytest.raises(SightlineError, match=r"a\.csv, b\.jsonl all name images"):
        read_dataset(tmp_path)


def test_names_match_across_unicode_forms(write_dataset):
    root = write_dataset("kaggle", {"ü.jpg": ["a dog"]}, {"train": ["ü.jpg"]}, photos=["u\u0308.jpg"])
    assert [example.name for example in read_dataset(root).split("train")] == ["ü.jpg"]


@pytest.mark.slow
def test_eight_thousand_photos_are_read_in_a_moment_and_never_opened(write_dataset):
    names = [f"{number}.jpg" for number in range(8000)]
    root = write_dataset("kaggle", {name: ["a dog runs , fast"] * 5 for name in names}, {"train": names}, photos=[])
    for name in names:
        (root / "Images" / name).touch()  # empty: opening one as a photo would fail
    started = time.process_time()
    assert len(read_dataset(root).split("train")) == 8000
    assert time.process_time() - started < 3  # 0.4 s


def test_needs_no_torch():
    block = "import sys; sys.modules['torch'] = None\n"
    code = block + "import sightline.cli.data, sightline.data.dataset, sightline.data.check, sightline.shapes.draw"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_real_flickr8k_if_it_is_here():
    root = Path(__file__).parents[3] / "shared" / "flickr8k"
    if not root.is_dir():
        pytest.skip("no Flickr8k beside the checkout")
    dataset = read_dataset(root)
    assert [len(dataset.split(split)) for split in ("train", "val")] == [6000, 1000]
    assert all(len(example.captions) == 5 for example in dataset.split("train"))


def test_reading_leaves_garbage_collection_as_it_is(write_dataset, monkeypatch):
    """Its host decides on it: a thread that collects while a dataset is read would find it switched off."""
    monkeypatch.setattr(gc, "disable", lambda: pytest.fail("switched off garbage collection"))
    read_dataset(write_dataset("kaggle", CAPTIONS, SPLITS))
