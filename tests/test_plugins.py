"""Parts register themselves: in the package, from an installed package, from a file; and nothing else is executed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import plugins
from sightline.errors import SightlineError
from sightline.plugins import ENVIRONMENT, Origin, load_named, load_plugin
from sightline.registry import Registry, make, parameters

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "plugins"
PART = """
from tests.test_plugins import PARTS

@PARTS.register({name!r})
def part(width: int = 3) -> int:
    return 2 * width
"""

# Of no package's modules: those of `sightline.shapes` register nothing.
PARTS: Registry[object] = Registry("part", "parts", "sightline.shapes")


@pytest.fixture(autouse=True)
def scratch(monkeypatch, tmp_path):
    """Registrations and the environment as they were; `PARTS` of the module that plugins import."""
    from tests.test_plugins import PARTS as imported

    monkeypatch.setenv(ENVIRONMENT, "")
    for name, empty in (("_files", {}), ("_packages", {}), ("_registering", [])):
        monkeypatch.setattr(plugins, name, empty)
    for name in ("_parts", "_modules"):
        monkeypatch.setattr(imported, name, {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    plugins.entry_points.cache_clear()
    yield
    plugins.entry_points.cache_clear()


def write_part(path: Path, name: str = "mine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PART.format(name=name))
    return path


def test_a_file_registers_its_parts_here_and_in_processes_started_later(tmp_path, monkeypatch):
    file = write_part(tmp_path / "Ünï côde" / "mine.py")
    assert "mine" not in PARTS
    load_plugin(file)
    assert make(PARTS["mine"], {"height": 1}, {"width": 4}) == 8 and list(PARTS) == ["mine"]
    assert PARTS.origin("mine") == Origin(file="mine.py")
    assert os.environ[ENVIRONMENT] == str(file) and plugins.sources()[-1] == str(file)
    load_plugin(file)
    load_named()
    assert os.environ[ENVIRONMENT] == str(file)


def test_another_process_loads_what_the_environment_names(tmp_path, monkeypatch):
    files = [write_part(tmp_path / f"{name}.py", name) for name in ("one", "two")]
    monkeypatch.setenv(ENVIRONMENT, os.pathsep.join(map(str, files)))
    assert "two" in PARTS and list(PARTS) == ["one", "two"]


def install(folder: Path, module: str, entries: str) -> None:
    """A package as pip leaves it, with entry points."""
    facts = folder / "mine-1.2.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.2\n")
    (facts / "entry_points.txt").write_text(f"[sightline.parts]\n{entries}\n")
    (folder / "mine_package.py").write_text(module)
    sys.path.insert(0, str(folder))


def test_an_installed_package_is_imported_when_its_part_is_asked_for(tmp_path):
    install(tmp_path, PART.format(name="mine"), "mine = mine_package")
    assert list(PARTS) == ["mine"] and "mine_package" not in sys.modules
    try:
        assert PARTS["mine"] is sys.modules["mine_package"].part
        assert PARTS.origin("mine") == Origin("mine", "1.2")
    finally:
        del sys.modules["mine_package"]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nothing_of_this_name", r"mine of the package mine 1\.2: cannot be loaded \(ModuleNotFoundError: .*\)"),
        ("", r"mine_package: registers no part 'mine', as its entry point says"),
    ],
)
def test_a_package_that_does_not_work_is_named(module, said, tmp_path):
    install(tmp_path, module, "mine = mine_package")
    with pytest.raises(SightlineError, match=said):
        PARTS["mine"]
    sys.modules.pop("mine_package", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"--plugin .*mine\.py: there is no such file"),
        ("x = 1\n\n1 / 0\n", r"mine\.py, line 3: cannot be loaded \(ZeroDivisionError: .*\); mend it"),
        ("def f(:\n", r"mine\.py, line 1: cannot be loaded \(SyntaxError: "),
        ("x = 1\n", r"mine\.py: registers nothing; docs/plugins\.md shows"),
    ],
)
def test_a_file_that_does_not_work_is_one_line(text, said, tmp_path):
    file = tmp_path / "mine.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SightlineError, match=said) as refused:
        load_plugin(file)
    assert "\n" not in str(refused.value) and os.environ[ENVIRONMENT] == ""


def test_a_folder_is_no_plugin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (".", "..", tmp_path):
        with pytest.raises(SightlineError, match="a folder; name a file in it"):
            load_plugin(folder)


def test_a_file_that_is_mended_is_loaded_again(tmp_path):
    file = write_part(tmp_path / "mine.py")
    file.write_text(f"{file.read_text()}\n1 / 0\n")
    with pytest.raises(SightlineError, match="ZeroDivisionError"):
        load_plugin(tmp_path / "mine.py")
    load_plugin(write_part(tmp_path / "mine.py"))
    assert "mine" in PARTS


def test_a_name_belongs_to_one_module(tmp_path):
    load_plugin(write_part(tmp_path / "mine.py"))
    with pytest.raises(SightlineError, match=r"part 'mine' of other\.py: mine\.py has one of that name"):
        load_plugin(write_part(tmp_path / "other.py"))
    PARTS.register("again")(write_part)
    PARTS.register("again")(install)  # as when a cell of a notebook runs again
    assert PARTS["again"] is install


def test_what_lies_beside_a_plugin_is_found_and_replaces_nothing(tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError")
    (tmp_path / "helps_the_plugin.py").write_text("WIDTH = 5")
    file = write_part(tmp_path / "mine.py")
    file.write_text("import json, helps_the_plugin\n" + file.read_text())
    load_plugin(file)
    assert sys.path[-1] == str(tmp_path) and "mine" in PARTS
    del sys.modules["helps_the_plugin"]


def test_an_unknown_name_lists_those_there_are():
    PARTS.register("first")(install)
    with pytest.raises(SightlineError, match=r"'second' is none of first; a plugin's: give its file by --plugin"):
        PARTS["second"]


def test_annotations_are_evaluated():
    def part(a: int, *rest: int, b: str = "x", **others: int) -> None: ...

    assert {name: each.annotation for name, each in parameters(part).items()} == {"a": int, "b": str}

    def absent(a: Nowhere) -> None: ...  # noqa: F821

    with pytest.raises(SightlineError, match="absent: name 'Nowhere' is not defined in an annotation"):
        parameters(absent)


@pytest.mark.parametrize("name", ["x; rm -rf ~", "--index-url=x", "../mine", "", "a" * 101, 7, None])
def test_what_a_strangers_model_says_is_shown_only_if_it_is_a_name(name):
    assert Origin.from_dict({"package": name, "file": name}) == Origin()
    assert Origin.from_dict("evil") == Origin()


def test_a_model_folder_causes_no_file_to_be_executed(tiny_run, tmp_path):
    from sightline.nn.model_files import load_model

    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    for name in ("evil.py", "evil/__init__.py", "sitecustomize.py"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    config = json.loads((run / "config.json").read_text())
    for origin, advice in (({"file": "evil.py"}, "it is of evil.py"), ({"package": "evil"}, "pip install evil")):
        config |= {"encoder": "evil", "plugins": {"encoder evil": origin}}
        (run / "config.json").write_text(json.dumps(config))
        with pytest.raises(SightlineError, match=f"run: its encoder 'evil' is not registered here; .*{advice}"):
            load_model(run)
    assert not (tmp_path / "executed").exists()


def test_the_encoder_of_the_docs_is_one(tmp_path, monkeypatch):
    from sightline.nn.encoder import ENCODERS
    from sightline.testing import check_encoder

    assert "mine" not in ENCODERS
    for name in ("_parts", "_modules"):
        monkeypatch.setattr(ENCODERS, name, dict(getattr(ENCODERS, name)))
    shown = re.search(r"```python\n(.*?)```", (ROOT / "docs/plugins.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.py").write_text(shown[1])
    load_plugin(tmp_path / "mine.py")
    check_encoder("mine", width=16)


# Run in a process of its own, in an empty folder, where the examples are installed or their files are named.
WORK = """
import sys
import pytest
from pathlib import Path
from sightline.cli.main import main

