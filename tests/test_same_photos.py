"""The same arguments mean the same photos in `caption`, `caption --out`, `explain`, and for an engine's workers."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.bulk.pipeline import divide
from sightline.caption import Caption
from sightline.cli.explain import save_sheet
from sightline.errors import SightlineError
from sightline.images.find import PhotoFinder
from sightline.images.formats import heic_is_read
from sightline.images.source import name_of
from sightline.preprocess import open_photo

pyarrow = pytest.importorskip("pyarrow", reason="tables need pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")

# Name of a photo, from the folder it is in -> whether it can be captioned.
Photos = dict[str, bool]

FOLDER = {"album/1.png": True, "album/2 ü.jpg": True, "album/deep/3.png": True, "album/deep/bad.jpg": False}
SHARD = {f"shards/0.tar/{name}": True for name in ("00.png", "01.png")}
COMPRESSED = {f"shards/1.tar.gz/{name}": True for name in ("00.png", "01.png")}
TORN = {"torn.tar/00.png": True, "torn.tar": False}
TABLE = {"tables/bytes.parquet#0": True, "tables/bytes.parquet#1": False, "tables/bytes.parquet#2": True}
UNSUPPORTED = ["1 camera raw file", "2 vector drawings", *([] if heic_is_read() else ["1 HEIC photo"])]
NOTHING = ["no photos in this folder", "no such file", "empty name"]
LIST = ["album/1.png", "", "album/2 ü.jpg", "absent.jpg", "album", "shards/0.tar", "*.png"]
LISTED = {"album/1.png": True, "album/2 ü.jpg": True, "absent.jpg": False, "album": False, **SHARD, "*.png": False}

# Arguments, standard input, the photos that are meant, and what the lines about all that is left out speak of.
CASES: dict[str, tuple[list[str], bytes, Photos, list[str]]] = {
    "a photo": (["album/1.png"], b"", {"album/1.png": True}, []),
    "a folder and those below": (["album"], b"", FOLDER, []),
    "the folder one is in": (["."], b"", {}, []),  # filled in below
    "a pattern": (["album/*.png"], b"", {"album/1.png": True}, []),
    "a pattern for folders": (["alb*"], b"", FOLDER, []),
    "a pattern for all depths": (["album/**/*.png"], b"", {"album/1.png": True, "album/deep/3.png": True}, []),
    "a pattern that matches other files": (["notes/*"], b"", {"notes/a.png": True, "notes/a.txt": False}, []),
    "several, overlapping": (["album/deep", "album", "./album/1.png"], b"", FOLDER, []),
    "one name twice": (["album/1.png", "album/1.png"], b"", {"album/1.png": True}, []),
    "a list": (["-"], "\n".join(LIST).encode(), LISTED, []),
    "a list with a byte-order mark": (["-"], "\ufeff".encode() + "\r\n".join(LIST).encode(), LISTED, []),
    "a list of find -print0": (["-"], "\0".join(LIST).encode(), LISTED, []),
    "sheets": (["sheets"], b"", {"sheets/photo.png": True}, []),
    "named sheets": (["sheets/photo.png", "sheets/sheet.png"], b"", {"sheets/photo.png": True}, ["1 sheet"]),
    "kinds that cannot be read": (["kinds"], b"", {"kinds/a.png": True}, UNSUPPORTED),
    "a raw file by name": (["kinds/b.cr2"], b"", {"kinds/b.cr2": False}, []),
    "a shard": (["shards/0.tar"], b"", SHARD, []),
    "a compressed shard": (["shards/1.tar.gz"], b"", COMPRESSED, []),
    "a torn shard": (["torn.tar", "album/1.png"], b"", {**TORN, "album/1.png": True}, []),
    "a folder of shards": (["shards"], b"", {**SHARD, **COMPRESSED}, []),
    "a table of photos": (["tables/bytes.parquet"], b"", TABLE, []),
    "a table of paths": (["tables/paths.parquet"], b"", {"tables/near.png": True, "tables/paths.parquet#1": False}, []),
    "a folder of tables": (["tables"], b"", {**TABLE, "tables/near.png": True}, []),
    "links": (["links"], b"", {"links/gone.jpg": False, "links/photo.png": True, "links/to/1.png": True}, []),
    "what is missing": (["absent.jpg", "absent.tar", "absent.parquet", "album/1.png"], b"", {
        "absent.jpg": False, "absent.tar": False, "absent.parquet": False, "album/1.png": True,
    }, []),
    "what matches nothing": (["empty", "empty/*.jpg", "", "album/1.png"], b"", {"album/1.png": True}, NOTHING),
    "nothing but an empty list": (["-"], b"", {}, []),
    "a hidden folder by name": ([".hidden"], b"", {".hidden/a.png": True}, []),
}  # fmt: skip


def draw(path: Path, seed: int = 0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("originals")
    photo = draw(root / "album" / "1.png")
    for name in (
        "album/2 ü.jpg",
        "album/deep/3.png",
        "notes/a.png",
        "sheets/photo.png",
        "kinds/a.png",
        ".hidden/a.png",
    ):
        draw(root / name)
    for name, content in {
        "album/deep/bad.jpg": b"no photo",
        "album/deep/._3.png": b"a Mac's",
        "album/deep/notes.txt": b"notes",
        "notes/a.txt": b"a dog",
        "kinds/b.cr2": b"II*\0",
        "kinds/c.svg": b"<svg/>",
        "kinds/d.eps": b"%!PS",
        **({} if heic_is_read() else {"kinds/e.heic": b"HEIC"}),
    }.items():
        (root / name).write_bytes(content)
    save_sheet(root / "sheets" / "sheet.png", Image.new("RGB", (8, 8)))
    for name in ("empty", "links", "shards", "tables"):
        (root / name).mkdir()
    with tarfile.open(root / "shards" / "0.tar", "w") as file:
        for name, content in (("00.png", photo), ("00.txt", b"a dog"), ("01.png", photo)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    whole = (root / "shards" / "0.tar").read_bytes()
    (root / "shards" / "1.tar.gz").write_bytes(gzip.compress(whole))
    (root / "torn.tar").write_bytes(whole[: whole.index(b"01.png") + 600])
    parquet.write_table(
        pyarrow.table({"image": [photo, None, photo]}), root / "tables" / "bytes.parquet", row_group_size=2
    )
    parquet.write_table(pyarrow.table({"path": ["near.png", "../album/1.png"]}), root / "tables" / "paths.parquet")
    draw(root / "tables" / "near.png")
    (root / "links" / "photo.png").symlink_to("../album/1.png")
    (root / "links" / "gone.jpg").symlink_to("absent")
    (root / "links" / "to").symlink_to("../links_to")
    draw(root / "links_to" / "1.png")
    (root / "links_to" / "round").symlink_to("../links")
    return root


class RecordingCaptioner:
    """In the place of a model: opens each photo, and remembers its name and whether that went well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photos: list[tuple[str, bool]] = []

    def stream(self, photos: Iterable[Any], *_: object, **__: object) -> Iterator[Caption | SightlineError]:
        caption = Caption("a dog", ("a", "dog"), np.zeros(2, np.float32), np.full((2, 2, 2), 0.25, np.float32), 0.0)
        for photo in photos:
            try:
                open_photo(photo)
                self.photos.append((name_of(photo), True))
                yield replace(caption, photo=photo)
            except SightlineError as error:
                self.photos.append((name_of(photo), False))
                error.photo = photo
                yield error


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("case", CASES)
def test_the_same_arguments_mean_the_same_photos(case, originals, tmp_path, monkeypatch, sightline):
    arguments, stdin, expected, told = CASES[case]
    shutil.copytree(originals, root := tmp_path / "mit Leer", symlinks=True)
    monkeypatch.chdir(root)
    if case == "the folder one is in":
        expected = everything()
        told = UNSUPPORTED

    for verb, results in by_verb(arguments, stdin, tmp_path, monkeypatch, sightline):
        photos, lines, status = results
        assert dict(photos) == expected, verb
        assert len(photos) == len(expected) or verb == "caption", verb  # one line for each time that it was named
        assert len(lines) == len(told) and all(any(part in line for line in lines) for part in told), (verb, lines)
        failed = not expected or not all(expected.values()) or any("sheet" not in part for part in told)
        assert status == failed, verb


