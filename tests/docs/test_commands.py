"""Every command in README and docs is one that works, and every block of Python is Python.

All are parsed as the command line parses them, a training's recipe and settings included. Those that need neither a
network nor a server nor a training are run, page by page, in a folder that has what the pages speak of. The stages of
docs/training.md are run on the drawn shapes with a small encoder; what docs/own_photos.md does, by tests/training/.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from doctest import script_from_examples
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from PIL import Image
from tools.docs_site.blocks import Block, parts

from sightline.captioner import BUNDLED_MODEL
from sightline.cli.main import app
from sightline.shapes.draw import draw_shapes

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# Commands of other programs, whose arguments are theirs.
OTHERS = {"curl", "docker", "find", "hf", "label-studio", "fiftyone", "torchrun"}
# Verbs that are quick, and are run; with these words on the line, not even they are: a network, a cluster.
RUN = {"caption", "explain", "alt", "info", "evaluate", "score", "compare", "data check", "data shapes", "data shards"}
ELSEWHERE = re.compile(r"\s(https|s3|hf)://|--engine|\.\.\.")


class Command(NamedTuple):
    """A command in a page: the line as it is written, and its words up to a pipe, a semicolon or a redirection."""

    page: Path
    number: int
    line: str
    words: tuple[str, ...]


def commands() -> Iterator[Command]:
    for page in PAGES:
        for part in parts(page.read_text(encoding="utf-8")):
            if isinstance(part, Block) and part.language == "sh":
                joined = "\n".join(part.lines).replace("\\\n", " ")
                for offset, line in enumerate(joined.split("\n")):
                    if line.startswith("sightline: "):  # what a command answers
                        continue
                    for words in _commands_of(line):
                        yield Command(page, part.number + offset, line, words)


def _commands_of(line: str) -> Iterator[tuple[str, ...]]:
    lexer = shlex.shlex(re.sub(r" > \S+", "", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("|&;<>"):
            words.append(word)
            continue
        while words and re.match(r"[A-Z_]+=", words[0]):  # what the environment is given
            words.pop(0)
        if words and "sightline" in words[1:] and words[0] in {"torchrun", "python"}:
            words = words[words.index("sightline") :]
        if words:
            yield tuple(words)
        words = []


COMMANDS = list(commands())
OURS = [command for command in COMMANDS if command.words[0] == "sightline"]


def name(command: Command) -> str:
    return f"{command.page.name}:{command.number}"


def verb_of(words: tuple[str, ...]) -> tuple[str, click.Command, list[str]]:
    """The verb's name, the verb, and its arguments; what stands for something else (`...`, `[...]`) is left out."""
    group, names = app, []
    arguments = [word.strip("[]") for word in words[1:] if word.strip("[].")]
    if "--plugin" in arguments:  # a file that the page shows, tried by the tests of plugins
        del arguments[(place := arguments.index("--plugin")) : place + 2]
    while isinstance(group, click.Group):
        names.append(arguments.pop(0))
        assert names[-1] in group.commands, f"there is no `sightline {' '.join(names)}`"
        group = group.commands[names[-1]]
    return " ".join(names), group, arguments


def without(arguments: list[str], line: str) -> list[str]:
    """Options whose value the page leaves out are left out, too."""
    return [word for word in arguments if f"{word} [...]" not in line]


def test_there_are_commands_to_try():
    assert len(OURS) > 40


@pytest.mark.parametrize("command", OURS, ids=map(name, OURS))
def test_the_command_line_takes_it(command: Command):
    verb, parser, arguments = verb_of(command.words)
    try:
        parsed = parser.make_context(verb, without(arguments, command.line))
    except click.MissingParameter:
        assert "..." in command.line
        return
    if verb == "train" and "--plugin" not in command.words:
        check_recipe(parsed)


def check_recipe(context: click.Context) -> None:
    """The recipe is there, or made by somebody who reads the page (RECIPE), and has the options that are set."""
    from sightline.training.recipe import further_recipe, load_recipe

    recipe, settings = context.params["recipe"], context.params["overrides"]
    if recipe and recipe.suffix:
        load_recipe(ROOT / recipe, settings)
    elif settings:
        further_recipe(BUNDLED_MODEL, settings)


