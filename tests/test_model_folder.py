from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.model_folder import replacing, replacing_folder

TEXT = "new " * 1000


@pytest.fixture
def file(tmp_path):
    (path := tmp_path / "größe 1.txt").write_text("old")
    return path


@pytest.fixture
def folder(tmp_path):
    (folder := tmp_path / "größe 1").mkdir()
    (folder / "a").write_text("old")
    return folder


def test_a_full_disk_is_one_line_and_the_old_file_stays(file, disk_full):
    with pytest.raises(SightlineError, match=r"größe 1\.txt: cannot be written \(.+\); make room"), disk_full(100):  # noqa: SIM117
        with replacing(file) as path:
            path.write_text(TEXT)
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_is_one_line_and_the_old_folder_stays(folder, disk_full):
    with pytest.raises(SightlineError, match=r"größe 1: cannot be written \(.+\); make room"), disk_full(100):  # noqa: SIM117
        with replacing_folder(folder, {"a"}, "report") as new:
            (new / "a").write_text(TEXT)
    assert (folder / "a").read_text() == "old"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_place_where_nothing_can_be_written_is_named(file):
    with pytest.raises(SightlineError, match="cannot be written"), replacing(file / "under a file"):
        pass
    (folder := file.parent / "folder").mkdir()
    with pytest.raises(IsADirectoryError), replacing(folder) as path:
        path.write_text(TEXT)
    assert {path.name for path in file.parent.iterdir()} == {file.name, "folder"}


@pytest.mark.parametrize("moment", [1, 2])
def test_the_old_folder_survives_an_interruption_while_places_are_changed(folder, moment, monkeypatch):
    rename, calls = Path.rename, []

    def interrupted(self, target):
        calls.append(target)
        if len(calls) == moment:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder, {"a"}, "report") as new:
        (new / "a").write_text(TEXT)
    assert (folder / "a").read_text() == "old"
