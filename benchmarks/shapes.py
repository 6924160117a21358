"""Whether a model tells the truth about drawn shapes, and looks at what it names.

    sightline data shapes shapes
    sightline train --recipe recipes/shapes.yaml --data shapes --out run
    python benchmarks/shapes.py --model run --data shapes

Sentences are ranked by their sum of log p: by the mean of a word, longer ones win that say where a thing is, and are
wrong more often. True: the share of held-out photos whose caption is a true sentence about them. Pointing: over the
colour and shape words of true captions, the share whose attention, or whose evidence, peaks in the named object's box
(`sightline.evaluation.pointing`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import sightline
from sightline.caption import Caption
from sightline.data.dataset import read_dataset
from sightline.evaluation.pointing import looks as looks_at
from sightline.shapes.captions import COLORS, SHAPES, is_true


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--beam-size", type=int, default=3)
    arguments = parser.parse_args()
    captioner = sightline.load(arguments.model)
    objects = json.loads((arguments.data / "objects.json").read_text())
    examples = read_dataset(arguments.data).located_split(arguments.split)
    true, looks = [], []
    paths = [example.photo for example in examples]
    captions = captioner.stream(paths, beam_size=arguments.beam_size, length_penalty=0.0, evidence=True)
    for example, caption in zip(examples, captions, strict=True):
        assert isinstance(caption, Caption), caption
        true.append(is_true(caption.text, objects[example.name]))
        if true[-1]:
            looks += looks_at({example.name: caption}, {example.name: example}, frozenset(COLORS + SHAPES))
    print(
        json.dumps(
            {
                "photos": len(true),
                "true": round(float(np.mean(true)), 4),
                "words": len(looks),
                "attention points": round(float(np.mean([look.points for look in looks])), 4),
                "evidence points": round(float(np.mean([look.evidence_points for look in looks])), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
