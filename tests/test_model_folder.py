import json
import os
import stat
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.model_folder import ModelConfig, replacing, replacing_folder

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


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
@pytest.mark.parametrize(("umask", "file_mode", "folder_mode"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)])
def test_files_and_folders_have_the_permissions_of_the_umask(umask, file_mode, folder_mode, tmp_path):
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "new.txt") as path:
            path.unlink()  # as a library that writes to a name of its own and renames
            path.write_text("new")
        with replacing_folder(tmp_path / "new", {"a"}, "report"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == file_mode
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == folder_mode


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_what_was_private_stays_private(file, folder):
    before = os.umask(0o022)
    try:
        for mode, replaced in ((0o600, 0o600), (0o640, 0o640), (0o666, 0o644)):
            file.chmod(mode)
            with replacing(file) as path:
                path.write_text("new")
            assert stat.S_IMODE(file.stat().st_mode) == replaced
        folder.chmod(0o700)
        with replacing_folder(folder, {"a"}, "report"):
            pass
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


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


@pytest.mark.parametrize(
    "ranges",
    [
        [1, 2],
        {"a": 1},
        {"a": [1, 2]},
        {"a": [[0, 1]]},
        {"a": [[0, 1], [0, "x"]]},
        {"a": [[0, 1], [1, 2]]},
        {"a": [[float("nan"), 1], [0, 1]]},
    ],
)
def test_ranges_of_activations_that_are_none_are_a_line(ranges, tiny_run, tmp_path):
    content = json.loads((tiny_run / "config.json").read_text()) | {"activation_ranges": ranges}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(SightlineError, match="not a model's configuration"):
        ModelConfig.load(tmp_path / "config.json")
