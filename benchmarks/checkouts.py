"""Two checkouts of this project side by side: is the newer one as quick as the older one?

    python benchmarks/checkouts.py BEFORE_SRC AFTER_SRC --photos DIR [--rounds 40] [--out FILE.json]

BEFORE_SRC and AFTER_SRC are the `src` folders of two checkouts, both run by this Python. Each has a process of its own
that imports, loads the model in its package and makes a GRU's training step; then the two take turns, round by round,
so that a change of the machine's speed meets them alike. Given are medians, and the ratio after / before of the medians
and of the rounds: the middle half of these tells how far the machine's noise reaches.

- one photo: file to caption, beam 3, all cores
- folder: 64 photos by `stream`
- training step: 32 photos with five captions each, 49 annotation vectors of 1280, GRU of 512, float32
- cold start: `sightline caption PHOTO` as a new process
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Runs in a process of its own, by either checkout: only what both have is called.
WORKER = """
import sys, time
import numpy as np, torch
import sightline
from sightline.nn.encoder import MobileNetV2
from sightline.nn.gru import GRUDecoder
from sightline.nn.model import CaptionModel
from sightline.training.batches import CachedFeatures
try:
    from sightline.training.sampler import LengthSampler
except ImportError:
    from sightline.training.batches import LengthSampler
from sightline.training.module import CaptioningModule
try:
    from sightline.training.objectives.cross_entropy import CrossEntropy
except ImportError:
    from sightline.training.objective import CrossEntropy
from sightline.training.recipe import Recipe
from sightline.vocabulary import PAD

photos = sys.argv[1:]
captioner = sightline.load()
random = np.random.default_rng(0)
targets = np.full((320, 5, 21), PAD)
for index in np.ndindex(320, 5):
    length = int(np.clip(random.normal(10.8, 3.7), 3, 20))
    targets[index][:length] = 4 + (random.zipf(1.3, length) - 1) % 2536
    targets[index][length : length + 1] = 2
torch.manual_seed(0)
parts = CaptionModel(MobileNetV2(), GRUDecoder(2540, 1280)), CrossEntropy()
try:
    module = CaptioningModule(*parts, Recipe()).train()
except TypeError:
    module = CaptioningModule(*parts, 1e-3, seed=0).train()
module.log = lambda *args, **kwargs: None
optimiser = module.configure_optimizers()
data = CachedFeatures(torch.rand(320, 49, 1280).half().numpy(), np.arange(320), targets)
draws = list(LengthSampler(targets, 32, seed=0))

def one_photo(turn):
    captioner(photos[turn % len(photos)], beam_size=3)

def folder(turn):
    some = [photos[(turn * 64 + at) % len(photos)] for at in range(64)]
    assert sum(1 for _ in captioner.stream(some, beam_size=3)) == 64

def training_step(turn):
    batch = data[draws[turn % len(draws)]]
    optimiser.zero_grad()
    module.training_step(batch, 0).backward()
    optimiser.step()

print("ready", flush=True)
for line in sys.stdin:
    name, turn = line.split()
    started = time.perf_counter()
    globals()[name](int(turn))
    print(time.perf_counter() - started, flush=True)
"""
PARTS = {"one_photo": 4, "folder": 1, "training_step": 1}  # name -> times a round


class Checkout:
    """A process that runs one checkout's code when asked to."""

    def __init__(self, src: Path, photos: list[str]) -> None:
        self.environment = {**os.environ, "PYTHONPATH": str(src)}
        self.photo = photos[0]
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *photos],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def seconds(self, part: str, turn: int) -> float:
        """How long one turn of a part takes."""
        if part == "cold_start":
            command = [sys.executable, "-m", "sightline", "caption", self.photo]
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=self.environment)
            return time.perf_counter() - started
        assert self.process.stdin is not None and self.process.stdout is not None
        print(part, turn, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def compare(before: Checkout, after: Checkout, part: str, rounds: int) -> dict[str, object]:
    sides: dict[str, list[float]] = {"before": [], "after": []}
    for turn in range(-2, rounds):
        order = [("before", before), ("after", after)]
        for name, checkout in order if turn % 2 else reversed(order):
            taken = checkout.seconds(part, max(turn, 0))
            if turn >= 0:
                sides[name].append(taken)
    ratios = sorted(a / b for a, b in zip(sides["after"], sides["before"], strict=True))
    medians = {name: statistics.median(values) for name, values in sides.items()}
    low, _, high = statistics.quantiles(ratios, n=4)
    return {
        **{f"{name} ms": round(1000 * value, 2) for name, value in medians.items()},
        "after / before": round(medians["after"] / medians["before"], 3),
        "middle half of the rounds": [round(low, 3), round(high, 3)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    photos = [str(path) for path in sorted(options.photos.glob("*.jpg"))[:640]]
    before, after = Checkout(options.before.resolve(), photos), Checkout(options.after.resolve(), photos)
    results: dict[str, object] = {
        "conditions": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "rounds": options.rounds,
        }
    }
    for part, times in PARTS.items():
        results[part] = compare(before, after, part, options.rounds * times)
    results["cold_start"] = compare(before, after, "cold_start", max(10, options.rounds // 2))
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
