"""What large data cost: the start of a training, names in an index, and photos read by position.

    python benchmarks/scale_data.py [--photos 200000] [--names 10000000] [--before SRC] [--only PART ...]
        [--out FILE.json]

Four parts, each with data that it makes in a temporary folder (about 2 GB for the defaults) and deletes:

- table: reading one CSV of `--photos` photos with five captions each; the photos, in two folders of folders that the
  table names otherwise, are empty files.
- start: all that a training does with its data before the first step, the encoder apart, on `--photos` tiny photos with
  five captions each in Kaggle's layout. With `--before`, the `src` of another checkout, that one does the same, in
  turns. It starts twice: the second time, digests are remembered.
- names: the same on an index of `--names` photos in shards that hold nothing, one caption each.
- reading: 2,000 photos of 100 kB in random order, from shards by position and from files of their own, all of which
  the machine has in memory.

Seconds are those of the processor, and by the clock beside them. Memory is the peak of a process of its own, less what
it had once it had imported torch and Lightning, which is given beside it. The file is written after each part.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

WORDS = [f"word{number}" for number in range(8000)]

# Runs in a process of its own, by this checkout or another: only what both have is called.
START = """
import os, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from itertools import chain
from pathlib import Path
import sightline.training.train
from sightline.training import features
from sightline.data.provenance import fingerprint
from sightline.training.batches import LengthSampler, encode_captions
from sightline.training.data import read_data
from sightline.training.vocabulary import check_learnable
from sightline.vocabulary import Vocabulary
try:
    from sightline.data.large.packed import captions_of
except ImportError:
    captions_of = lambda examples: (each.captions for each in examples)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
parts, imported, began, clock = {}, peak(), time.process_time(), time.perf_counter()
def part(name):
    global began
    parts[name] = round(time.process_time() - began, 2)
    began = time.process_time()
folder, digests = Path(sys.argv[1]), len(sys.argv) > 2
read = read_data([folder], {}, False, lambda line: None)
part("read")
vocabulary = Vocabulary.from_captions(chain.from_iterable(captions_of(read.examples["train"])), 5)
check_learnable(*(read, vocabulary, 5, None)[: len(signature(check_learnable).parameters)])
part("vocabulary")
fingerprint(read.examples)
part("fingerprint")
targets = {split: encode_captions(examples, vocabulary, 20) for split, examples in read.examples.items()}
part("targets")
if digests:
    with ThreadPoolExecutor(os.cpu_count() if hasattr(features, "Digests") else None) as pool:
        for examples in read.examples.values():
            if hasattr(features, "Digests"):
                features.Digests(Path(sys.argv[2])).of([each.photo for each in examples], pool)
            else:
                list(pool.map(features._digest, [each.path for each in examples]))
    part("digests")
next(iter(LengthSampler(targets["train"], 32, seed=0)))
part("order")
import json
print(json.dumps({"cpu_seconds": round(sum(parts.values()), 1), "seconds": round(time.perf_counter() - clock, 1),
                  "parts": parts, "imported_mb": round(imported), "memory_mb": round(peak() - imported),
                  "photos": sum(map(len, read.examples.values()))}))
"""


READ = """
import json, resource, sys, time
from sightline.data.dataset import read_dataset
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
imported, began = peak(), time.process_time()
dataset = read_dataset(sys.argv[1])
print(json.dumps({"cpu_seconds": round(time.process_time() - began, 1), "imported_mb": round(imported),
                  "peak_mb": round(peak()), "layout": dataset.layout, "without_photo": dataset.without_photo,
                  "photos": sum(map(len, dataset.splits.values()))}))
"""


def make_table(root: Path, photos: int, folder: str, delimiter: str = ",") -> None:
    """``captions.csv`` with the photos under ``folder``, and empty photos in ``photos/a`` and ``photos/b``."""
    captions = drawn_captions()
    for number in range(2):
        (root / "photos" / "ab"[number]).mkdir(parents=True)
    with (root / "captions.csv").open("w") as file:
        file.write(f"image{delimiter}caption\n")
        for number in range(photos):
            (root / "photos" / "ab"[number % 2] / f"{number:08d}.jpg").touch()
            file.writelines(f"{folder}{number:08d}.jpg{delimiter}{next(captions)} .\n" for _ in range(5))


def table(source: Path, scratch: Path, photos: int) -> dict[str, object]:
    """What reading costs if the table names files alone, or paths of another machine."""
    result = {}
    for kind, folder in (("files", ""), ("paths", "/home/them/flickr/images/")):
        make_table(scratch / kind, photos, folder)
        result[kind] = run(READ, source, scratch / kind)
    return result


def run(code: str, source: Path, *arguments: Path) -> dict[str, object]:
    """What a process of its own prints in its last line."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(finished.stdout.splitlines()[-1])