def everything() -> Photos:
    """All photos of the folder; links lead to none of them a second time."""
    names = ("tables/near.png", "notes/a.png", "sheets/photo.png", "kinds/a.png", "links/photo.png", "links_to/1.png")
    return {**FOLDER, **SHARD, **COMPRESSED, **TABLE, **TORN, **dict.fromkeys(names, True), "links/gone.jpg": False}


def by_verb(
    arguments: list[str], stdin: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch, sightline: Callable[..., Any]
) -> Iterator[tuple[str, tuple[list[tuple[str, bool]], list[str], bool]]]:
    """Each verb: photos with whether they can be opened, lines about what is left out, and whether it failed."""
    (folder / "model.onnx").write_bytes(b"")
    commands = {
        "caption": ["caption"],
        "caption --out": ["caption", "--out", folder / "rows.jsonl"],
        "explain": ["explain", "--out", folder / "out"],
    }
    for verb, command in commands.items():
        captioner = RecordingCaptioner(folder)
        monkeypatch.setattr("sightline.captioner.load", lambda *_, captioner=captioner, **__: captioner)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        done = sightline(*command, *arguments)
        photos = [(relative(name), good) for name, good in captioner.photos]
        names = [name for name, good in captioner.photos if not good]
        lines = [line.removeprefix("sightline: ") for line in done.err.splitlines()]
        own = ("nothing was written", "no photos found", " a second")
        lines = [line for line in lines if not any(line.startswith(f"{name}: ") for name in names)]
        yield verb, (photos, [line for line in lines if not any(part in line for part in own)], done.status == 1)

    lines = []
    finder = PhotoFinder(arguments, lines.append, absolute=True, stdin=io.TextIOWrapper(io.BytesIO(stdin)))
    captioner = RecordingCaptioner(folder)
    errors = list(captioner.stream(photo for piece in divide(finder) for photo in piece))
    failed = any(isinstance(error, SightlineError) for error in errors) or bool(finder.left_out) or not errors
    yield "an engine", ([(relative(name), good) for name, good in captioner.photos], lines, failed)


def relative(name: str) -> str:
    return os.path.relpath(name)
