"""What `sightline train --init bundled` brings for one's own photos: scores before and after, and minutes.

    python benchmarks/own_photos.py --data FOLDER [--set training.epochs=10] --out result.json

The commands of docs/own_photos.md, one after another, as whole processes; scores are of the val split, by which the
training also chose its epoch. Features are computed anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHOWN = ("CIDEr", "BLEU-4", "ROUGE-L")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/general"))
    parser.add_argument("--init", default="bundled", help="the model to start from, whose scores are those before")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, help="write the result there as JSON")
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = [] if options.init == "bundled" else ["--model", options.init]
        before = scores(work / "before", options.data, *model)
        settings = [part for setting in options.settings for part in ("--set", setting)]
        begin = time.perf_counter()
        told = sightline(
            *("train", "--init", options.init, "--data", str(options.data), "--out", str(work / "run"), "--quiet"),
            *("--cache", str(work / "features"), *settings),
        )
        minutes = (time.perf_counter() - begin) / 60
        after = scores(work / "after", options.data, "--model", str(work / "run"))
    conditions = {"cpus": os.cpu_count(), "machine": platform.machine(), "load_before": load}
    result = {
        "conditions": {**conditions, "data": options.data.name, "init": options.init, "settings": options.settings},
        "minutes": round(minutes, 1),
        "before": before,
        "after": after,
        "told": [line for line in told.splitlines() if "words" in line],
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def scores(report: Path, data: Path, *model: str) -> dict[str, object]:
    sightline("evaluate", "--data", str(data), "--split", "val", "--no-meteor", "--out", str(report), *model)
    facts = json.loads((report / "scores.json").read_text(encoding="utf-8"))
    return {
        "photos": facts["photos"],
        **{name: {"score": facts["scores"][name], "interval": facts["intervals"][name]} for name in SHOWN},
    }


def sightline(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"sightline {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
