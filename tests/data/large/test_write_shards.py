"""Any dataset as shards: the same photos, captions and splits; whole shards only; a second run goes on."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from sightline.data.dataset import LAYOUTS, read_dataset
from sightline.data.example import Region
from sightline.data.large.write_shards import write_shards
from sightline.data.provenance import fingerprint
from sightline.data.regions.base import read_regions
from sightline.errors import SightlineError
from sightline.images.source import FileSource
from sightline.shapes.draw import draw_shapes

CAPTIONS = {
    "a.jpg": ["a dog", 'with "quotes", and\u2028more'],
    "über.png": ["Ein Hund & ein Ball"],
    "c.d.JPG": ["x"],
    "d.jpg": ["a cat"],
    "bare.jpg": [],
}
SPLITS = {"train": ["d.jpg", "a.jpg", "bare.jpg"], "val": ["über.png"], "test": ["c.d.JPG"]}


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - {"coco"}))
@pytest.mark.parametrize("splits", [SPLITS, None])
def test_the_shards_are_the_same_dataset(layout, splits, write_dataset, tmp_path):
    captions = CAPTIONS if layout != "kaggle" else {**CAPTIONS, "a.jpg": ["a dog"]}
    before = read_dataset(write_dataset(layout, captions, splits))
    told = []
    written = write_shards(before.root, tmp_path / "out", 1, lambda *counts: told.append(counts))
    after = read_dataset(tmp_path / "out")
    assert (written.photos, written.shards, written.before, written.left_out) == (4, 4, 0, ())
    assert told[-1] == (4, 4) and after.split_source == before.split_source
    if layout != "parquet":  # whose photos' sizes are not known unread
        assert fingerprint(after.splits) == fingerprint(before.splits)
    for split, examples in before.splits.items():
        assert [(e.name, e.captions, e.photo.read()) for e in examples] == [
            (e.name, e.captions, e.photo.read()) for e in after.splits[split]
        ]


@pytest.fixture
def root(write_dataset):
    return write_dataset("table", CAPTIONS, SPLITS)


def test_interrupted_it_leaves_whole_shards_and_goes_on(root, tmp_path):
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(root, out, progress=stop)
    assert [path.name for path in out.iterdir()] == ["shards.json"]
    with pytest.raises(KeyboardInterrupt):
        write_shards(root, out, 1, progress=stop) if (out / "shards.json").unlink() is None else None
    assert sorted(path.name for path in out.glob("*")) == ["shards.json", "train-000000.tar"]
    (out / ".sightline-killed.tar").touch()
    assert write_shards(root, out, 1).before == 1
    assert sorted(path.name for path in out.glob("*.tar")) == [
        "test-000000.tar", "train-000000.tar", "train-000001.tar", "val-000000.tar"
    ]  # fmt: skip
    assert not list(out.glob(".sightline-killed*")) and write_shards(root, out, 1).before == 4


def test_other_shards_and_other_files_are_not_touched(root, tmp_path, write_dataset):
    out = tmp_path / "out"
    write_shards(root, out)
    for arguments in ((root, out, 7), (write_dataset("kaggle", {**CAPTIONS, "e.jpg": ["y"]}), out)):
        with pytest.raises(SightlineError, match="another dataset, or of another size, or the dataset has changed"):
            write_shards(*arguments)
    with pytest.raises(SightlineError, match=r"holds something else \(mine.jsonl\); name a new or empty folder"):
        write_shards(root, root)
    (tmp_path / "file").touch()
    with pytest.raises(SightlineError, match="no shards can be written there"):
        write_shards(root, tmp_path / "file")


def test_a_full_disk_leaves_what_was_whole(root, tmp_path, disk_full):
    with disk_full(6000), pytest.raises(SightlineError, match=r"-000000\.tar: cannot be written \(.+\); make room"):
        write_shards(root, tmp_path / "out", 1)
    assert write_shards(root, tmp_path / "out", 1).photos == 4


def test_the_command_says_what_is_there_and_what_is_not(root, tmp_path, sightline, monkeypatch):
    finished = sightline("data", "shards", root, tmp_path / "größe 2")
    assert finished.status == 0 and "4 photos in 3 shards" in finished.out
    assert "3 of which were there before" in sightline("data", "shards", root, tmp_path / "größe 2").out
    with tarfile.open(tmp_path / "größe 2" / "train-000000.tar") as tar:
        assert tar.getnames()[:3] == ["000000000.jpg", "000000000.txt", "000000000.json"]
        assert tar.extractfile("000000000.txt").read().decode() == 'a dog\nwith "quotes", and more'
    (photo,) = root.rglob("d.jpg")
    read = FileSource.read
    monkeypatch.setattr(FileSource, "read", lambda file: _refuse() if file.path == str(photo) else read(file))
    finished = sightline("data", "shards", root, tmp_path / "out")
    assert finished.status == 1 and f"left out: {photo}: cannot be read (No such device)" in finished.err
    assert "3 photos in 3 shards" in finished.out


def _refuse():
    raise OSError(19, "No such device")


def test_what_is_known_of_where_things_are_comes_along(tmp_path):
    draw_shapes(shapes := tmp_path / "größe 1", photos=30, seed=1)
    write_shards(shapes, out := tmp_path / "out", shard_bytes=20_000)
    before, after = read_dataset(shapes), read_dataset(out)
    for split in before.splits:
        located = after.located_split(split)
        assert any(example.regions for example in located)
        assert [e.regions for e in located] == [e.regions for e in before.located_split(split)]


def test_shards_without_regions_have_none_and_odd_ones_are_told(root, tmp_path):
    write_shards(root, plain := tmp_path / "plain")
    assert read_regions(plain, read_dataset(plain).split("train")) is None

    (odd := tmp_path / "odd").mkdir()
    good = [[0, 1, [[0.0, 0.25, 1, 0.5]]]]
    bad = [[[1, 1, [[0, 0, 1, 1]]]], [[[0, 1, [[0.5, 0, 0.5, 1]]]]], [[[0, 1, []]]], "no", [good[0], 3], [good, good]]
    with tarfile.open(odd / "train-000000.tar", "w") as tar:
        for number, regions in enumerate([[good], [], *bad]):
            facts = {"file_name": f"{number}.jpg", "captions": ["a dog"], "regions": regions}
            for suffix, content in (("jpg", b"photo"), ("json", json.dumps(facts).encode())):
                member = tarfile.TarInfo(f"{number}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    located = read_regions(odd, read_dataset(odd).split("train"))
    assert located.regions == {"0.jpg": ((Region(0, 1, ((0.0, 0.25, 1.0, 0.5),)),),)}
    assert len(located.problems) == len(bad) and "2.json" in located.problems[0]
