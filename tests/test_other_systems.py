"""What works where something is missing that Linux has: each test takes it away, as Windows or macOS lack it."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightline import SightlineError
from sightline.bulk import row_file
from sightline.bulk.rows import KEPT, Version
from sightline.cli import explain
from sightline.images.find import read_list
from sightline.images.source import FileSource
from sightline.model_folder import replacing, replacing_folder

# Python's own modules for processes and event loops need the rest of what POSIX alone has.
AWAY = """
import importlib, os, signal, socket, sys
from pathlib import Path

modules = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
for name in modules:
    sys.modules.pop(name, None)
names = {os: "fork register_at_fork sched_getaffinity getuid geteuid mkfifo killpg setsid statvfs chown O_NONBLOCK"}
names |= {signal: "SIGHUP SIGUSR1 SIGPIPE SIGKILL SIGQUIT pthread_sigmask", socket: "AF_UNIX SO_REUSEPORT"}
for module, listed in names.items():
    for name in listed.split():
        if hasattr(module, name):
            delattr(module, name)

import sightline
package = Path(sightline.__file__).parent
for path in package.rglob("*.py"):
    parts = path.relative_to(package).with_suffix("").parts
    if not {"nn", "training", "testing", "export", "serve", "datasource", "__main__"} & set(parts):
        importlib.import_module(".".join(("sightline", *parts)).removesuffix(".__init__"))
try:
    import fastapi
except ModuleNotFoundError:
    pass
else:
    import sightline.serve.server
from sightline.cli.main import main
main()
"""
FORBIDDEN = set('<>:"|?*\\')


def test_all_of_the_light_tier_is_imported_and_captions(photos: list[Path], tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", AWAY, "caption", str(photos[0]), "--out", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(rows.read_text(encoding="utf-8"))["caption"]


def test_the_service_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("fastapi", reason="the service is not installed: pip install '.[serve,dev]'")
    from sightline.serve import connections, server

    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(SightlineError, match="--workers 1"):
        server.listen("127.0.0.1", 0, shared=True)
    server.listen("127.0.0.1", 0, shared=False).close()
    monkeypatch.setattr(server, "_UNIX", None)
    with pytest.raises(SightlineError, match="--uds"):
        server.listen_at(tmp_path / "socket")
    monkeypatch.setattr(connections, "resource", None)
    connections.raise_file_limit()
    assert connections._most_connections() < 512


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_rows_are_finished_where_no_open_file_can_be_replaced(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    row: dict[str, Any] = {**dict.fromkeys(KEPT), "photo": "a.jpg", "caption": "a dog", "words": []}

    def closed_alone(method: Any) -> Any:
        def act(path: Path, *arguments: Any, **options: Any) -> Any:
            if rows.path in (path, *arguments) and not rows._file.closed:
                raise PermissionError(13, "in use", str(path))
            return method(path, *arguments, **options)

        return act

    monkeypatch.setattr(row_file, "_WINDOWS", True)
    with row_file.RowFile(tmp_path / name, "made by a test") as rows:
        rows.add(row, Version(1, 2))
        rows.add(row | {"caption": "a cat"}, Version(1, 3))
        for method in ("replace", "unlink"):
            monkeypatch.setattr(Path, method, closed_alone(getattr(Path, method)))
        rows.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "a cat" in text and "a dog" not in text


def test_a_file_that_is_open_elsewhere_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "The process cannot access the file", str(path))

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("before")
    for method in ("replace", "rename"):
        monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(SightlineError, match=r"file: cannot be replaced .* close it"), replacing(tmp_path / "file"):
        pass
    with (
        pytest.raises(SightlineError, match=r"folder: cannot be replaced .* close it"),
        replacing_folder(tmp_path / "folder", set(), "report"),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}
    assert (tmp_path / "file").read_text() == "before"


def test_sheets_have_names_that_windows_takes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(explain, "_WINDOWS", True)
    photos = [FileSource(name) for name in ("12:30.jpg", "what?.jpg", "what*.jpg", "con.jpg", "Lpt1.x.jpg", "icon.jpg")]
    names = [path.name for path in explain.sheet_paths(Path("out"), photos).values()]
    assert len({name.lower() for name in names}) == len(photos)
    assert not any(FORBIDDEN & set(name) for name in names)
    assert names[3:] == ["_con.png", "_Lpt1.x.png", "icon.png"]


def test_a_list_that_is_not_utf8_is_told_of(monkeypatch: pytest.MonkeyPatch):
    # On Windows names are text, and bytes that are none have no meaning.
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("utf-8"))
    with pytest.raises(SightlineError, match="UTF-8"):
        list(read_list(io.TextIOWrapper(io.BytesIO(b"caf\xe9.jpg\n"))))
