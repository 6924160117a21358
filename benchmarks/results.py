"""The table of results on Flickr8k: from recorded files to docs/results.md, and the check that both say the same.

    python benchmarks/results.py --record NAME --run RUN --report REPORT   keep a row: scores, recipe and time
    python benchmarks/results.py --write                                   write the table anew
    python benchmarks/results.py                                           check it; status 1 if it says otherwise

RUN is a training's folder, REPORT what `sightline evaluate` wrote of it; both end in benchmarks/results/NAME.json. An
ensemble was not trained: leave out --run.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- table: benchmarks/results.py --write -->\n", "<!-- end of table -->\n"
SCORES = ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr")


def record(name: str, run: Path | None, report: Path, recipe: str, what: str, conditions: str) -> None:
    """Keep what a row of the table rests on."""
    evaluation = json.loads((report / "scores.json").read_text())
    seconds = epoch_seconds(run) if run else []
    training = evaluation["model"]["training"]
    row = {
        "what": what,
        "recipe": recipe,
        "init": training["init"] if run else None,
        "split": evaluation["split"],
        "beam_size": evaluation["beam_size"],
        "length_penalty": evaluation["length_penalty"],
        "precision": evaluation["model"]["precision"],
        "epochs": len(seconds),
        "kept_epoch": training["kept_epoch"],
        "training_seconds": round(sum(seconds)),
        "conditions": conditions,
        "scores": {score: evaluation["scores"][score] for score in SCORES},
        "intervals": {score: evaluation["intervals"][score] for score in SCORES if score in evaluation["intervals"]},
    }
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{name}.json").write_text(json.dumps(row, indent=2) + "\n")


def epoch_seconds(run: Path) -> list[float]:
    """How long each epoch took."""
    with (run / "metrics.csv").open() as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


def table() -> str:
    """The table in Markdown, rows in the order of the records' names."""
    columns = ["row", "what", *SCORES, "training", "beam", "length penalty", "recipe"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for path in sorted(RECORDS.glob("*.json")):
        row = json.loads(path.read_text())
        training = f"{row['training_seconds'] / 60:.0f} min" if row["epochs"] else "none"
        recipe = f"`{row['recipe']}`" + (f", `--init {row['init']}`" if row["init"] else "")
        cells = [path.stem, row["what"], *(score(row, name) for name in SCORES)]
        cells += [training, str(row["beam_size"]), f"{row['length_penalty']:g}", recipe]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def score(row: dict[str, Any], name: str) -> str:
    """A score times 100, with half the width of its interval."""
    value = f"{100 * row['scores'][name]:.1f}"
    if name not in row["intervals"]:
        return value
    low, high = row["intervals"][name]
    return f"{value} ± {50 * (high - low):.1f}"


def page_with_table(text: str) -> str:
    """The page with its table replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", metavar="NAME")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--recipe", help="as in the table, with any --set")
    parser.add_argument("--what", help="what the row changes")
    parser.add_argument("--conditions", default="two cores", help="the machine, and what else ran on it")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.record:
        record(
            arguments.record, arguments.run, arguments.report, arguments.recipe, arguments.what, arguments.conditions
        )
    text = PAGE.read_text(encoding="utf-8")
    right = page_with_table(text)
    if arguments.write:
        PAGE.write_text(right, encoding="utf-8")
    elif right != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} does not say what benchmarks/results/ holds; run with --write")


if __name__ == "__main__":
    main()
