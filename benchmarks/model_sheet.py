"""Captions of the model in the package, good and bad, chosen by rule: the tables of docs/model.md.

    python benchmarks/model_sheet.py --report REPORT     record them from a report of Flickr8k's dev; then write them
    python benchmarks/model_sheet.py --photos            caption scikit-image's photos again; then write them
    python benchmarks/model_sheet.py --write             write docs/model.md from the record
    python benchmarks/model_sheet.py                     check it; status 1 if it differs

REPORT is what `sightline evaluate --data flickr8k --split val --out REPORT` writes. Of its photos a random SAMPLE,
under SEED, is ranked by CIDEr; the SHOWN best, the SHOWN in the middle and the SHOWN worst are recorded, each with its
caption, the first of its references, and its score.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import sightline
from sightline.evaluation.report import read_report

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "model_sheet.json", ROOT / "docs" / "model.md"
THUMBNAILS = ROOT / "docs" / "photos"
SAMPLE, SHOWN, SEED = 100, 6, 0
# All photos of scenes and things in scikit-image's package whose owners claim nothing: no textures, drawings, scans,
# microscopes' and telescopes' images.
PHOTOS = ("astronaut.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "rocket.jpg")
SIDE = 240  # of a thumbnail, in pixels


def of_report(folder: Path) -> dict[str, list[dict[str, str | float]]]:
    """The best, the middle and the worst captions of the sample, best first."""
    report = read_report(folder)
    scores = sightline.score(report.hypotheses, report.references, ["CIDEr"])
    ciders = dict(zip(scores.photos, scores.per_photo("CIDEr"), strict=True))
    sample = np.random.default_rng(SEED).permutation(sorted(ciders))[:SAMPLE]
    ranked = sorted(sample.tolist(), key=lambda photo: (-ciders[photo], photo))
    middle = (SAMPLE - SHOWN) // 2
    chosen = {"best": ranked[:SHOWN], "middle": ranked[middle : middle + SHOWN], "worst": ranked[-SHOWN:]}
    return {
        name: [
            {
                "photo": photo,
                "caption": report.hypotheses[photo],
                "reference": report.references[photo][0],
                "CIDEr": round(100 * float(ciders[photo]), 1),
            }
            for photo in photos
        ]
        for name, photos in chosen.items()
    }


def of_photos() -> dict[str, str]:
    """The captions of scikit-image's photos, by file name; writes their thumbnails."""
    from importlib.resources import files

    from PIL import Image

    captioner, captions = sightline.load(), {}
    THUMBNAILS.mkdir(exist_ok=True)
    for name in PHOTOS:
        photo = Path(str(files("skimage") / "data" / name))
        captions[name] = captioner(photo).text
        with Image.open(photo) as image:
            small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            small.save((THUMBNAILS / name).with_suffix(".jpg"), quality=80)
    return captions


def tables(record: dict[str, dict]) -> dict[str, str]:
    """The tables in Markdown, by their name in the page."""
    columns = [record["dev"][name] for name in ("best", "middle", "worst")]
    rows = [" | ".join(map(_cell, row)) for row in zip(*columns, strict=True)]
    dev = ["| the best | the middle | the worst |", "|---|---|---|", *(f"| {row} |" for row in rows)]
    photos = ["| photo | caption |", "|---|---|"]
    for name, caption in record["photos"].items():
        stem = Path(name).stem
        photos.append(f"| ![{stem}](photos/{stem}.jpg) | {caption} |")
    return {"dev": "\n".join(dev), "photos": "\n".join(photos)}


def _cell(row: dict[str, str | float]) -> str:
    reference = str(row["reference"]).removesuffix(" .").removesuffix(".")
    return f"**{row['caption']}**<br>*{reference.replace('|', ' ')}*<br>{row['CIDEr']:.0f}"


def page_with_tables(text: str, record: dict[str, dict]) -> str:
    """The page with its tables replaced."""
    for name, table in tables(record).items():
        begin, end = f"<!-- {name}: benchmarks/model_sheet.py --write -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n\n{end}{rest.split(end)[1]}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--photos", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if options.report:
        record["dev"] = of_report(options.report)
    if options.photos:
        record["photos"] = of_photos()
    if options.report or options.photos:
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    right = page_with_tables(text, record)
    if options.report or options.photos or options.write:
        PAGE.write_text(right, encoding="utf-8")
    elif right != text:
        sys.exit("docs/model.md differs from its record; run benchmarks/model_sheet.py --write")


if __name__ == "__main__":
    main()
