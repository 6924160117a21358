import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def check() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "results.py"], capture_output=True, text=True, check=False
    )


def test_the_table_of_results_says_what_was_recorded():
    done = check()
    assert done.returncode == 0, done.stderr


def test_every_recipe_of_the_table_exists():
    recipes = re.findall(r"`(recipes/[\w.]+)", (ROOT / "docs" / "results.md").read_text())
    assert recipes
    assert all((ROOT / recipe).is_file() for recipe in recipes)
