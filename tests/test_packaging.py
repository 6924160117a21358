"""What the files that describe the project say of it: each fact stands once, or is the same wherever it stands."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from tools.absolute_links import absolute

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.MULTILINE)


def test_type_checkers_of_others_read_the_package():
    assert resources.files("sightline").joinpath("py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["sightline"]


def test_the_version_stands_once():
    assert "version" in PROJECT["project"]["dynamic"] and "version" not in PROJECT["project"]
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_lowest_python_is_the_first_that_is_named():
    lowest = PYTHONS[0]
    assert PROJECT["project"]["requires-python"] == f">={lowest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == lowest


def test_readme_of_the_packages_has_absolute_links():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = absolute(readme, "owner/name", "c0ffee")
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert len(targets) == len(re.findall(r"\]\(", readme)) > 20
    there = [target.removeprefix("https://github.com/owner/name/blob/c0ffee/") for target in targets]
    there = [target.removeprefix("https://raw.githubusercontent.com/owner/name/c0ffee/") for target in there]
    assert all((ROOT / path).is_file() for path in there), there
    assert text.count("raw.githubusercontent.com") == readme.count("![") > 0


def test_the_hook_is_the_ruff_that_tests_run():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    (revision,) = [hook["rev"] for hook in hooks if hook["repo"].endswith("ruff-pre-commit")]
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert revision == f"v{pins['ruff']}"


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))["jobs"]


def test_workflows_try_every_python_that_is_named():
    tests, packages = workflow("tests"), workflow("packages")
    assert tests["make"]["strategy"]["matrix"]["python"] == PYTHONS
    assert packages["install"]["strategy"]["matrix"]["python"] == PYTHONS
    assert tests["windows"]["strategy"]["matrix"]["python"] == [PYTHONS[0], PYTHONS[-1]]
    lowest = [step.get("with", {}).get("python-version") for step in tests["lowest"]["steps"]]
    assert PYTHONS[0] in lowest


def test_where_there_is_no_make_the_same_is_installed_and_run():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (arguments,) = re.findall(r"^PYTEST := .* -m pytest -n \$\(PROCESSES\) (.*)$", makefile, re.MULTILINE)
    (installed,) = re.findall(r'--editable "(\.\[.*dev\])"$', makefile, re.MULTILINE)
    lines = [step.get("run", "") for step in workflow("tests")["windows"]["steps"]]
    assert any(line.endswith(f'--editable "{installed}"') for line in lines)
    assert any(line.startswith("python -m pytest") and line.endswith(arguments) for line in lines)


def test_no_regular_expression_has_a_possessive_group():
    """Python 3.11.0 to 3.11.4 matches some of them wrongly (python/cpython#106052)."""
    possessive = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text("utf-8").splitlines()
        if possessive.search(line)
    ]
    assert not found
