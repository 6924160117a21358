"""Tar shards and Parquet tables as photos, on this machine and remote, listed and read."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sightline.bulk.pipeline import divide
from sightline.images import containers, source
from sightline.images.find import PhotoFinder
from sightline.images.source import BrokenSource, FileSource, ImageSource

pyarrow = pytest.importorskip("pyarrow", reason="tables come with the extra `parquet`")
parquet = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")


class Found(NamedTuple):
    """A photo's name, and its bytes or what is wrong with it."""

    photo: str
    content: bytes | None = None
    error: str | None = None


def opened(photo: Any) -> Found:
    if isinstance(photo, BrokenSource):
        return Found(photo.name, None, photo.message)
    if isinstance(photo, io.BytesIO):
        return Found(photo.name, photo.getvalue())
    try:
        return Found(photo.name, photo.read())
    except OSError as error:
        return Found(photo.name, None, f"{photo.name}: cannot be read ({error.strerror})")


def found(names: object, **options: Any) -> list[Found]:
    """What is read in one pass; the same as what is listed first, and read then."""
    in_one_pass = [opened(photo) for photo in PhotoFinder(names, **options).contents()]
    assert [opened(photo) for photo in containers.loaded(list(PhotoFinder(names, **options)))] == in_one_pass
    return in_one_pass


def named(names: object, **options: Any) -> list[ImageSource]:
    return list(PhotoFinder(names, **options))


def shard(path: Path, photos: list[Path]) -> bytes:
    """As img2dataset writes them: photo, text and JSON a sample."""
    with tarfile.open(path, "w") as file:
        for number, photo in enumerate(photos):
            for suffix, content in ((".png", photo.read_bytes()), (".txt", b"a dog"), (".json", b"{}")):
                member = tarfile.TarInfo(f"{number:09}{suffix}")
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return path.read_bytes()


def test_photos_are_divided_among_workers():
    finder = PhotoFinder([f"/photos/{number}.jpg" for number in range(1003)])
    sizes = [len(list(piece)) for piece in divide(finder, pieces=16)]
    assert len(sizes) == 16 and max(sizes) == 63 and sum(sizes) == 1003
    assert max(len(list(piece)) for piece in divide(finder, pieces=2, at_most=100)) == 100
    assert len(divide(PhotoFinder(["1.jpg", "2.jpg", "3.jpg"]), pieces=16)) == 3


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_a_shard_gives_its_photos_and_bytes(photos, tmp_path, suffix):
    content = shard(path := tmp_path / f"00000{suffix}", photos)
    if suffix != ".tar":
        path.write_bytes(gzip.compress(content))
    assert found(tmp_path) == [
        Found(f"{path}/{number:09}.png", photo.read_bytes()) for number, photo in enumerate(photos)
    ]
    for number, photo in enumerate(named(path)):
        assert photo.read() == photos[number].read_bytes() and photo.size() == photos[number].stat().st_size
        assert str(path) in photo.stamp() and photo.file == str(path)


def test_only_some_photos_of_a_compressed_shard_are_read_in_one_pass(photos, tmp_path, monkeypatch):
    path = tmp_path / "0.tar.gz"
    path.write_bytes(gzip.compress(shard(path, photos)))
    some = [*named(path)[1::2], FileSource(str(photos[0])), *named(path)[:2]]
    opens, open_tar = [], source.open_tar
    monkeypatch.setattr(containers, "open_tar", lambda *arguments: opens.append(arguments) or open_tar(*arguments))
    assert [opened(photo).content for photo in containers.loaded(some)] == [
        photos[number].read_bytes() for number in (1, 3, 5, 0, 0, 1)
    ]
    assert len(opens) == 2


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_second_photo_of_a_name_is_told_and_not_taken_for_the_first(photos, tmp_path, suffix):
    shard = tmp_path / f"0.{suffix}"
    with tarfile.open(shard, "w:gz" if suffix == "tar.gz" else "w") as tar:
        for photo in (photos[0], photos[1]):
            tar.add(photo, "a.b.jpg")
    first, second = found(shard)
    assert first == Found(f"{shard}/a.b.jpg", photos[0].read_bytes())
    assert second.photo == f"{shard}/a.b.jpg#2" and "same name" in second.error


