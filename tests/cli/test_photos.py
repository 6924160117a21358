"""What is found, and that what is left out is told."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from sightline.cli.lists import read_list
from sightline.cli.photos import PhotoSearch


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def listed(content: bytes) -> list[str]:
    return list(read_list(io.TextIOWrapper(io.BytesIO(content))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
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


def test_links_that_lead_in_circles_are_not_followed(tmp_path):
    folder = tmp_path / "photos"
    touch(folder / "x" / "a.jpg", folder / "b.jpg")
    for number in range(8):
        (folder / "x" / f"up{number}").symlink_to("..")
    found = [str(folder / "b.jpg"), str(folder / "x" / "a.jpg")]
    assert list(PhotoSearch([str(folder)])) == found
    assert list(PhotoSearch([str(folder / "**" / "*.jpg")])) == found
    assert list(PhotoSearch([str(folder / "**")])) == found


def test_a_pattern_finds_a_photo_once_and_hidden_ones_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(Path("a/b/x.jpg"), Path("a/y.jpg"), Path(".h/z.jpg"), Path("a[1]/w.jpg"))
    assert list(PhotoSearch(["**/*"])) == ["a/b/x.jpg", "a/y.jpg", "a[1]/w.jpg"]
    assert list(PhotoSearch(["a*/**/x.*"])) == ["a/b/x.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_what_is_no_file_is_no_photo_but_a_broken_link_is_one_to_tell_of(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("absent")
    assert list(PhotoSearch([str(tmp_path)])) == [str(tmp_path / "link.jpg")]


def test_photos_that_cannot_be_read_are_counted_and_told_of_once(tmp_path, capsys):
    touch(tmp_path / "a" / "1.cr2", tmp_path / "b" / "2.CR2", tmp_path / "b" / "3.jpg")
    search = PhotoSearch([str(tmp_path / "a"), str(tmp_path / "b")])
    assert list(search) == [str(tmp_path / "b" / "3.jpg")]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sightline: left out 2 camera raw files; ")
    assert search.left_out == 2
