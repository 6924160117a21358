"""Bulk captioning: Ray's rate beside `stream`'s, kills of workers and drivers, and the file that resumes.

    python benchmarks/scale_bulk.py BUNDLE --photos DIR [--count 1000] [--rows 100000] [--only PART] [--out FILE.json]

- ``rate``: `caption_photos` on a Ray of this machine beside `Captioner.stream`, in turns; start-up is what a photo a
  worker takes, and is taken off.
- ``kills``: kill -9 of a worker twice and of the driver once, then the same call again; rows are compared with
  `stream`'s.
- ``file``: `sightline caption --out` killed at five moments, for each format.
- ``resume``: `sightline caption --out` where every one of ``--rows`` photos is in the file, from the shell's start to
  its end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

CAPTION = [sys.executable, "-m", "sightline", "caption"]
DRIVER = """import sys
from sightline.bulk import caption_photos
model, out, *photos = sys.argv[1:]
caption_photos(photos, out, model=model)"""
WORKER = b"ray::MapWorker(MapBatches(CaptionBatches))"


def main() -> None:
    options = parse()
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    parts: dict[str, Callable[[Path], Any]] = {
        "rate": lambda folder: rate(options.bundle, photos, folder),
        "kills": lambda folder: kills(options.bundle, photos, folder),
        "file": lambda folder: {
            suffix: killed_file(options.bundle, photos, folder / f"captions{suffix}")
            for suffix in (".jsonl", ".csv", ".parquet")
        },
        "resume": lambda folder: {
            suffix: resume(options.bundle, photos[0], options.rows, folder / f"captions{suffix}")
            for suffix in (".jsonl", ".csv", ".parquet")
        },
    }
    results: dict[str, Any] = {"conditions": conditions(options.bundle, len(photos))}
    for name, part in parts.items():
        if name in (options.only or parts):
            with tempfile.TemporaryDirectory() as folder:
                results[name] = part(Path(folder))
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEGs, for instance Flickr8k's")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=["rate", "kills", "file", "resume"])
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def conditions(bundle: Path, photos: int) -> dict[str, Any]:
    from sightline.captioner import Captioner
    from sightline.sessions import available_cores

    packages = ("numpy", "pillow", "onnxruntime", "pyarrow", "ray")
    return {
        "cores": available_cores(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "precision": Captioner(bundle).precision,
        "photos": photos,
    }


def rate(bundle: Path, photos: list[Path], folder: Path) -> dict[str, Any]:
    import sightline
    from sightline.bulk import caption_photos
    from sightline.bulk.pipeline import connect
    from sightline.sessions import available_cores

    connect(quiet=True)
    captioner, cores = sightline.load(bundle), available_cores()
    streamed, startups, whole = [], [], []
    for turn in range(3):
        streamed.append(seconds(lambda: list(captioner.stream(photos))))
        startups.append(seconds(lambda t=turn: caption_photos(photos[:cores], folder / f"few-{t}", model=bundle)))
        whole.append(seconds(lambda t=turn: caption_photos(photos, folder / f"all-{t}", model=bundle)))
    startup = statistics.median(startups)
    by_stream = len(photos) / statistics.median(streamed)
    by_ray = (len(photos) - cores) / (statistics.median(whole) - startup)
    return {
        "stream, photos/s": round(by_stream, 1),
        "ray, photos/s": round(by_ray, 1),
        "start-up, s": round(startup, 1),
        "share of stream's rate": round(by_ray / by_stream, 2),
        "with start-up": round(len(photos) / statistics.median(whole) / by_stream, 2),
    }


def kills(bundle: Path, photos: list[Path], folder: Path) -> dict[str, Any]:
    out = folder / "captions"
    command = [sys.executable, "-c", DRIVER, str(bundle), str(out), *map(str, photos)]
    driver = start(command)
    workers = []
    for share in (0.1, 0.3):
        wait_for(driver, lambda part=share: rows_in(out) >= part * len(photos))
        os.kill(worker := a_worker(), signal.SIGKILL)
        workers.append(worker)
    wait_for(driver, lambda: rows_in(out) >= 0.5 * len(photos))
    driver.kill()
    driver.wait()
    before = rows_in(out)
    subprocess.run(command, check=True, capture_output=True)
    from pyarrow.parquet import read_table

    rows = read_table(out).to_pylist()
    return {"workers killed": len(workers), "rows when the driver was killed": before, **compared(bundle, photos, rows)}


def killed_file(bundle: Path, photos: list[Path], out: Path) -> dict[str, Any]:
    command = [*CAPTION, *map(str, photos), "--out", str(out), "--model", str(bundle)]
    growing = out if out.suffix == ".jsonl" else out.with_name(out.name + ".jsonl")
    moments = []
    for kill in range(1, 6):
        process = start(command)
        wait_for(process, lambda k=kill: growing.exists() and lines_in(growing) >= k * len(photos) / 6)
        process.kill()
        process.wait()
        moments.append(lines_in(growing))
    subprocess.run(command, check=True, capture_output=True)
    return {"lines when killed": moments, **compared(bundle, photos, read(out))}


def resume(bundle: Path, photo: Path, count: int, out: Path) -> dict[str, Any]:
    """Rows as a captioning of ``count`` links to one photo would have left them."""
    import sightline
    from sightline.bulk.row_file import RowFile
    from sightline.bulk.rows import caption_row, made_by
    from sightline.images.source import FileSource

    folder = out.parent / f"photos of {out.name}"
    folder.mkdir()
    captioner = sightline.load(bundle)
    caption = captioner(photo)
    names = [str(folder / f"{number:07}.jpg") for number in range(count)]
    for name in names:
        Path(name).symlink_to(photo.absolute())
    with RowFile(out, made_by(captioner, 3, 0.0)) as rows:
        for source, version in rows.missing(map(FileSource, names)).items():
            rows.add(caption_row(caption.with_photo(source)), version)
        rows.finish()
    before = out.read_bytes()
    took = [
        seconds(lambda: subprocess.run([*CAPTION, folder, "--out", out, "--model", bundle], check=True)) for _ in "ab"
    ]
    assert out.read_bytes() == before
    return {"rows": count, "MB": round(len(before) / 1e6, 1), "seconds": [round(value, 2) for value in took]}


def compared(bundle: Path, photos: list[Path], rows: list[dict[str, Any]]) -> dict[str, Any]:
    import sightline

    captions = sightline.load(bundle).stream(photos)
    expected = {str(photo.absolute()): caption.text for photo, caption in zip(photos, captions, strict=True)}
    found = Counter(str(Path(row["photo"]).absolute()) for row in rows)
    return {
        "rows": len(rows),
        "lost": len(expected.keys() - found.keys()),
        "twice": sum(number > 1 for number in found.values()),
        "other text": sum(expected[str(Path(row["photo"]).absolute())] != row["caption"] for row in rows),
    }


def a_worker() -> int:
    """A process of Ray's that captions."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(WORKER):
                return int(folder.name)
        except OSError:
            continue
    raise RuntimeError("no worker captions")


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    while not condition():
        if process.poll() is not None:
            raise RuntimeError(
                f"it ended before it could be killed, with status {process.returncode}; give more photos"
            )
        time.sleep(0.02)


def rows_in(out: Path) -> int:
    """Rows of the files that Ray says are finished."""
    from pyarrow.parquet import read_metadata

    finished = out.with_name(out.name + ".finished")
    names = [path for path in finished.glob("*.parquet") if ".pending" not in path.name]
    return sum(read_metadata(path).num_rows for path in names)


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    from pyarrow.parquet import read_table

    return read_table(path).to_pylist()


def seconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