def test_a_shard_that_changed_after_it_was_listed_fails_photo_by_photo(photos, tmp_path):
    path = tmp_path / "0.tar.gz"
    path.write_bytes(gzip.compress(shard(path, photos[:3])))
    listed = named(path)
    path.write_bytes(gzip.compress(shard(path, photos[:1])))
    first, *others = [opened(photo) for photo in containers.loaded(listed)]
    assert first.content == photos[0].read_bytes()
    assert [other.photo for other in others] == [photo.name for photo in listed[1:]]
    assert all("the shard has changed" in str(other.error) for other in others)
    with pytest.raises(OSError, match="the shard has changed"):
        listed[2].read()


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
        compressed = path.with_suffix(".tar.gz")
        compressed.write_bytes(gzip.compress(whole[:size]))
        assert [photo.content for photo in found(compressed)] == [photo.content for photo in [*before, last]]
        assert len(before) == (3 if name == "without its end" else 1), name
        assert last.photo == str(path)
        assert last.error.startswith(f"{path}: torn or damaged after {len(before)} photo"), last.error
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
        assert len(divide(PhotoFinder(path))) == 3
        rows = found(path)
        assert [row.photo for row in rows] == [f"{path}#{number}" for number in range(7)]
        assert [row.content for row in rows] == contents
        assert [row.error for row in rows] == [
            f"{path}#5: cannot be read (the cell holds no image file's bytes)" if number == 5 else None
            for number in range(7)
        ]


def test_parquet_with_paths_is_a_list_of_photos_below_its_folder_and_at_remote_places(tmp_path, monkeypatch):
    names = ["a.jpg", "x/../b.jpg", f"{tmp_path}/c.jpg", "s3://bucket/d.jpg", None, "a.jpg"]
    parquet.write_table(pyarrow.table({"path": names, "more": names}), path := tmp_path / "list.parquet")
    expected = [*(f"{tmp_path}/{name}.jpg" for name in "abc"), "s3://bucket/d.jpg"]
    assert [photo.name for photo in named(path)] == expected
    assert named(path, column="more") == named(path)
    monkeypatch.chdir(tmp_path)
    assert [photo.name for photo in named("list.parquet")] == ["a.jpg", "b.jpg", *expected[2:]]


@pytest.mark.parametrize(
    "path", ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "file:///a.jpg", "http://169.254.169.254/a", "nowhere://a.jpg"]
)
def test_a_strangers_table_reaches_no_other_file_of_this_machine(tmp_path, path):
    (tmp_path / "table").mkdir()
    parquet.write_table(pyarrow.table({"path": ["b.jpg", path]}), table := tmp_path / "table" / "list.parquet")
    inside, refused = named(table)
    assert inside == FileSource(f"{tmp_path}/table/b.jpg")
    assert isinstance(refused, BrokenSource) and refused.name == f"{table}#1"
    assert path in refused.message and "stdin" in refused.message


def test_a_remote_table_names_photos_beside_itself(tmp_path):
    parquet.write_table(pyarrow.table({"path": ["a.jpg", "../b.jpg", "/c.jpg"]}), tmp_path / "list.parquet")
    fsspec.filesystem("memory").pipe("/tables/list.parquet", (tmp_path / "list.parquet").read_bytes())
    beside, *refused = named("memory://tables/list.parquet")
    assert beside.name == "memory://tables/a.jpg"
    assert all(isinstance(photo, BrokenSource) for photo in refused)


def test_a_table_beside_photos_counts_if_it_holds_photos(photos, tmp_path):
    (tmp_path / "a.png").write_bytes(photos[0].read_bytes())
    parquet.write_table(pyarrow.table({"photo": ["a.png"], "caption": ["a dog"]}), tmp_path / "captions.parquet")
    parquet.write_table(pyarrow.table({"url": ["http://x"], "key": ["0"]}), tmp_path / "facts.parquet")
    parquet.write_table(pyarrow.table({"image": [photos[1].read_bytes()]}), tmp_path / "photos.parquet")
    assert [photo.photo for photo in found(tmp_path)] == [f"{tmp_path}/a.png", f"{tmp_path}/photos.parquet#0"]


