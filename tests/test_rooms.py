"""The package's rooms, and that each imports only what CONTRIBUTING lets it: arrows go down, none in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import sightline

PACKAGE = Path(sightline.__file__).parent
ROOT = Path(__file__).parents[1]
RUNTIME = "light runtime"
TOP = {
    *("__init__", "__main__", "_version", "caption", "captioner", "model_folder", "sessions"),
    *("errors", "plugins", "preprocess", "registry", "scripts", "vocabulary"),
}
# `sightline.score`, `sightline.train` and the like: named for type checkers, loaded when asked for.
LAZY = {("sightline", f"sightline.{name}") for name in ("data.dataset", "evaluation.api")}
LAZY |= {("sightline", f"sightline.training.{name}") for name in ("recipe", "train")}
BELOW = {"images"}  # what the runtime itself stands on
BASE = {"sightline.errors"}  # what every file may import


def rooms_of_contributing() -> dict[str, set[str]]:
    """Room -> the rooms it may import, read from CONTRIBUTING's table."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `(\w+)/` \|[^|]*\|([^|]*)\|$", text, re.MULTILINE)
    return {room: set(re.findall(r"`(\w+)/`", allowed)) for room, allowed in rows}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(("sightline", *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


def room(module: str) -> str:
    parts = module.split(".")[1:]
    if parts == ["__main__"]:  # another door to the command
        return "cli"
    return parts[0] if parts and (PACKAGE / parts[0]).is_dir() else RUNTIME


def imports(path: Path, known: dict[str, Path], anywhere: bool) -> Iterator[str]:
    """Modules that a file imports when it is loaded or type-checked; ``anywhere``: or when its functions run."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if anywhere else _at_once(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inner)


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _at_once(child)


def test_at_the_top_lies_the_light_runtime_and_nothing_else():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= TOP
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(rooms_of_contributing())


def test_rooms_import_only_what_they_may():
    known, allowed = modules(), rooms_of_contributing()
    wrong = []
    for module, path in known.items():
        # The runtime may show a caption by what draws it, once asked, but never loads that itself.
        anywhere = room(module) != RUNTIME
        for imported in imports(path, known, anywhere):
            here, there = room(module), room(imported)
            may = {here, *BELOW} if here in {RUNTIME, *BELOW} else {here, RUNTIME, *BELOW, *allowed[here]}
            if there not in may and imported not in BASE and (module, imported) not in LAZY:
                wrong.append(f"{module} -> {imported}")
    assert not wrong


def test_what_rooms_may_import_lies_below_them():
    order = list(TopologicalSorter(rooms_of_contributing()).static_order())
    assert set(order[-2:]) == {"cli", "testing"}


def test_no_file_imports_itself_through_others():
    known = modules()
    graph = {module: set(imports(path, known, anywhere=False)) - {module} for module, path in known.items()}
    for package in [name for name, path in known.items() if path.name == "__init__.py"]:
        # `from sightline import __version__` reads a constant of the package that is being loaded.
        graph = {module: needed - {package} for module, needed in graph.items()}
    TopologicalSorter(graph).prepare()