examples, how, *files = sys.argv[1:]
named = [argument for file in files for argument in ("--plugin", file)]

def run(*arguments):
    sys.argv = ["sightline", *map(str, arguments)]
    try:
        main()
    except SystemExit as exited:
        assert not exited.code, arguments

Path("tiny.yaml").write_text('''
encoder: {name: patches, weights: none, trainable: true, options: {width: 16, layers: 1}}
decoder: {name: bag, hidden_size: 16}
vocabulary: {min_count: 1}
training: {batch_size: 8, epochs: 1, learning_rate: 0.01, objective: focal, objective_options: {gamma: 1.0},
           monitor: repeated words}
''')
run("data", "shapes", "shapes", "--photos", 30)
run("train", "--recipe", "tiny.yaml", "--data", "shapes", "--out", "run", "--quiet", *named)
run("caption", "shapes/Images/shapes-00008.png", "--model", "run", "--write", "markdown", *named)
if how == "files":
    sys.exit()
penalties = "training.penalties={repetition: {weight: 0.5, within: 2}, break_off: 0.1}"
rewards = ("--set", "training.objective=self_critical", "--set", penalties, "--set", "training.epochs=1")
run("train", "--init", "run", "--data", "shapes", "--out", "further", "--quiet", *rewards, *named)
run("export", "run", "--out", "bundle", *named)
assert pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"{examples}/test_parts.py"]) == 0
"""


def in_a_process(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def parts_of(folder: Path, run: str, done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What a run's configuration says of its plugins, once all was done."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "shapes/Images/shapes-00008.png.md").read_text().startswith("![")
    config = json.loads((folder / run / "config.json").read_text())
    assert config["encoder_options"] == {"width": 16, "layers": 1}
    return config["plugins"]


@pytest.mark.slow
def test_the_examples_as_an_installed_package(tmp_path):
    source, site = shutil.copytree(EXAMPLES, tmp_path / "source"), tmp_path / "site"
    installing = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", site)
    done = in_a_process(tmp_path, *installing, source)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    work = in_a_process(tmp_path, "-c", WORK, source, "installed", PYTHONPATH=path)
    package = {"package": "sightline-examples", "version": "0.1.0"}
    expected = dict.fromkeys(["encoder patches", "decoder bag", "penalty repetition"], package)
    assert parts_of(tmp_path, "further", work) == expected


@pytest.mark.slow
def test_the_examples_as_files_and_what_is_said_without_them(tmp_path, sightline):
    files = sorted((EXAMPLES / "sightline_examples").glob("[a-z]*.py"))
    work = in_a_process(tmp_path, "-c", WORK, EXAMPLES, "files", *files)
    named = {"encoder patches": "encoder.py", "decoder bag": "decoder.py", "objective focal": "objective.py"}
    assert parts_of(tmp_path, "run", work) == {part: {"file": file} for part, file in named.items()}
    photo = tmp_path / "shapes/Images/shapes-00008.png"
    done = sightline("caption", photo, "--model", tmp_path / "run")
    assert (done.status, done.err) == (0, "")
    for verb in (
        ("export", tmp_path / "run", "--out", tmp_path / "b"),
        ("train", "--init", tmp_path / "run", "--data", tmp_path / "shapes", "--out", tmp_path / "x"),
        ("train", "--resume", "--data", tmp_path / "shapes", "--out", tmp_path / "run"),
    ):
        done = sightline(*verb)
        assert done.status == 1 and done.err.count("\n") == 1
        assert "its encoder 'patches' is not registered here; it is of encoder.py: give that file" in done.err
