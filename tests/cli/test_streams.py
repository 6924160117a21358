"""What is printed, and how the command ends, whatever its streams are connected to."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.errors import printable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="made of what Linux has")

COMMAND = [sys.executable, "-m", "sightline"]
TRAPS = "e\U0001f600\x1b[31m\n\x9b\u202ex"


def shell(line: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``line``, in which ``"$@"`` is the command with its arguments."""
    command = ["bash", "-c", line, "bash", *COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, env=os.environ | environment)


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line on stderr; status 1."""
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.decode().splitlines()
    return line


def on_terminal(*arguments: object, then: str = "") -> tuple[int, str]:
    """Exit status and what a terminal is sent."""
    pid, terminal = pty.fork()
    if not pid:
        os.execvp("bash", ["bash", "-c", f'"$@" {then}', "bash", *COMMAND, *map(str, arguments)])
    told = b""
    try:
        while some := os.read(terminal, 1 << 16):
            told += some
    except OSError:  # Linux's way to say that the other side has closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), told.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def odd(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / f"{TRAPS}.png"
    path.write_bytes(photos[0].read_bytes())
    return path


@pytest.mark.parametrize("verb", [["info"], ["caption", "PHOTO"]])
@pytest.mark.parametrize(("to", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_a_stdout_that_takes_nothing_is_told_in_one_line(tiny_bundle, photos, verb, to, why):
    arguments = [photos[0] if word == "PHOTO" else word for word in verb]
    done = shell(f'"$@" {to}', *arguments, "--model", tiny_bundle)
    assert complaint(done) == f"sightline: stdout cannot be written to ({why}); send it elsewhere: > FILE"


@pytest.mark.parametrize("to", ["2>&-", "2>/dev/full"])
def test_without_stderr_captioning_goes_on(sightline, tiny_bundle, photos, to):
    arguments = ["caption", photos[0], "absent.jpg", photos[1], "--model", tiny_bundle]
    done = shell(f'"$@" {to}', *arguments)
    assert (done.returncode, done.stdout.decode()) == (1, sightline(*arguments).out)


def test_a_list_from_a_closed_stdin_is_told_of(tiny_bundle):
    assert complaint(shell('"$@" <&-', "caption", "-", "--model", tiny_bundle)).startswith(
        "sightline: -: stdin is clos"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_a_pipe_gets_names_as_they_are_where_its_encoding_has_them(tiny_bundle, odd, encoding):
    done = shell('"$@"', "caption", odd, "--model", tiny_bundle, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(str(odd).encode(encoding, "backslashreplace") + b": ")


def test_a_terminal_is_never_given_what_it_would_obey(tiny_bundle, odd):
    escaped = r"e😀\x1b[31m\n\x9b\u202ex"
    status, told = on_terminal("caption", f"{TRAPS}.jpg", odd, "--model", tiny_bundle)
    error, caption, summary = told.splitlines()
    assert status == 1
    assert caption.startswith(f"{odd.parent / escaped}.png: ")
    assert error == f"sightline: {escaped}.jpg: no such file"
    assert summary.startswith("1 photo captioned in ") and summary.endswith(" a second; 1 failed")
    status, told = on_terminal("caption", odd, "--json", "--model", tiny_bundle)
    assert json.loads(told.splitlines()[0])["photo"] == str(odd)


def test_what_is_printable_stays_as_it_is():
    line = "a\tb ü 犬 👩\u200d🚀 \\n"
    assert printable(line) == line


def test_no_progress_sticks_to_lines_that_come_to_the_terminal_through_a_pipe(tiny_bundle, photos):
    _, told = on_terminal("caption", *photos * 20, "--model", tiny_bundle, then="| cat")
    assert "captioning" not in told
    lines = [line for line in told.splitlines() if "photos captioned in" not in line]
    assert len(lines) == 140 and all(line.startswith(f"{photos[0].parent}/") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_whoever_asks_it_to_end_gets_whole_lines_and_a_status(tiny_bundle, photos, asked, status, unbuffered):
    process = subprocess.Popen(
        [*COMMAND, "caption", "--json", *map(str, photos * 100), "--model", str(tiny_bundle)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(asked, signal.SIG_DFL),
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    first = process.stdout.readline()
    time.sleep(0.5)  # until the pipe is full, and a line is being written
    process.send_signal(asked)
    rest, told = process.stdout.read(), process.stderr.read()
    assert (process.wait(60), told.decode().strip()) == (status, "sightline: interrupted")
    assert rest.endswith(b"\n") and all(json.loads(line) for line in [first, *rest.splitlines()])


@pytest.mark.slow
def test_an_interrupted_explain_leaves_a_page_of_what_it_finished_and_nothing_half_done(tiny_bundle, photos, tmp_path):
    many = [tmp_path / f"{number}.png" for number in range(200)]
    for path in many:
        path.write_bytes(photos[0].read_bytes())
    process = subprocess.Popen(
        [*COMMAND, "explain", *map(str, many), "--out", str(tmp_path / "out"), "--model", str(tiny_bundle)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.decode().strip()) == (143, "sightline: interrupted")
    assert not list((tmp_path / "out").glob(".*"))
    shown = (tmp_path / "out" / "index.html").read_text().count("<article>")
    assert 2 <= shown <= len(list((tmp_path / "out").glob("*.png"))) < 200


def drop_privileges() -> None:
    """As root, become subject to permissions: give up the capabilities that override them."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.mark.parametrize(
    "verb",
    [
        ["info", "--model", "locked/model"],
        ["caption", "locked"],
        ["caption", "locked/*.png"],
        ["caption", "locked/photo.png"],
        ["explain", "PHOTO", "--out", "locked/out"],
        ["compare", "locked/a", "locked/b"],
        ["score", "--hypotheses", "locked/a", "--references", "locked/b"],
        ["evaluate", "--data", ".", "--split", "val", "--out", "locked/out"],
        ["data", "shapes", "locked/shapes"],
    ],
)
def test_a_folder_that_may_not_be_entered_is_one_line(verb, photos, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "photo.png").write_bytes(photos[0].read_bytes())
    locked.chmod(0)
    arguments = [str(photos[0]) if word == "PHOTO" else word for word in verb]
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, cwd=tmp_path, preexec_fn=drop_privileges, timeout=60
    )
    locked.chmod(0o700)
    told = complaint(done)
    assert told.startswith("sightline: locked") and ("ermission denied" in told or "no such file" in told)


def limit_files(size: int) -> Callable[[], None]:
    """A limit on what may be written to one file, which fails as a full disk does."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("verb", [["explain", "PHOTO", "--out", "out"], ["data", "shapes", "out"]])
def test_a_disk_that_is_full_is_one_line_and_leaves_nothing_half_done(verb, tiny_bundle, photos, tmp_path):
    arguments = [str(photos[0]) if word == "PHOTO" else word for word in verb]
    model = ["--model", str(tiny_bundle)] if verb[0] == "explain" else []
    done = subprocess.run(
        [*COMMAND, *arguments, *model], capture_output=True, cwd=tmp_path, preexec_fn=limit_files(2000), timeout=60
    )
    told = complaint(done)
    assert told.startswith("sightline: out") and "cannot be written (File too large)" in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
