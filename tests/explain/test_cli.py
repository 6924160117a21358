from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sightline.caption import Caption
from sightline.cli.explain import SHEET_BYTES, explain, save_sheet, sheet_paths
from sightline.errors import SightlineError
from sightline.images.find import is_sheet
from sightline.images.source import FileSource, ParquetSource, TarSource
from sightline.preprocess import open_photo


@pytest.fixture
def loaded(monkeypatch, make_caption) -> list[tuple[object, ...]]:
    """Puts a captioner of one sentence in the place of the model; remembers what was asked for."""
    asked: list[tuple[object, ...]] = []

    class Captioner:
        def __init__(self, model: object) -> None:
            self.model = model

        def stream(
            self, photos: Iterable[Path], beam_size: int, length_penalty: float, evidence: bool, **options: object
        ) -> Iterator[Caption | SightlineError]:
            asked.append((self.model, beam_size, length_penalty, *(["evidence"] if evidence else [])))
            assert options == {"allow_repeats": evidence, "max_pixels": None}
            for photo in photos:
                try:
                    open_photo(photo)
                    caption = make_caption("a dog").with_photo(photo)
                    yield replace(caption, evidence=caption.attention) if evidence else caption
                except SightlineError as error:
                    error.photo = photo
                    yield error

    monkeypatch.setattr("sightline.captioner.load", Captioner)
    return asked


def draw(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (128, 128, 128)).save(path)
    return str(path)


def run(*arguments: object):
    return CliRunner().invoke(explain, [str(argument) for argument in arguments])


def test_it_writes_an_image_a_photo_and_a_page_of_all_and_says_so(loaded, tmp_path):
    out = tmp_path / "new" / "out"
    photos = [draw(tmp_path / "one.jpg"), draw(tmp_path / "two.png")]
    result = run(*photos, "--out", out, "--model", tmp_path, "--beam-size", 5, "--length-penalty", 0.7)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "one.png", "two.png"]
    assert result.stdout.splitlines() == [
        f"{out / 'one.png'}: a dog",
        f"{out / 'two.png'}: a dog",
        f"{out / 'index.html'}: 2 photos",
    ]
    assert (out / "index.html").read_text().count("<img ") == 2
    with Image.open(out / "one.png") as sheet:
        assert sheet.width > 2 * 240
    assert loaded == [(tmp_path, 5, 0.7)]


