"""Whether a photo's caption depends on the photos that are captioned beside it.

    python benchmarks/neighbours.py --photos DIR [--model RUN] [--count 1000] [--out FILE.json]

Every photo is captioned alone by `captioner(photo)`, then all by `captioner.stream` in batches of 1, 5 and 8, in
three shuffled orders. Counted: photos whose words or scores differ, and the largest difference of a log-probability.
"""

from __future__ import annotations

import argparse
import json
import random
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import sightline
from sightline.caption import Caption


def captions_of(captioner: sightline.Captioner, photos: list[Path], batch_size: int) -> dict[Path, Caption]:
    results = captioner.stream(photos, batch_size=batch_size)
    return {photo: result for photo, result in zip(photos, results, strict=True) if isinstance(result, Caption)}


def compare(alone: dict[Path, Caption], together: dict[Path, Caption]) -> dict[str, Any]:
    same = [photo for photo, caption in alone.items() if caption.words == together[photo].words]
    apart = [float(np.abs(alone[photo].log_probs - together[photo].log_probs).max()) for photo in same]
    return {
        "other words": len(alone) - len(same),
        "other scores": sum(caption.score != together[photo].score for photo, caption in alone.items()),
        "largest difference of a log-probability": max(apart, default=0.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    captioner, shuffled = sightline.load(options.model), random.Random(0)
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    alone = {photo: captioner(photo) for photo in photos}
    results: dict[str, Any] = {
        "photos": len(photos),
        "precision": captioner.precision,
        "onnxruntime": metadata.version("onnxruntime"),
    }
    for batch_size in (1, 5, 8):
        shuffled.shuffle(photos)
        results[f"batches of {batch_size}"] = compare(alone, captions_of(captioner, photos, batch_size))
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
