import json
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


def test_the_papers_table_has_the_recorded_scores_of_this_projects_rows():
    text = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[([\w-]+)\]\(results\.md\).*?\|(.+)\|$", text, re.MULTILINE)
    assert len(rows) == 5
    for name, cells in rows:
        record = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
        shown = dict(zip(["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "CIDEr"], cells.split("|"), strict=True))
        for score, cell in shown.items():
            expected = []
            if score in record["scores"]:
                low, high = record["intervals"].get(score, (0, 0))
                expected = [f"{100 * record['scores'][score]:.1f}", *([f"{50 * (high - low):.1f}"] if high else [])]
            assert re.findall(r"[\d.]+", cell) == expected, (name, score)