def start(source: Path, folder: Path, digests: Path | None) -> dict[str, object]:
    return run(START, source, folder, *([digests] if digests else []))


def drawn_captions() -> Iterator[str]:
    """A hundred thousand captions of eleven words, again and again: to draw millions takes longer than to read them."""
    drawn = random.Random(0)
    return cycle([" ".join(drawn.choices(WORDS, k=11)) for _ in range(100_000)])


def make_kaggle(root: Path, photos: int) -> None:
    (root / "Images").mkdir(parents=True)
    captions = drawn_captions()
    with (root / "captions.txt").open("w") as file:
        file.write("image,caption\n")
        for number in range(photos):
            (root / "Images" / f"{number:08d}.jpg").write_bytes(number.to_bytes(8, "big") * 50)
            file.writelines(f"{number:08d}.jpg,{next(captions)} .\n" for _ in range(5))


def make_names(root: Path, names: int) -> float:
    """An index of shards of 10,000 photos each, which are never read; the processor's seconds of writing it."""
    from sightline.data.large import shard_index
    from sightline.data.large.shard_index import Sample

    root.mkdir()
    captions = drawn_captions()

    def samples(path: Path):
        first = 10_000 * int(path.stem)
        for number in range(first, min(first + 10_000, names)):
            yield Sample(str(number), "", f"{number:09d}.jpg", 512 * number, 30_000, (next(captions),))

    shards = [f"{number:06d}.tar" for number in range(-(-names // 10_000))]
    for shard in shards:
        (root / shard).touch()
    shard_index.read_samples = samples
    began = time.process_time()
    shard_index.open_index(root, shards)
    return time.process_time() - began


def reading(root: Path, photos: int = 2000) -> dict[str, float]:
    from sightline.data.dataset import read_dataset
    from sightline.data.large.write_shards import write_shards

    (root / "Images").mkdir(parents=True)
    drawn = random.Random(0)
    names = [f"{number}.jpg" for number in range(photos)]
    for name in names:
        (root / "Images" / name).write_bytes(drawn.randbytes(100_000))
    (root / "captions.txt").write_text("image,caption\n" + "".join(f"{name},a dog\n" for name in names))
    write_shards(root, root / "shards")
    places = {
        kind: [example.photo for examples in read_dataset(folder).splits.values() for example in examples]
        for kind, folder in (("files", root), ("shards", root / "shards"))
    }
    seconds = dict.fromkeys(places, 0.0)
    for _ in range(3):
        for where in places.values():
            drawn.shuffle(where)
        for start in range(0, photos, 100):  # in turns, so that what else the machine does falls on both
            for kind, where in places.items():
                began = time.process_time()
                for place in where[start : start + 100]:
                    place.read()
                seconds[kind] += time.process_time() - began
    return {f"{kind}_cpu_microseconds_per_photo": round(each / (3 * photos) * 1e6, 1) for kind, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200_000)
    parser.add_argument("--names", type=int, default=10_000_000)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", choices=["table", "start", "names", "reading"])
    arguments = parser.parse_args()
    here = Path(__file__).parents[1] / "src"
    sources = {**({"before": arguments.before.resolve()} if arguments.before else {}), "after": here}
    parts: dict[str, Callable[[Path], object]] = {
        "table": lambda root: table(here, root, arguments.photos),
        "start": lambda root: starts(sources, root, arguments.photos),
        "names": lambda root: index_of_names(here, root, arguments.names),
        "reading": reading,
    }
    result: dict[str, object] = {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "photos": arguments.photos,
        "names": arguments.names,
    }
    for name in arguments.only or parts:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            result[name] = parts[name](Path(scratch) / name)
        print(f"{name}, in {time.perf_counter() - began:.0f} s:\n{json.dumps(result[name], indent=2)}", flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(result, indent=2) + "\n")


def starts(sources: dict[str, Path], root: Path, photos: int) -> dict[str, object]:
    """On each side in turn, twice: the second time, digests are remembered."""
    make_kaggle(root / "kaggle", photos)
    return {
        f"{time_}_{side}": start(source, root / "kaggle", root / f"digests-{side}")
        for time_ in ("first", "second")
        for side, source in sources.items()
    }


def index_of_names(source: Path, root: Path, names: int) -> dict[str, object]:
    seconds = make_names(root, names)
    size = sum(path.stat().st_size for path in root.glob(".sightline-index/*/*"))
    return {
        "index_cpu_seconds": round(seconds, 1),
        "index_bytes_per_photo": round(size / names, 1),
        "start": start(source, root, None),
    }


if __name__ == "__main__":
    main()
