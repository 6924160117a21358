"""Whether a model tells the truth about drawn shapes, and looks at what it names.

    sightline data shapes shapes
    sightline train --recipe recipes/shapes.yaml --data shapes --out run
    python benchmarks/shapes.py --model run --data shapes

True: the share of held-out photos whose caption is a true sentence about them. Pointing: over the colour and shape
words of true captions, the share whose attention, or whose evidence, peaks in a cell with its centre inside the named
object's box.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import sightline
from sightline.caption import Caption
from sightline.data.dataset import read_dataset
from sightline.data.shapes import is_true, pointing_targets


def hits(caption: Caption, maps: np.ndarray, objects: list[dict], size: int) -> list[bool]:
    """For every colour and shape word, whether its map of ``maps`` (T, h, w) peaks in the named object's box."""
    found = []
    for word, (left, top, right, bottom) in pointing_targets(caption.words, objects).items():
        height, width = maps.shape[1:]
        row, column = np.unravel_index(maps[word].argmax(), (height, width))
        x, y = (column + 0.5) * size / width, (row + 0.5) * size / height
        found.append(bool(left <= x < right and top <= y < bottom))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--beam-size", type=int, default=3)
    arguments = parser.parse_args()
    captioner = sightline.load(arguments.model)
    objects = json.loads((arguments.data / "objects.json").read_text())
    examples = read_dataset(arguments.data).split(arguments.split)
    true, looked, rests = [], [], []
    paths = [example.path for example in examples]
    captions = captioner.stream(paths, beam_size=arguments.beam_size, evidence=True)
    for example, caption in zip(examples, captions, strict=True):
        assert isinstance(caption, Caption), caption
        true.append(is_true(caption.text, objects[example.image]))
        if true[-1]:
            named = objects[example.image], captioner.config.preprocessing.size
            looked += hits(caption, caption.attention, *named)
            rests += hits(caption, caption.evidence, *named)
    print(
        json.dumps(
            {
                "photos": len(true),
                "true": round(float(np.mean(true)), 4),
                "words": len(looked),
                "attention points": round(float(np.mean(looked)), 4),
                "evidence points": round(float(np.mean(rests)), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
