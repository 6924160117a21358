"""What is found, and that what is left out is told."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import SightlineError
from sightline.images.find import PhotoFinder, read_list
from sightline.images.source import FileSource, UrlSource


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(*names: object, **options: Any) -> list[str]:
    return [photo.name for photo in PhotoFinder(list(map(str, names)), **options)]


def listed(content: bytes) -> list[str]:
    return list(read_list(io.TextIOWrapper(io.BytesIO(content))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\0"])
def test_a_list_is_read_however_it_was_written(encoding, ending):
    names = ["a.jpg", "fö ü/犬.png", " spaced .jpg "]
    content = "".join(name + ending for name in ["", *names])
    assert listed(content.encode(encoding)) == names
    assert listed(content.removesuffix(ending).encode(encoding)) == names


def test_names_ended_by_nul_may_hold_lines_and_others_no_text():
    assert listed(b"a\nb.jpg\0c\r\0") == ["a\nb.jpg", "c\r"]
    assert [os.fsencode(name) for name in listed(b"f\xfcr.png\n")] == [b"f\xfcr.png"]
    assert listed(b"") == listed(b"\xef\xbb\xbf") == []


def test_names_come_before_the_list_has_ended():
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream, os.fdopen(writing, "wb", buffering=0) as file:
        names = read_list(stream)
        for name in ("a", "b"):
            file.write(f"{name}.jpg\n".encode())
            assert next(names) == f"{name}.jpg"


def test_a_list_in_utf_16_is_refused():
    with pytest.raises(SightlineError, match="UTF-8"):
        listed("a.jpg\n".encode("utf-16"))


@pytest.mark.parametrize("pattern", ["", "**/*.jpg", "**"])
def test_a_linked_folder_is_entered_once_and_links_lead_in_no_circle(tmp_path, pattern):
    folder = tmp_path / "photos"
    touch(folder / "x" / "a.jpg", folder / "b.jpg", tmp_path / "elsewhere" / "c.jpg")
    for number in range(8):
        (folder / "x" / f"up{number}").symlink_to("..")
    (folder / "link").symlink_to("../elsewhere")
    (folder / "again").symlink_to("x")
    (folder / "linked.jpg").symlink_to("b.jpg")
    expected = [str(folder / name) for name in ("b.jpg", "link/c.jpg", "linked.jpg", "x/a.jpg")]
    assert found(folder / pattern) == expected


def test_a_pattern_finds_a_photo_once_and_hidden_ones_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(Path("a/b/x.jpg"), Path("a/y.jpg"), Path(".h/z.jpg"), Path("a[1]/w.jpg"), Path("a/._y.jpg"))
    photos = ["a/b/x.jpg", "a/y.jpg", "a[1]/w.jpg"]
    assert found("**/*") == photos
    assert found("a*/**/x.*") == ["a/b/x.jpg"]
    assert found(".") == [f"./{photo}" for photo in photos]
    assert found("*") == photos


SYSTEM = ("@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/2.jpg", "__MACOSX/3.jpg", "$RECYCLE.BIN/4.jpg",
          ".thumbnails/5.jpg", ".Trash-1000/files/6.jpg", "lost+found/7.jpg")  # fmt: skip


@pytest.mark.parametrize("pattern", ["", "*", "*/*.jpg", "**/*.jpg", "**"])
def test_what_systems_keep_in_folders_is_no_photo_of_theirs_unless_it_is_named(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    touch(Path("own/a/1.jpg"), Path("own/a/._1.jpg"), *(Path("own") / name for name in SYSTEM))
    assert found(Path("own") / pattern) == ["own/a/1.jpg"]
    assert found("own/@eaDir") == found("own/@*/**") == [f"own/{SYSTEM[0]}"]
    assert found("own/#recycle/*.jpg") == found("own/#recycle/2.jpg") == ["own/#recycle/2.jpg"]
    with tarfile.open("own.tar", "w") as shard:
        shard.add("own", ".")
    assert found("own.tar") == ["own.tar/./a/1.jpg"]


def test_a_pattern_means_what_the_shell_would_make_of_it(tmp_path):
    touch(tmp_path / "notes.txt", tmp_path / "no_suffix", tmp_path / "1.jpg", tmp_path / "2.nef")
    finder = PhotoFinder([str(tmp_path / "*")], tell=(lines := []).append)
    assert [photo.name for photo in finder] == [str(tmp_path / name) for name in ("1.jpg", "no_suffix", "notes.txt")]
    assert finder.left_out == 1 and "camera raw" in lines[0]


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_what_is_no_file_is_no_photo_but_a_broken_link_is_one_to_tell_of(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("absent")
    assert found(tmp_path) == found(tmp_path / "*.jpg") == [str(tmp_path / "link.jpg")]


def test_kinds_that_cannot_be_read_are_counted_and_told_of_once(tmp_path):
    touch(tmp_path / "a" / "1.cr2", tmp_path / "b" / "2.CR2", tmp_path / "b" / "3.jpg", tmp_path / "b" / "4.svg")
    lines: list[str] = []
    finder = PhotoFinder([str(tmp_path / "a"), str(tmp_path / "b")], lines.append)
    assert [photo.name for photo in finder] == [str(tmp_path / "b" / "3.jpg")]
    assert len(lines) == 2 and lines[0].startswith("left out 2 camera raw files; ")
    assert finder.left_out == 3


def test_a_photo_named_twice_is_one_but_comes_twice_where_each_name_is_answered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(Path("a.jpg"))
    names = ["a.jpg", "./a.jpg", str(tmp_path / "a.jpg"), "."]
    assert list(PhotoFinder(names)) == [FileSource("a.jpg")]
    assert len(list(PhotoFinder(names).contents())) == 4
    assert list(PhotoFinder(names, absolute=True)) == [FileSource(str(tmp_path / "a.jpg"))]


def test_the_first_photo_comes_before_the_list_has_ended():
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream, os.fdopen(writing, "wb", buffering=0) as file:
        photos = iter(PhotoFinder(["-"], stdin=stream))
        file.write(b"a.jpg\n")
        assert next(photos) == FileSource("a.jpg")


def test_a_listed_name_is_a_file_and_neither_a_pattern_nor_a_folder(tmp_path):
    touch(tmp_path / "a.jpg")
    names = [f"{tmp_path}/*.jpg", str(tmp_path), "s3://bucket/a.jpg", "-", ""]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join(names).encode()))
    assert list(PhotoFinder("-", stdin=stdin)) == [
        FileSource(names[0]),
        FileSource(names[1]),
        UrlSource(names[2]),
        FileSource("-"),
    ]