@pytest.mark.parametrize("size", [(1344, 941), (400, 2000)])
def test_a_sheet_takes_few_bytes_whatever_is_on_it(size, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 2, size[0] // 2, 3), np.uint8)
    save_sheet(tmp_path / "sheet.png", Image.fromarray(noise).resize(size))
    assert (tmp_path / "sheet.png").stat().st_size <= SHEET_BYTES and is_sheet(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width / sheet.height == pytest.approx(size[0] / size[1], rel=0.02) and sheet.height > 300


def test_the_default_folder_and_model(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(draw(tmp_path / "one.jpg")).exit_code == 0
    assert (tmp_path / "explained" / "one.png").exists()
    assert loaded == [(None, 3, 1.0)]


def test_evidence_is_asked_for_and_shown(loaded, tmp_path):
    result = run(draw(tmp_path / "one.jpg"), "--out", tmp_path / "out", "--evidence", "--allow-repeats")
    assert (result.exit_code, result.stderr) == (0, "")
    assert loaded == [(None, 3, 1.0, "evidence")]
    assert "What each word rests on" in (tmp_path / "out" / "index.html").read_text()


def test_unreadable_photos_are_named_and_skipped(loaded, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    result = run(broken, draw(tmp_path / "one.jpg"), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"sightline: {broken}: not an image that can be read"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.html", "one.png"]


def test_where_every_photo_is_unreadable_the_old_page_stays(loaded, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    assert run(draw(tmp_path / "one.jpg"), "--out", tmp_path).exit_code == 0
    before = (tmp_path / "index.html").read_bytes()
    result = run(tmp_path / "broken.jpg", "--out", tmp_path)
    assert isinstance(result.exception, SightlineError) and "no photo could be captioned" in str(result.exception)
    assert (tmp_path / "index.html").read_bytes() == before


def test_a_page_of_somebody_elses_is_not_written_over(loaded, tmp_path):
    (tmp_path / "index.html").write_text("my garden")
    result = run(draw(tmp_path / "one.jpg"), "--out", tmp_path)
    assert isinstance(result.exception, SightlineError) and "give another --out" in str(result.exception)
    assert (tmp_path / "index.html").read_text() == "my garden"
    assert not loaded


def test_no_photo_is_written_over(loaded, tmp_path):
    photos = [tmp_path / "one.png", tmp_path / "one.jpg", tmp_path / "deep" / "ONE.jpg"]
    names = [draw(photo) for photo in photos]
    before = [photo.read_bytes() for photo in photos]
    assert run(*names, "--out", tmp_path).exit_code == 0
    assert [photo.read_bytes() for photo in photos] == before
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["ONE-4.png", "one-2.png", "one-3.png", "one.png"]


def test_names_do_not_clash():
    photos = [
        *map(FileSource, ("a/x.jpg", "b/x.jpg", "b/X.png", "x-2.jpg", "y.jpg")),
        TarSource("s.tar", "../z/y.jpg", 0, 1),
        ParquetSource("t/t.parquet", "image", 7),
    ]
    paths = sheet_paths(Path("out"), photos)
    assert list(paths) == [photo.name for photo in photos]
    names = [path.name for path in paths.values()]
    assert names == ["x.png", "x-2.png", "X-3.png", "x-2-2.png", "y.png", "y-2.png", "t-7.png"]


def test_a_folder_that_cannot_be_made_is_the_persons_mistake(loaded, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    result = run(draw(tmp_path / "one.jpg"), "--out", file)
    assert isinstance(result.exception, SightlineError) and "no folder can be made there" in str(result.exception)
    assert not loaded


@pytest.mark.parametrize("named", [["."], ["*"], ["one.jpg", "two.png", "one.png", "two-2.png"]])
@pytest.mark.parametrize("out", [".", "explained"])
def test_a_second_run_does_not_explain_the_sheets_of_the_first(loaded, tmp_path, monkeypatch, named, out):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "one.jpg")
    draw(tmp_path / "two.png")
    for again in range(2):
        result = run(*[name for name in named if glob.glob(name)], "--out", out)  # noqa: PTH207
        drawn = ["index.html: 2 photos", "one.png: a dog", "two-2.png: a dog" if out == "." else "two.png: a dog"]
        assert sorted(line.removeprefix("explained/") for line in result.stdout.splitlines()) == drawn
        # With "*" the second time, the page itself is no photo, and is told of.
        assert result.exit_code == (1 if again and (named, out) == (["*"], ".") else 0)


def test_a_photo_beside_its_sheet_is_not_written_over_though_it_was_not_named(loaded, tmp_path):
    draw(tmp_path / "one.jpg")
    draw(tmp_path / "one.png")
    before = (tmp_path / "one.png").read_bytes()
    assert run(tmp_path / "one.jpg", "--out", tmp_path).stdout.startswith(f"{tmp_path / 'one-2.png'}: a dog\n")
    assert (tmp_path / "one.png").read_bytes() == before


def test_a_photo_named_twice_is_explained_once(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "one.jpg")
    result = run("one.jpg", "./one.jpg", tmp_path / "one.jpg", ".")
    assert result.stdout.splitlines() == ["explained/one.png: a dog", "explained/index.html: 1 photo"]


def test_no_photos_at_all_are_the_persons_mistake(loaded, tmp_path):
    result = run("-", "--out", tmp_path / "out")
    assert isinstance(result.exception, SightlineError) and "no photos found" in str(result.exception)
    assert not (tmp_path / "out").exists()
