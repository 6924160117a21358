"""Datasets in shards: what is read of them, when it is read again, and what becomes of those that are torn."""

from __future__ import annotations

import io
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.distributed import HashStore

from sightline.data.check import check_dataset
from sightline.data.dataset import read_dataset
from sightline.data.large.shard_index import FOLDER, read_samples
from sightline.errors import SightlineError
from sightline.preprocess import open_photo
from sightline.training.distributed import Ranks


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


def write(path: Path, files: dict[str, bytes | str] | list[tuple[str, bytes | str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items() if isinstance(files, dict) else files:
            content = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def samples(*numbers: int) -> dict[str, bytes | str]:
    """As img2dataset writes them."""
    return {
        name: content
        for number in numbers
        for name, content in {
            f"{number:09d}.jpg": jpeg(number),
            f"{number:09d}.txt": f"a photo of {number}",
            f"{number:09d}.json": json.dumps({"caption": f"a photo of {number}", "status": "success", "width": 8}),
        }.items()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Fotos für alle"
    write(folder / "train-000000.tar", samples(0, 1, 2))
    write(folder / "train-000001.tar", samples(3, 4))
    write(folder / "val" / "000000.tar", samples(5))
    return folder


def images(root: Path) -> list[str]:
    return [example.name for examples in read_dataset(root).splits.values() for example in examples]


def test_shards_as_img2dataset_writes_them(root):
    dataset = read_dataset(root)
    train, val = dataset.split("train"), dataset.split("val")
    assert (dataset.layout, dataset.split_source) == ("shards", "files")
    assert [example.captions for example in train] == [(f"a photo of {number}",) for number in range(5)]
    assert train[3].photo.read() == jpeg(3) and val[0].photo.size() == len(jpeg(5))
    assert train[3].name == "train-000001/000000003.jpg" and val[0].name == "val/000000/000000005.jpg"
    assert train[3].photo.name == f"{root / 'train-000001.tar'}/000000003.jpg"
    assert [example.name for example in train[1:3]] == [train[1].name, train[2].name] and train[-1] == train[4]
    report = check_dataset(root)
    assert (report.photos, report.captions, report.splits) == (6, 6, {"train": 5, "val": 1})


def test_what_a_sample_may_hold(tmp_path):
    path = write(
        tmp_path / "0.tar",
        {
            "./": "",
            "a/b.jpg": jpeg(0), "a/b.txt": "one caption\n\n another \n",
            "c.txt": "\ufeffhas no photo",
            "d.png": jpeg(1), "d.json": '{"captions": ["x", " "], "file_name": "beach/\u00fc.png"}', "d.txt": "y",
            "e.seg.png": jpeg(2), "e.txt": b"\xff\xfe\xe4",
            "f.webp": jpeg(3), "f.json": "[1",
            "._a.jpg": b"left by a Mac", "noname": "x",
        },
    )  # fmt: skip
    found = {sample.key: sample for sample in read_samples(path)}
    assert {key: sample.captions for key, sample in found.items()} == {
        "a/b": ("one caption", "another"), "c": ("has no photo",), "d": ("x",), "e": (), "f": ()
    }  # fmt: skip
    assert [sample.length for sample in found.values()] == [len(jpeg(0)), 0, *(len(jpeg(n)) for n in (1, 2, 3))]
    assert found["d"].name == "beach/ü.png" and found["a/b"].file == "a/b.jpg"
    assert [problem for sample in found.values() for problem in sample.problems] == [
        "e.txt (not UTF-8 text)",
        "f.json (not a JSON object)",
    ]
    report = {finding.kind: finding.names for finding in check_dataset(tmp_path).findings}
    assert report["unread-lines"] == ("0.tar: e.txt (not UTF-8 text)", "0.tar: f.json (not a JSON object)")
    assert report["missing-photos"] == ("0/c",)


A, B = jpeg(0), jpeg(1)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            [("i_2.0.jpg", A), ("i_2.0.txt", "a dog"), ("i_2.1.jpg", B), ("i_2.1.json", '{"caption": "a cat"}')],
            {"i_2.0.jpg": ["a dog"], "i_2.1.jpg": ["a cat"]},
        ),
        (
            [("i_2.0.jpg", A), ("i_2.1.jpg", B), ("i_2.0.txt", "a dog"), ("i_2.1.txt", "a cat")],
            {"i_2.0.jpg": ["a dog"], "i_2.1.jpg": ["a cat"]},
        ),
        (
            [("v.jpg", A), ("v.txt", "a dog"), ("v.1.jpg", B), ("v.1.txt", "a cat")],
            {"v.jpg": ["a dog"], "v.1.jpg": ["a cat"]},
        ),
        ([("x.0.jpg", A), ("x.1.jpg", B)], {"x.0.jpg": [], "x.1.jpg": []}),
        ([("0.JPG", A), ("0.TXT", "a dog"), ("1.Jpeg", B), ("1.Json", '{"TEXT": "a cat"}')], None),
        ([("0.jpg", A), ("1.jpg", B), ("0.txt", "a dog"), ("1.txt", "a cat")], None),
        ([("0.txt", "a dog"), ("1.txt", "a cat"), ("0.jpg", A), ("1.jpg", B)], None),
        (
            [
                ("0.jpg", A),
                ("1.jpg", B),
                ("0.json", '{"width": 8}'),
                ("1.json", "{}"),
                ("0.txt", "a dog"),
                ("1.txt", "a cat"),
            ],
            None,
        ),
        ([("0.jpg", A), ("0.caption", "a dog"), ("1.jpg", B), ("1.json", '{"captions": [{"raw": "a cat"}]}')], None),
        ([("0.jpg", A), ("0.json", '{"caption_0": "a dog"}'), ("1.jpg", B), ("1.json", '{"text": "a cat"}')], None),
    ],
)
def test_no_photo_and_no_caption_is_lost(files, expected, tmp_path):
    write(tmp_path / "0.tar", files)
    found = check_dataset(tmp_path)
    examples = {e.name: e for examples in read_dataset(tmp_path).splits.values() for e in examples}
    if expected is None:
        assert [e.captions for e in sorted(examples.values(), key=lambda e: e.name)] == [("a dog",), ("a cat",)]
    else:
        assert {name: list(e.captions) for name, e in examples.items()} == {
            f"0/{name}": captions for name, captions in expected.items() if captions
        }
    assert found.photos == 2 and not any(each.kind == "unused-files" for each in found.findings)


def test_what_shares_its_sample_with_another_is_named(tmp_path):
    write(
        tmp_path / "0.tar",
        [
            ("0.jpg", A), ("0.txt", "a dog"), ("0.txt", "a cat"), ("0.jpg", B), ("1.jpg", A), ("1.seg.png", B),
            ("2.left.jpg", A), ("2.right.jpg", B), ("2.txt", "two views"), ("3.jpg", A), ("0.jpg", B),
        ],
    )  # fmt: skip
    report = check_dataset(tmp_path)
    (finding,) = (each for each in report.findings if each.kind == "unused-files")
    assert [name.split()[1] for name in finding.names] == ["0.txt", "0.jpg", "1.seg.png", "2.right.jpg", "0.jpg"]
    assert report.photos == 4 and finding.level == "warning"
    examples = [e for examples in read_dataset(tmp_path).splits.values() for e in examples]
    assert {(e.name, e.captions, e.photo.read()) for e in examples} == {
        ("0/0.jpg", ("a dog",), A), ("0/2.left.jpg", ("two views",), A)
    }  # fmt: skip


def test_the_index_is_made_once_and_again_for_what_changed(root, monkeypatch):
    read = []
    monkeypatch.setattr(
        "sightline.data.large.shard_index.read_samples", lambda path: read.append(path.name) or read_samples(path)
    )
    before = images(root)
    assert len(read) == 3 and images(root) == before and len(read) == 3
    write(root / "train-000001.tar", samples(3, 4, 6))
    os.utime(root / "train-000000.tar")
    assert images(root) == [*before[:5], "train-000001/000000006.jpg", before[5]]
    assert sorted(read[3:]) == ["train-000000.tar", "train-000001.tar"]
    assert read_dataset(root).split("val")[0].photo.read() == jpeg(5)
    (root / "train-000000.tar").unlink()
    assert images(root) == [*before[3:5], "train-000001/000000006.jpg", before[5]] and len(read) == 5
    assert len(list((root / FOLDER).iterdir())) == 1


@pytest.mark.parametrize("name", ["shards.json", "photos.bin", "records.bin", "records.ends"])
def test_half_an_index_is_made_again(name, root):
    before = images(root)
    (folder,) = (root / FOLDER).iterdir()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert images(root) == before
    (folder / name).unlink()
    assert images(root) == before


def test_in_the_cache_where_the_folder_cannot_be_written(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (root / FOLDER).touch()  # so that no folder can be made there, by root neither
    before = images(root)
    assert len(before) == 6 and len(list((tmp_path / "cache/sightline/index").glob("*/*/shards.json"))) == 1
    (tmp_path / "cache2").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache2"))
    with pytest.raises(SightlineError, match=r"its index cannot be written: .+; make room, or set XDG_CACHE_HOME"):
        read_dataset(root)


def test_a_torn_shard_is_named_and_the_rest_goes_on(root):
    path = root / "train-000000.tar"
    whole = path.read_bytes()
    starts = [at for at in range(0, len(whole), 512) if whole[at : at + 9].isdigit()]
    for cut, kept in (
        (starts[8] + 1024, 3),  # only its end is missing, so that nobody knows whether more is
        (starts[8] + 512, 3),  # the last file is missing, its header is there
        (starts[7] + 3, 2),  # in a header; the photo before has no caption
        (starts[3], 1),  # just between two samples
        (starts[3] + 600, 1),
        (700, 0),
        (3, 0),
        (0, 0),
    ):
        path.write_bytes(whole[:cut])
        dataset = read_dataset(root)
        assert len(dataset.split("train")) == kept + 2, cut
        (torn,) = dataset.torn
        assert torn.startswith("train-000000.tar: ")
    path.write_bytes(whole[: starts[4]] + b"\x01" * 512 + whole[starts[4] + 512 :])
    assert len(read_dataset(root).split("train")) == 3
    (finding,) = (finding for finding in check_dataset(root).findings if finding.kind == "torn-shards")
    assert finding.level == "error" and "cut off or damaged at byte" in finding.names[0]


def test_a_photo_whose_shard_was_cut_since_names_both(root):
    photo = read_dataset(root).split("train")[2].photo
    path = root / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(
        SightlineError, match=r"train-000000\.tar/000000002\.jpg: cannot be read \(the shard is cut off"
    ):
        open_photo(photo)


def test_a_tar_of_something_else_is_no_dataset(tmp_path):
    write(tmp_path / "backup.tar", {"notes.md": "x"})
    with pytest.raises(SightlineError, match="no known dataset layout"):
        read_dataset(tmp_path)


def test_of_processes_that_train_together_one_makes_the_index(root, monkeypatch):
    read, store = [], HashStore()

    def counted(path):
        read.append(path)
        yield from read_samples(path)

    monkeypatch.setattr("sightline.data.large.shard_index.read_samples", counted)

    def process(rank):
        with Ranks(rank, 2, rank, 2, store).rank_zero_first():
            return len(read_dataset(root).split("train"))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(process, (1, 0))) == [5, 5]
    assert len(read) == 3
