"""How fast two processes train on two cores, against one process with two threads.

    python benchmarks/scale_training.py --data flickr8k [--set encoder.weights=FILE] [--rounds 2] [--out FILE.json]

Both sides are `sightline train` on the same recipe, batches and cached features, which are computed before; they take
turns. A side's rate is that of its median epoch, validation included; the first epoch of each run warms up.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from sightline.sessions import available_cores

RECIPE = Path(__file__).parents[1] / "recipes" / "baseline.yaml"
SIDES = {"one process": 1, "two processes": 2}


def train(options: argparse.Namespace, devices: int, epochs: int, out: Path) -> None:
    settings = [*options.settings, f"training.devices={devices}", f"training.epochs={epochs}"]
    command = [sys.executable, "-m", "sightline", "train", "--quiet", "--recipe", options.recipe]
    places = ["--data", options.data, "--out", out, "--cache", options.cache]
    overrides = [part for setting in settings for part in ("--set", setting)]
    subprocess.run([*command, *places, *overrides], check=True, stdout=sys.stderr)


def seconds(out: Path) -> list[float]:
    with (out / "metrics.csv").open() as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--cache", type=Path, help="where features are kept [default: thrown away at the end]")
    parser.add_argument("--epochs", type=int, default=3, help="a run, at least two")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        options.cache = options.cache or root / "cache"
        train(options, 1, 1, root / "features")
        taken: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(options.rounds):
            for side, devices in SIDES.items():
                train(options, devices, options.epochs, out := root / f"{side} {number}")
                taken[side] += seconds(out)
        photos = json.loads((out / "config.json").read_text())["training"]["train_photos"]
    rates = {side: photos / statistics.median(times) for side, times in taken.items()}
    result = {
        "photos_per_second": {side: round(rate, 1) for side, rate in rates.items()},
        "two_against_one": round(rates["two processes"] / rates["one process"], 3),
        "seconds_an_epoch": taken,
        "conditions": {
            "recipe": options.recipe.name,
            "settings": [setting for setting in options.settings if "/" not in setting],
            "photos": photos,
            "cores": available_cores(),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
