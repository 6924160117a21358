"""Whether a model tells photos from what is none: pictures out of other people's packages, and photos taken for them.

    pip install pypdfium2
    python benchmarks/kinds.py --packages DIR --photos DIR [DIR ...] [--model DIR] [--out benchmarks/kinds.json]

`kinds.tsv` lists the pictures: the kind that a person saw in each, the package of Debian or PyPI with its version, and
where in it the picture lies. Of a PDF it names the page; pictures of FFmpeg's test sources are drawn by the program in
imageio-ffmpeg. None of them was learned from; those with the use "tuning" were looked at while the drawings became more
varied, those with "report" are of other packages. What is missing in ``--packages`` is fetched by apt-get and pip and
unpacked there, a gigabyte in all; of what they no longer have, the pictures are left out. The photos must be others
than those that the model learned from. A picture is found if the model says that it is no photo.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import sightline
from sightline.preprocess import Photo, preprocess
from sightline.sessions import open_session, run_search

LIST = Path(__file__).with_suffix(".tsv")
FALSE_ALARMS = 0.01


def fetched(packages: Path, package: str) -> Path:
    """The folder of an unpacked ``package``, "debian:NAME=VERSION" or "pypi:NAME=VERSION"."""
    origin, _, name_and_version = package.partition(":")
    name, _, version = name_and_version.partition("=")
    folder = packages / name
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=packages) as scratch:
        unpacked = Path(scratch) / "unpacked"
        if origin == "debian":
            subprocess.run(["apt-get", "download", f"{name}={version}"], cwd=scratch, check=True)
            subprocess.run(["dpkg-deb", "-x", next(Path(scratch).glob("*.deb")), unpacked], check=True)
        else:
            source = [] if name == "imageio-ffmpeg" else ["--no-binary", name]
            asked = ["pip", "download", "--no-deps", *source, "-d", scratch, f"{name}=={version}"]
            subprocess.run(asked, check=True)
            _unpack(next(path for path in Path(scratch).iterdir() if path.is_file()), unpacked)
        unpacked.rename(folder)
    return folder


def _is_there(packages: Path, package: str) -> bool:
    """Whether a package lies in ``packages`` or can be had; archives drop old versions."""
    try:
        return fetched(packages, package).is_dir()
    except subprocess.CalledProcessError:
        return False


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(folder)
        return
    with tarfile.open(archive) as members, tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        members.extractall(scratch, filter="data")
        next(Path(scratch).iterdir()).rename(folder)


def picture(packages: Path, package: str, path: str) -> Photo:
    """What the list names, as a file or an image."""
    folder = fetched(packages, package)
    if path.startswith("lavfi:"):
        return _drawn_by_ffmpeg(folder, path.removeprefix("lavfi:"))
    file, _, page = path.partition("#page=")
    if not page:
        return folder / file
    import pypdfium2

    sheet = pypdfium2.PdfDocument(folder / file)[int(page) - 1]
    rendered: Image.Image = sheet.render(scale=900 / max(sheet.get_size())).to_pil()
    return rendered


def _drawn_by_ffmpeg(folder: Path, source: str) -> Image.Image:
    program = next((folder / "imageio_ffmpeg" / "binaries").glob("ffmpeg-*"))
    program.chmod(0o755)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        wanted = ["-f", "lavfi", "-i", source, "-frames:v", "1", file.name]
        subprocess.run([program, "-v", "error", "-y", *wanted], check=True)
        return Image.open(file.name).convert("RGB")


def probabilities(model: Path | None, photos: Iterable[Photo]) -> NDArray[np.float32]:
    """(N, C) of the model's kinds, the first of them "photo"."""
    captioner = sightline.load(model)
    session = open_session(captioner.folder / "model.onnx", threads=1)
    batches = [run_search(session, pixels, 1, 1.0)["kinds"] for pixels in _batches(captioner, photos)]
    return np.concatenate(batches)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _batches(captioner: sightline.Captioner, photos: Iterable[Photo], size: int = 16) -> Iterator[NDArray[np.float32]]:
    batch = []
    for photo in photos:
        batch.append(preprocess(photo, captioner.config.preprocessing))
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def measure(model: Path | None, packages: Path, folders: Sequence[Path]) -> dict[str, object]:
    kinds = sightline.load(model).config.heads.get("kinds")
    if not kinds:
        raise SystemExit(f"{model or 'the bundled model'} does not tell kinds; `sightline calibrate` teaches it")
    photos = {str(folder): probabilities(model, _files(folder)) for folder in folders}
    with LIST.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    missing = sorted(package for package in {row["package"] for row in rows} if not _is_there(packages, package))
    rows = [row for row in rows if row["package"] not in missing]
    judged = probabilities(model, (picture(packages, row["package"], row["path"]) for row in rows))
    every = np.concatenate(list(photos.values()))[:, 0]
    # What is below it is taken for no photo, so that just this share of all photos is.
    threshold = float(np.quantile(every, FALSE_ALARMS))
    groups = defaultdict(list)
    for row, one in zip(rows, judged, strict=True):
        groups[row["kind"], row["use"]].append(one)
    found = {
        f"{kind}, {use}": {
            "pictures": len(group),
            "found": round(float(np.mean([one[0] < 0.5 for one in group])), 3),
            "found_at_1_percent": round(float(np.mean([one[0] < threshold for one in group])), 3),
            "named_right": round(float(np.mean([kinds[1 + int(one[1:].argmax())] == kind for one in group])), 3),
        }
        for (kind, use), group in sorted(groups.items())
    }
    alarms = {
        "photos": len(every),
        "false_alarms": round(float((every < 0.5).mean()), 4),
        "by_folder": [round(float((each[:, 0] < 0.5).mean()), 4) for each in photos.values()],
        "threshold_of_1_percent": round(threshold, 4),
    }
    listed = {"packages": len({row["package"] for row in rows}), "packages_missing": missing}
    return {**listed, **alarms, "kinds": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.packages.mkdir(parents=True, exist_ok=True)
    text = json.dumps(measure(arguments.model, arguments.packages, arguments.photos), indent=2) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
