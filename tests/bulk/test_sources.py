"""Where photos are: folders, patterns, shards, Parquet, here and far away."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sightline import SightlineError
from sightline.bulk.sources import Found, find

pyarrow = pytest.importorskip("pyarrow", reason="sources come with the extra `ray`")
parquet = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")


def found(source: object, **options: object) -> list[Found]:
    return [photo for piece in find(source, **options) for photo in piece]


def shard(path: Path, photos: list[Path]) -> bytes:
    """As img2dataset writes them: photo, text and JSON a sample."""
    with tarfile.open(path, "w") as file:
        for number, photo in enumerate(photos):
            for suffix, content in ((".png", photo.read_bytes()), (".txt", b"a dog"), (".json", b"{}")):
                member = tarfile.TarInfo(f"{number:09}{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return path.read_bytes()


def test_photos_folders_and_patterns_each_photo_once(photos, tmp_path, monkeypatch):
    folder = tmp_path / "mit Leer und ü"
    (folder / "below").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "below/c.webp", "notes.txt", "d.heic"):
        (folder / name).write_bytes(b"x")
    inside = [str(folder / name) for name in ("a.JPG", "b.png", "below/c.webp", "d.heic")]
    assert [photo for photo, content, error in found(folder) if content is error is None] == inside
    assert [photo for photo, *_ in found([folder / "*.png", folder / "**/*.webp", folder, "absent.jpg"])] == [
        *(inside[1], inside[2], inside[0], inside[3]),
        str(Path.cwd() / "absent.jpg"),
    ]
    monkeypatch.chdir(folder)
    assert found(["b.png", Path("b.png"), str(folder / "b.png")]) == [Found(inside[1])]
    assert found([]) == []


def test_named_photos_are_divided_among_workers():
    names = [f"/photos/{number}.jpg" for number in range(1003)]
    sizes = [len(list(piece)) for piece in find(names, pieces=16)]
    assert len(sizes) == 16 and max(sizes) == 63 and sum(sizes) == 1003
    assert max(len(list(piece)) for piece in find(names, pieces=2, at_most=100)) == 100
    assert len(find(names[:3], pieces=16)) == 3


def test_a_shard_gives_its_photos_and_bytes(photos, tmp_path):
    shard(tmp_path / "00000.tar", photos)
    assert found(tmp_path) == [
        Found(f"{tmp_path}/00000.tar/{number:09}.png", photo.read_bytes()) for number, photo in enumerate(photos)
    ]


def test_a_torn_shard_is_an_error_with_its_name_and_the_rest_goes_on(photos, tmp_path):
    whole = shard(tmp_path / "0.tar", photos[:3])
    second = whole.index(b"000000001.png")
    with tarfile.open(tmp_path / "0.tar") as file:
        ends = {member.name: member.offset_data + member.size for member in file}
    torn = {
        "in a photo": ends["000000001.png"] - 10,
        "in a header": second + 100,
        "between two": second,
        "without its end": len(whole.rstrip(b"\0")) // 512 * 512 + 512,
    }
    for name, size in torn.items():
        path = tmp_path / f"{name}.tar"
        path.write_bytes(whole[:size])
        *before, last = found([path, tmp_path / "0.tar"])[:-3]
        assert len(before) == (3 if name == "without its end" else 1), name
        assert last.photo == str(path)
        assert last.error.startswith(f"{path}: torn or damaged after {len(before)} photos ("), last.error
    (tmp_path / "text.tar").write_text("no archive")
    (tmp_path / "empty.tar").write_bytes(b"")
    for name, said in (
        ("text.tar", "torn or damaged"),
        ("empty.tar", "torn or damaged"),
        ("absent.tar", "no such file"),
    ):
        ((photo, _, error),) = found(tmp_path / name)
        assert photo == str(tmp_path / name) and error.startswith(f"{photo}: {said}")


def test_parquet_with_bytes_is_named_by_its_rows(photos, tmp_path):
    contents = [photo.read_bytes() for photo in photos]
    contents[5] = None
    as_struct = [None if content is None else {"bytes": content, "path": "same.png"} for content in contents]
    for name, cells in (("plain", contents), ("struct", as_struct)):
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(pyarrow.table({"text": ["a"] * 7, "image": cells}), path, row_group_size=3)
        assert len(find(path)) == 3
        rows = found(path)
        assert [row.photo for row in rows] == [f"{path}#{number}" for number in range(7)]
        assert [row.content for row in rows] == contents
        assert [row.error for row in rows] == [f"{path}#5: no photo" if number == 5 else None for number in range(7)]


def test_parquet_with_paths_is_a_list(tmp_path):
    names = ["a.jpg", "/else/b.jpg", "s3://bucket/c.jpg", None, "a.jpg"]
    parquet.write_table(pyarrow.table({"path": names, "more": names}), path := tmp_path / "list.parquet")
    assert [row.photo for row in found(path)] == [str(tmp_path / "a.jpg"), *names[1:3]]
    assert found(path, column="more") == found(path)


@pytest.mark.parametrize("column", ["img", "Image Path", "0_file_name"])
def test_a_column_of_photos_is_found_by_any_name_that_a_dataset_may_give_it(tmp_path, column):
    parquet.write_table(pyarrow.table({"text": ["a dog"], column: ["a.jpg"]}), path := tmp_path / "list.parquet")
    assert found(path) == [Found(str(tmp_path / "a.jpg"))]


def test_a_path_says_better_where_a_photo_lies_than_its_name(tmp_path):
    columns = {"file_name": ["a.jpg"], "img": [[0.5, 1.0]], "path": ["/far/a.jpg"]}
    parquet.write_table(pyarrow.table(columns), path := tmp_path / "list.parquet")
    assert found(path) == [Found("/far/a.jpg")]


def test_parquet_that_cannot_be_used_is_an_error_with_its_name(tmp_path):
    parquet.write_table(pyarrow.table({"path": ["a.jpg"]}), good := tmp_path / "good.parquet")
    parquet.write_table(pyarrow.table({"x": [1], "photo": [1]}), numbers := tmp_path / "numbers.parquet")
    parquet.write_table(pyarrow.table({"x": [1]}), other := tmp_path / "other.parquet")
    (torn := tmp_path / "torn.parquet").write_bytes(good.read_bytes()[:-20])
    first, *wrong = found([good, numbers, other, torn, tmp_path / "absent.parquet"])
    assert first == Found(str(tmp_path / "a.jpg"))
    assert [row.photo for row in wrong] == [str(path) for path in (numbers, other, torn, tmp_path / "absent.parquet")]
    assert "column 'photo' holds neither bytes nor paths, but int64" in wrong[0].error
    assert "no column for the photos; name one of x" in wrong[1].error
    assert "cannot be reached (" in wrong[2].error and wrong[3].error.endswith("no such file")
    assert "no column 'y'" in found(other, column="y")[0].error


def test_far_away_it_is_the_same(photos, tmp_path):
    shard(tmp_path / "0.tar", photos[:2])
    parquet.write_table(pyarrow.table({"image": [photos[2].read_bytes()]}), tmp_path / "0.parquet")
    memory = fsspec.filesystem("memory")
    for name in ("0.tar", "0.parquet"):
        memory.pipe(f"/far/{name}", (tmp_path / name).read_bytes())
    memory.pipe("/far/below/a b.png", photos[3].read_bytes())
    names = ["memory:///far/below/a b.png", "memory:///far/0.tar/000000000.png", "memory:///far/0.tar/000000001.png"]
    for source in ("memory://far", "memory://far/**"):
        rows = found(source)
        assert sorted(row.photo for row in rows) == sorted([*names, "memory:///far/0.parquet#0"])
        assert {row.content for row in rows} == {None, *(photo.read_bytes() for photo in photos[:3])}
    with pytest.raises(SightlineError, match="nowhere://far: cannot be reached"):
        find("nowhere://far")
