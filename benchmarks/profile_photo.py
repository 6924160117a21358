"""Where a photo's time goes, from its file to its caption: ONNX Runtime's own profile, and the steps around it.

    python benchmarks/profile_photo.py --photos DIR [--model BUNDLE] [--threads 1] [--count 100] [--out FILE.json]

Beam 3. The steps are means over photos of the least of five runs; an operation's time is the mean of all runs, and
includes the profiling itself, about a microsecond.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime

from sightline.captioner import Captioner, model_folder
from sightline.model_folder import ONNX
from sightline.preprocess import open_photo, preprocess
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY, run_search

ENCODER = ("QLinearConv", "QLinearAdd", "Conv", "FusedConv", "Clip")
RUNS = 5


def main() -> None:
    options = parse()
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    folder = model_folder(options.model)
    captioner = Captioner(folder, threads=options.threads)
    preprocessing = captioner.config.preprocessing
    pixels = [preprocess(photo, preprocessing)[None] for photo in photos]
    steps = {
        "decode": least(lambda photo: open_photo(photo, preprocessing.size), photos),
        "decode, resize, standardise": least(lambda photo: preprocess(photo, preprocessing), photos),
        "file to caption": least(captioner, photos),
    }
    results = {
        "photos": len(photos),
        "threads": options.threads,
        "ms": {name: round(value, 2) for name, value in steps.items()},
        "ms in ONNX Runtime": profile(folder / ONNX, options.threads, pixels),
    }
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def least(function: Callable[[Any], Any], arguments: list[Any]) -> float:
    """The mean over ``arguments`` of the least time of five calls, in ms."""
    times = []
    for argument in arguments:
        runs = []
        for _ in range(RUNS):
            started = time.perf_counter()
            function(argument)
            runs.append(time.perf_counter() - started)
        times.append(min(runs))
    return 1000 * statistics.mean(times)


def profile(model: Path, threads: int, pixels: list[Any]) -> dict[str, Any]:
    """Part and operation -> ms a photo, largest first within each part."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for photo in pixels:
            for _ in range(RUNS):
                run_search(session, photo, BEAM_SIZE, LENGTH_PENALTY)
        events = json.loads(Path(session.end_profiling()).read_text())
    parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for event in events:
        if event["name"].endswith("_kernel_time") and (operation := event["args"]["op_name"]) != "Loop":
            parts[part_of(event["name"], operation)][operation] += event["dur"] / 1000 / (RUNS * len(pixels))
    return {
        part: {
            "ms": round(sum(each.values()), 2),
            **{name: round(ms, 3) for name, ms in sorted(each.items(), key=lambda pair: -pair[1]) if ms >= 0.02},
        }
        for part, each in parts.items()
    }


def part_of(name: str, operation: str) -> str:
    if name.startswith("word/"):
        return "search, all words"
    if name.startswith("last/"):
        return "ordering of the sentences"
    return "encoder" if operation in ENCODER else "projections and first state"


if __name__ == "__main__":
    main()
