"""What `caption --write xmp` costs beside `caption`, and what being killed leaves.

    python benchmarks/writers.py --photos DIR [--count 1000] [--rounds 3] [--out FILE.json]

Copies of the photos are captioned to stdout and into sidecars, in turns; then sidecars are written by a command that is
killed five times, and by a last one that ends. Counted: files in the folder, photos whose bytes changed, sidecars that
are not whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sightline.errors import SightlineError
from sightline.writers.packet import DESCRIPTION, texts_in

COMMAND = [sys.executable, "-m", "sightline", "caption"]


class Took(NamedTuple):
    seconds: float
    processor_seconds: float  # which others' load on the machine changes little


def run(*arguments: object) -> Took:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*COMMAND, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def sidecars(folder: Path) -> list[Path]:
    return list(folder.glob("*.xmp"))


def clear(folder: Path) -> None:
    for path in sidecars(folder):
        path.unlink()


def rates(folder: Path, rounds: int, count: int) -> dict[str, object]:
    plain, written, again = list[Took](), list[Took](), list[Took]()
    for _ in range(rounds):
        clear(folder)
        plain.append(run(folder))
        written.append(run(folder, "--write", "xmp"))
        again.append(run(folder, "--write", "xmp"))
    return {
        "load of the machine": round(os.getloadavg()[0], 1),
        "photos a second, to stdout": [round(count / took.seconds, 1) for took in plain],
        "photos a second, to XMP": [round(count / took.seconds, 1) for took in written],
        "processor seconds, to stdout": [round(took.processor_seconds, 1) for took in plain],
        "processor seconds, to XMP": [round(took.processor_seconds, 1) for took in written],
        "rate by processor seconds": round(
            median(took.processor_seconds for took in plain) / median(took.processor_seconds for took in written), 3
        ),
        "seconds of a run with nothing to do": [round(took.seconds, 2) for took in again],
    }


def is_whole(path: Path) -> bool:
    try:
        return set(texts_in(path.read_bytes(), DESCRIPTION)) == {"x-default", "en"}
    except SightlineError:
        return False


def killed(folder: Path, times: int, count: int) -> dict[str, int]:
    clear(folder)
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    torn = 0
    for turn in range(1, times + 1):
        process = subprocess.Popen([*COMMAND, str(folder), "--write", "xmp"], stdout=subprocess.DEVNULL)
        while len(sidecars(folder)) < count * turn // (times + 1) and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.wait()
        torn += sum(not is_whole(path) for path in sidecars(folder))
    run(folder, "--write", "xmp")
    return {
        "killed": times,
        "torn sidecars": torn + sum(not is_whole(path) for path in sidecars(folder)),
        "sidecars": len(sidecars(folder)),
        "other files": len(list(folder.iterdir())) - len(sidecars(folder)) - count,
        "photos changed": sum(hashlib.sha256(path.read_bytes()).digest() != digest for path, digest in before.items()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    with tempfile.TemporaryDirectory() as name:
        for photo in photos:
            shutil.copy(photo, name)
        folder, count = Path(name), len(photos)
        results = {"photos": count, **rates(folder, options.rounds, count), **killed(folder, 5, count)}
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