@pytest.mark.parametrize("command", COMMANDS, ids=map(name, COMMANDS))
def test_what_it_names_is_there(command: Command):
    program, *arguments = command.words
    if program == "python" and arguments[0] != "-m":
        script = (ROOT / arguments[0]).read_text(encoding="utf-8")
        assert all(word in script for word in arguments if word.startswith("--"))
    elif program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = re.findall(r"\[([\w,]+)\]", command.line)
        assert {extra for names in named for extra in names.split(",")} <= set(project["optional-dependencies"])
    else:
        assert program in OTHERS | {"sightline", "python"}, f"a program that this test does not know: {program}"


def test_every_target_of_make_is_there():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8"))}
    assert named and named <= set(targets)


def python_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for part in parts(page.read_text(encoding="utf-8")):
            if isinstance(part, Block) and part.language == "python":
                yield f"{page.name}:{part.number}", "\n".join(part.lines)


PYTHON = dict(python_blocks())


@pytest.mark.parametrize("place", PYTHON)
def test_python_is_python(place: str):
    block = PYTHON[place]
    ast.parse(script_from_examples(block) if block.startswith(">>> ") else block)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: photos, a site, datasets of drawn shapes, a model, captions."""
    folder = tmp_path_factory.mktemp("docs") / "template"
    photo = next((ROOT / "src/sightline/serve/page/examples").glob("*.jpg"))
    for path in ("photo.jpg", "dog.jpg", "holiday/1.jpg", "site/a.jpg"):
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(photo, folder / path)
    (folder / "more").mkdir()
    with Image.open(photo) as image:
        image.save(folder / "more" / "2.png")
    (folder / "site" / "index.html").write_text('<p>A dog</p><img src="a.jpg" width="300" height="200">')
    for data in ("flickr8k", "mine", "photos", "flickr8k-cn", "DATA"):
        draw_shapes(folder / data, 40)
    shutil.copytree(BUNDLED_MODEL, folder / "model")
    (folder / "captions.json").write_text('{"1.jpg": ["a dog runs"]}')
    (folder / "references.json").write_text('{"1.jpg": ["a dog is running", "the dog runs"]}')
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in a folder of their own, whose files are the template's: none is ever written into."""
    shutil.copytree(template, tmp_path / "docs", copy_function=os.link)
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path / "docs"


def runnable(command: Command) -> bool:
    return verb_of(command.words)[0] in RUN and not ELSEWHERE.search(command.line.partition(" #")[0])


def run(command: Command, sightline: Callable[..., Any], *more: str) -> None:
    """Run a command of a page; a pipe by the shell."""
    verb, _, arguments = verb_of(command.words)
    if "|" in command.line:
        if os.name == "posix":
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            subprocess.run(["sh", "-c", command.line], env=os.environ | {"PATH": path}, check=True)
        return
    model = Path(dict(pairwise(arguments)).get("--model", "model"))
    if not model.exists():  # what the page has trained
        shutil.copytree("model", model, copy_function=os.link)
    quick = {"evaluate": ["--no-meteor"], "score": ["--no-meteor"], "data shapes": ["--photos", "40"]}
    done = sightline(*verb.split(), *arguments, *quick.get(verb, []), *more)
    # `alt --check` finds what it looks for, and tells so by its status.
    assert done.status == ("--check" in arguments), f"{name(command)}: {command.line}\n{done.err}"


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({c.page for c in OURS if runnable(c)}), ids=lambda page: page.name)
def test_quick_commands_run_one_after_the_other(page: Path, folder: Path, sightline: Callable[..., Any]):
    for command in OURS:
        if command.page == page and runnable(command):
            run(command, sightline)


# A small encoder, trained from scratch, in place of those whose weights are downloaded; a training takes a second then.
SMALL = (
    *("encoder.name=small_cnn", "encoder.weights=none", "encoder.trainable=true", "encoder.frozen_blocks=0"),
    *("encoder.projection=32", "decoder.hidden_size=32", "decoder.embedding_size=32", "decoder.attention_size=32"),
)


@pytest.mark.slow
def test_the_stages_of_a_training_run_on_the_drawn_shapes(
    folder: Path, sightline: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    training = import_module("sightline.training.train")
    from sightline.export.agreement import Agreement
    from sightline.export.export import Export

    exported = Export(Path("model.onnx"), "fp32", 0, 1, Agreement(1, 1, 0, 0, 0.0, 0.0))
    monkeypatch.setattr(training, "export_into", lambda out: exported)  # which has its own tests, and takes long
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    for command in OURS:
        if command.page.name == "training.md" and "train" in command.words:
            settings = ("training.epochs=1", *(() if "--resume" in command.words else SMALL))
            run(command, sightline, "--quiet", *(word for setting in settings for word in ("--set", setting)))