def test_what_is_too_large_is_refused_by_name_before_it_fills_the_memory(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MAX_BYTES", 3000)
    large, small = bytes(3001), bytes(range(256)) * 4
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name, content in (("0.png", small), ("1.png", large), ("2.png", small)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    parquet.write_table(pyarrow.table({"image": [small, large, small]}), tmp_path / "c.parquet")
    for name in ("a.tar", "b.tar.gz", "c.parquet"):
        for photo, content in zip(found(tmp_path / name), (small, None, small), strict=True):
            assert photo.content == content
            assert content or "larger than" in str(photo.error), name
    parquet.write_table(pyarrow.table({"image": [bytes(9000)]}), tmp_path / "d.parquet", compression="none")
    assert "larger than" in str(found(tmp_path / "d.parquet")[0].error)
    fsspec.filesystem("memory").pipe({"/sizes/0.png": small, "/sizes/1.png": large})
    assert [photo.content for photo in found(["memory://sizes/0.png", "memory://sizes/1.png"])] == [small, None]


def test_a_tar_header_of_unbounded_length_is_refused(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    for name in ("a.tar", "b.tar.gz"):
        (photo,) = found(tmp_path / name)
        assert photo.photo == str(tmp_path / name) and "a header of 8,589,934,592 bytes" in str(photo.error)


@pytest.mark.parametrize("column", ["img", "Image Path", "0_file_name"])
def test_a_column_of_photos_is_found_by_any_name_that_a_dataset_may_give_it(tmp_path, column):
    parquet.write_table(pyarrow.table({"text": ["a dog"], column: ["a.jpg"]}), path := tmp_path / "list.parquet")
    assert named(path) == [FileSource(str(tmp_path / "a.jpg"))]


def test_a_path_says_better_where_a_photo_is_than_its_name(tmp_path):
    columns = {"file_name": ["a.jpg"], "img": [[0.5, 1.0]], "path": ["far/a.jpg"]}
    parquet.write_table(pyarrow.table(columns), path := tmp_path / "list.parquet")
    assert named(path) == [FileSource(str(tmp_path / "far/a.jpg"))]


def test_parquet_that_cannot_be_used_is_an_error_with_its_name(tmp_path):
    parquet.write_table(pyarrow.table({"path": ["a.jpg"]}), good := tmp_path / "good.parquet")
    parquet.write_table(pyarrow.table({"x": [1], "photo": [1]}), numbers := tmp_path / "numbers.parquet")
    parquet.write_table(pyarrow.table({"x": [1]}), other := tmp_path / "other.parquet")
    (torn := tmp_path / "torn.parquet").write_bytes(good.read_bytes()[:-20])
    (tmp_path / "a.jpg").write_bytes(b"a")
    first, *wrong = found([good, numbers, other, torn, tmp_path / "absent.parquet"])
    assert first == Found(str(tmp_path / "a.jpg"), b"a")
    assert [row.photo for row in wrong] == [str(path) for path in (numbers, other, torn, tmp_path / "absent.parquet")]
    assert "column 'photo' holds neither bytes nor paths, but int64" in wrong[0].error
    assert "no column for the photos; name one of x" in wrong[1].error
    assert "cannot be read (" in wrong[2].error and wrong[3].error.endswith("no such file")
    assert "no column 'y'" in found(other, column="y")[0].error


def test_far_away_it_is_the_same(photos, tmp_path):
    shard(tmp_path / "0.tar", photos[:2])
    parquet.write_table(pyarrow.table({"image": [photos[2].read_bytes()]}), tmp_path / "0.parquet")
    memory = fsspec.filesystem("memory")
    for name in ("0.tar", "0.parquet"):
        memory.pipe(f"/far/{name}", (tmp_path / name).read_bytes())
    memory.pipe("/far/below/a b.png", photos[3].read_bytes())
    names = ["memory:///far/below/a b.png", "memory:///far/0.tar/000000000.png", "memory:///far/0.tar/000000001.png"]
    for place in ("memory://far", "memory://far/**"):
        rows = found(place)
        assert sorted(row.photo for row in rows) == sorted([*names, "memory:///far/0.parquet#0"])
        assert {row.content for row in rows} == {photo.read_bytes() for photo in photos[:4]}
    assert found("memory://far/none")[0].photo == "memory://far/none"
    (unreachable,) = found("nowhere://far")
    assert unreachable.photo == "nowhere://far" and "cannot be reached" in str(unreachable.error)
