"""Each writer: what it writes is read by the programs it is for, whole after any failure, and never written twice."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from PIL import Image

from sightline.cli import write as verb
from sightline.errors import SightlineError
from sightline.images.source import FileSource, TarSource, UrlSource
from sightline.testing import check_writer
from sightline.testing.writers import TEXT
from sightline.writers.list_file import COLUMNS, SUBJECT
from sightline.writers.packet import DESCRIPTION, EMPTY, subjects_in, texts_in, with_subjects, with_text
from sightline.writers.sidecar import FIELDS
from sightline.writers.text_file import TextFiles
from sightline.writers.writer import (
    EXISTING,
    WRITERS,
    NothingCanBeWritten,
    Writer,
    make_writer,
    read_options,
    replace_file,
)

WORDS = ("dog", "döġ & co", "beach")
IN_A_LIST = {"csv", "json"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "Fotos – 2024").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def writer(name: str, folder: Path, **options: object) -> Writer:
    return make_writer(name, {**({"out": folder / f"all.{name}"} if name in IN_A_LIST else {}), **options})


def photos(folder: Path) -> list[FileSource]:
    return [FileSource(str(folder / name)) for name in ("a.jpg", "b.jpg")]


def write_all(writer: Writer, folder: Path, text: str = TEXT, keywords: Sequence[str] = ()) -> list[bool]:
    try:
        return [not writer.is_done(photo) and writer.write(photo, text, keywords) for photo in photos(folder)]
    finally:
        writer.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def run(program: str, *arguments: object) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def test_the_command_names_what_the_writers_take():
    options = {option.name: option for option in verb_options()}
    assert tuple(options["existing"].type.choices) == EXISTING
    assert tuple(options["field"].type.choices) == tuple(FIELDS) == tuple(COLUMNS)
    assert {*verb._ALL, "write"} == set(options)
    assert set(WRITERS) >= {"txt", "xmp", "csv", "json"}


def verb_options() -> list[click.Option]:
    command = click.command()(verb.write_options(lambda: None))
    return [option for option in command.params if isinstance(option, click.Option)]


@pytest.mark.parametrize("name", WRITERS)
def test_writers_keep_their_promises(name):
    check_writer(name, out=f"all.{name}" if name in IN_A_LIST else None)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_whole_files(name, folder, disk_full):
    filled = writer(name, folder)
    assert filled.write(photos(folder)[0], TEXT)
    before = contents(folder)
    size = max(len(before[file]) for file in before if not file.endswith(".jpg"))
    with disk_full(size + 5 if name in IN_A_LIST else 10), pytest.raises(NothingCanBeWritten, match="make room"):
        filled.write(photos(folder)[1], TEXT * 2)
    assert contents(folder) == before
    assert filled.write(photos(folder)[1], TEXT), "and it goes on"
    filled.close()
    assert write_all(writer(name, folder), folder) == [False, False]


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_is_refused_by_name(name, folder):
    for source in (TarSource(str(folder / "x.tar"), "c.jpg", 0, 1), UrlSource("https://example.org/c.jpg")):
        if name == "json":
            assert not writer(name, folder).is_done(source)
        else:
            with pytest.raises(SightlineError, match=r"c\.jpg: "):
                writer(name, folder).is_done(source)
    with pytest.raises(SightlineError, match="--colour"):
        writer(name, folder, colour="red")
    for existing in set(EXISTING) - set(WRITERS[name].takes):
        with pytest.raises(SightlineError, match=existing):
            writer(name, folder, existing=existing)


def test_settings_are_of_the_types_of_a_writers_options():
    @dataclass
    class Own(TextFiles):
        table: str = "photos"
        rows: int = 3
        whole: bool = False
        share: float = 0.5

    WRITERS.add("own", Own)
    try:
        settings = ["table=a=b", "rows=7", "whole=TRUE", "share=1e-2"]
        assert read_options("own", settings) == {"table": "a=b", "rows": 7, "whole": True, "share": 0.01}
        for wrong in ("rows=7.5", "whole=yes", "colour=red", "table"):
            with pytest.raises(SightlineError, match=f"--set {wrong}: "):
                read_options("own", [wrong])
    finally:
        del WRITERS._parts["own"]


def test_what_a_killed_process_left_is_gone_after_the_next_try(folder):
    (path := folder / "a.txt").write_text("a dog\n")
    path.chmod(0o640)
    before = set(folder.iterdir())
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        replace_file(path, b"a cat\n")
    assert set(folder.iterdir()) == before and path.read_text() == "a dog\n"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # nor does a killed process tidy up
        replace_file(path, b"a longer cat\n")
    assert len(set(folder.iterdir()) - before) == 1 and path.read_text() == "a dog\n"
    replace_file(path, b"a cat\n")
    assert set(folder.iterdir()) == before and path.read_text() == "a cat\n"
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_another_process_writes_is_left(folder):
    fcntl = pytest.importorskip("fcntl", reason="locks are POSIX's")
    first = writer("csv", folder)
    first.write(photos(folder)[0], TEXT)
    with pytest.raises(NothingCanBeWritten, match="another process"):
        writer("csv", folder, existing="overwrite").write(photos(folder)[1], TEXT)
    assert first.write(photos(folder)[1], TEXT)
    first.close()
    assert fcntl and write_all(writer("csv", folder), folder) == [False, False]


# Text files


@pytest.mark.parametrize(
    ("existing", "before", "after"),
    [
        ("skip", "sks dog\n", "sks dog\n"),
        ("skip", " \n", "a dog\n"),
        ("append", None, "a dog\n"),
        ("append", "sks style", "sks style, a dog\n"),
        ("append", "one\r\ntwo\r\n", "one, a dog\ntwo, a dog\n"),
        ("prepend", "sks style\n", "a dog, sks style\n"),
        ("overwrite", "sks style\n", "a dog\n"),
    ],
)
def test_captions_join_what_is_there(folder, existing, before, after):
    path = folder / "a.caption"
    if before is not None:
        path.write_bytes(before.encode())
    for _ in range(2):  # twice: no caption is there twice
        write_all(writer("txt", folder, existing=existing, extension=".caption"), folder, "a dog")
        assert path.read_bytes() == after.encode()


def test_two_photos_of_one_caption_file_are_told_of(folder):
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    writing = writer("txt", folder)
    writing.is_done(photos(folder)[0])
    with pytest.raises(SightlineError, match=r"a\.png.*a\.jpg"):
        writing.is_done(FileSource(str(folder / "a.png")))


@pytest.mark.parametrize("extension", ["jpg", ".PNG", "", "a/b", "../x"])
def test_an_extension_is_a_text_files(folder, extension):
    with pytest.raises(SightlineError, match="--extension"):
        writer("txt", folder, extension=extension)


def test_a_photo_is_not_lost_to_its_caption(folder):
    (folder / "a.jpg").rename(folder / "a.txt")
    with pytest.raises(SightlineError, match="rename"):
        writer("txt", folder, existing="overwrite").write(FileSource(str(folder / "a.txt")), "a dog")


def test_a_caption_joins_no_large_file(folder):
    (folder / "a.txt").write_text("dog " * 1_000_000)
    assert writer("txt", folder).is_done(photos(folder)[0])
    with pytest.raises(SightlineError, match=r"a\.txt"):
        writer("txt", folder, existing="append").write(photos(folder)[0], "a dog")


@pytest.mark.parametrize("name", sorted(set(WRITERS) - IN_A_LIST))
def test_a_name_that_is_too_long_is_told_of(name, folder):
    (photo := folder / ("a" * 251 + ".png")).touch()
    options = {"extension": "caption"} if name == "txt" else {}
    with pytest.raises(SightlineError, match=r"aaa.*too long"):
        writer(name, folder, **options).is_done(FileSource(str(photo)))


# Sidecars


def described(text: str) -> bytes:
    return with_text(EMPTY, DESCRIPTION, text, "en")


@pytest.mark.parametrize("names", [["a.jpg.xmp"], ["a.xmp"], ["a.XMP"], ["a.xmp", "a.jpg.xmp"]])
def test_the_sidecar_that_is_there_is_used(folder, names):
    for name in names:
        (folder / name).write_bytes(EMPTY)
    write_all(writer("xmp", folder), folder)
    assert set(contents(folder)) == {"a.jpg", "b.jpg", "b.jpg.xmp", *names}
    assert texts_in((folder / names[-1]).read_bytes(), DESCRIPTION) == {"x-default": TEXT, "en": TEXT}
    assert all((folder / name).read_bytes() == EMPTY for name in names[:-1])


def test_a_sidecar_of_two_photos_is_the_firsts(folder):
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "a.xmp").write_bytes(EMPTY)
    two = [FileSource(str(folder / name)) for name in ("a.jpg", "a.png")]
    for expected in ([True, True], [False, False]):
        writing = writer("xmp", folder)
        assert [not writing.is_done(photo) and writing.write(photo, photo.path) for photo in two] == expected
    assert {"a.xmp", "a.png.xmp"} < set(contents(folder)) and "a.jpg.xmp" not in contents(folder)


def test_what_a_person_wrote_stays(folder):
    mine = described("Grandma")
    (folder / "a.xmp").write_bytes(mine)
    for name in ("b.jpg", "c.webp"):
        Image.new("RGB", (8, 8)).save(folder / name, xmp=described("in the photo itself"))
    assert writer("xmp", folder).is_done(FileSource(str(folder / "c.webp")))
    assert write_all(writer("xmp", folder), folder) == [False, False]
    assert contents(folder)["a.xmp"] == mine and set(contents(folder)) == {"a.jpg", "a.xmp", "b.jpg", "c.webp"}
    assert write_all(writer("xmp", folder, field="alt"), folder) == [True, True], "an alt text is no description"
    assert texts_in((folder / "a.xmp").read_bytes(), DESCRIPTION) == texts_in(mine, DESCRIPTION)


def test_a_sidecar_that_is_none_is_named_and_kept(folder):
    (folder / "a.xmp").write_bytes(b"<!DOCTYPE x><x/>")
    for existing in ("skip", "overwrite"):
        with pytest.raises(SightlineError, match=r"a\.xmp: .*document type"):
            writer("xmp", folder, existing=existing).is_done(photos(folder)[0])
    (folder / "b.xmp").mkdir()
    with pytest.raises(SightlineError, match=r"b\.xmp: cannot be read"):
        writer("xmp", folder).is_done(photos(folder)[1])
    assert contents_of_a(folder) == b"<!DOCTYPE x><x/>"


def contents_of_a(folder: Path) -> bytes:
    return (folder / "a.xmp").read_bytes()


def test_keywords_join_a_person_s_subjects_once(folder):
    mine = with_subjects(EMPTY, ["Beach", "grandma"])
    (folder / "a.jpg.xmp").write_bytes(mine)
    Image.new("RGB", (8, 8)).save(folder / "b.jpg", xmp=with_subjects(EMPTY, ["in the photo", "dog"]))
    for keywords, added in (((), 0), (WORDS, 2), (WORDS, 2), (["sand", "Sand", " "], 3)):
        write_all(writer("xmp", folder, existing="overwrite"), folder, TEXT, keywords)
        assert subjects_in((folder / "a.jpg.xmp").read_bytes()) == ["Beach", "grandma", *WORDS[:2], "sand"][: 2 + added]
    # A sidecar's subjects hide those in the photo itself.
    assert subjects_in((folder / "b.jpg.xmp").read_bytes()) == ["in the photo", "dog", *WORDS[1:], "sand"]
    assert texts_in((folder / "a.jpg.xmp").read_bytes(), DESCRIPTION) == {"x-default": TEXT, "en": TEXT}


@pytest.mark.parametrize("name", ["csv", "json", "xmp"])
def test_keywords_may_be_left_out(name, folder):
    write_all(writer(name, folder, no_keywords=True), folder, TEXT, WORDS)
    assert not any(b"beach" in content for content in contents(folder).values())
    write_all(writer(name, folder, existing="overwrite"), folder, TEXT, WORDS)
    assert any(b"beach" in content for content in contents(folder).values())


@pytest.mark.parametrize("language", ["", "english language", "e", 'en"', "de_DE"])
def test_a_language_is_a_tag(folder, language):
    with pytest.raises(SightlineError, match="--language"):
        writer("xmp", folder, language=language)


OTHERS = EMPTY.replace(
    b" </rdf:RDF>",
    b'  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmp:Rating="4"><dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject><dc:description><rdf:Alt>'
    b'<rdf:li xml:lang="x-default">Old</rdf:li><rdf:li xml:lang="fr">Vieux</rdf:li></rdf:Alt></dc:description>'
    b"</rdf:Description>\n </rdf:RDF>",
)


@pytest.mark.parametrize("before", [EMPTY, OTHERS], ids=["new", "changed"])
def test_exiftool_reads_sidecars(folder, before):
    (folder / "a.jpg.xmp").write_bytes(before)
    for field in FIELDS:
        write_all(writer("xmp", folder, field=field, existing="overwrite"), folder, TEXT, WORDS)
    (read,) = json.loads(run("exiftool", "-json", "-G1", "-XMP:all", folder / "a.jpg.xmp"))
    assert read["XMP-dc:Description"] == read["XMP-dc:Description-en"] == TEXT
    assert read["XMP-iptcCore:AltTextAccessibility"] == read["XMP-iptcCore:AltTextAccessibility-en"] == TEXT
    assert sorted(read["XMP-dc:Subject"]) == sorted(WORDS)
    if before == OTHERS:
        kept = {"XMP-dc:Description-fr": "Vieux", "XMP-xmp:Rating": 4}
        assert kept.items() <= read.items() and read["XMP-dc:Subject"][0] == "beach"


def test_exiv2_reads_sidecars(folder):
    (folder / "a.xmp").write_bytes(OTHERS)
    write_all(writer("xmp", folder, existing="overwrite", language="de"), folder, TEXT, WORDS)
    subjects = ("beach, dog, döġ & co", ", ".join(WORDS))
    for file, kept in (("a.xmp", ['lang="fr" Vieux', subjects[0]]), ("b.jpg.xmp", [subjects[1]])):
        read = run("exiv2", "-PXkt", folder / file)
        for part in (f'lang="x-default" {TEXT}', f'lang="de" {TEXT}', *kept):
            assert part in read


# One file for all


def test_exiftool_imports_the_table(folder):
    Image.new("RGB", (8, 8)).save(folder / "a.jpg", xmp=with_subjects(EMPTY, ["grandma", "dog"]))
    writing, names = writer("csv", folder), [photo.path for photo in photos(folder)]
    for photo, keywords in zip(photos(folder), (WORDS, ()), strict=True):
        writing.write(photo, TEXT, keywords)
    writing.close()
    # As docs/using_captions.md has it.
    run("exiftool", "-overwrite_original", "-sep", ", ", f"-csv+={folder / 'all.csv'}", *names)
    run("exiftool", "-overwrite_original", "-sep", ", ", "-XMP-dc:Subject<${XMP-dc:Subject;NoDups}", *names)
    first, second = json.loads(run("exiftool", "-json", "-XMP-dc:Description", "-XMP-dc:Subject", *names))
    assert first["Description"] == second["Description"] == TEXT
    assert first["Subject"] == ["grandma", *WORDS] and "Subject" not in second


def test_the_table_has_a_row_a_photo(folder):
    write_all(writer("csv", folder, field="alt"), folder, TEXT, WORDS)
    with (folder / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    cells = [[photo.path, TEXT, ", ".join(WORDS)] for photo in photos(folder)]
    assert rows == [["SourceFile", COLUMNS["alt"], SUBJECT], *cells]


def test_coco_results_have_its_numbers(folder):
    names = ["COCO_val2014_000000391895.jpg", "000000000139.jpg", "dog 7.jpg", "a/b.jpg"]
    writing = writer("json", folder)
    for name in names:
        assert writing.write(FileSource(name), TEXT, WORDS if name.startswith("COCO") else ())
        entries = json.loads((folder / "all.json").read_bytes())  # whole after every one
    assert [entry["image_id"] for entry in entries] == [391895, 139, "dog 7.jpg", "a/b.jpg"]
    assert {entry["caption"] for entry in entries} == {TEXT}
    assert [entry.get("keywords") for entry in entries] == [list(WORDS), None, None, None]
    writing.is_done(FileSource("139.png"))
    with pytest.raises(SightlineError, match=r"139\.jpg.*139\.png"):
        writing.is_done(FileSource("139.jpg"))


@pytest.mark.parametrize("name", sorted(IN_A_LIST))
def test_a_strangers_file_is_kept(name, folder):
    (out := folder / f"all.{name}").write_text('{"a": 1}' if name == "json" else "SourceFile,Title\nx,y\n")
    before = out.read_bytes()
    with pytest.raises(SightlineError, match="--existing overwrite"):
        writer(name, folder)
    assert out.read_bytes() == before
    with pytest.raises(SightlineError, match="needs --out"):
        make_writer(name, {"out": folder / "all.txt"})


def test_a_row_that_was_cut_off_is_written_again(folder):
    write_all(writer("csv", folder), folder)
    whole = (out := folder / "all.csv").read_bytes()
    out.write_bytes(whole[:-10])
    assert write_all(writer("csv", folder), folder) == [False, True]
    assert out.read_bytes() == whole
