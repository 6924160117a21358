"""The weighted mean of two trainings' weights, the second of which began with the first.

    python tools/average_models.py BEFORE AFTER SHARE OUT

SHARE of AFTER, the rest of BEFORE (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). A reward makes
sentences short, alike and at times broken off; a part of the way back costs little of what it gave.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, replacing_folder
from sightline.nn.model_files import load_model, save_model


def average(before: Path, after: Path, share: float, out: Path) -> None:
    first, _, words = load_model(before)
    model, config, vocabulary = load_model(after)
    if words.words != vocabulary.words or not 0 <= share <= 1:
        raise SightlineError("the models must have the same words, and SHARE lie between 0 and 1")
    start = first.state_dict()
    mean = {
        name: start[name].lerp(tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(mean)
    training = {**config.training, "averaged": {"with": before.name, "share": share}}
    with replacing_folder(out, {CONFIG, VOCABULARY, WEIGHTS}, "model folder without model.onnx") as new:
        save_model(new, model, replace(config, training=training), vocabulary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("before", "after"):
        parser.add_argument(name, type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    try:
        average(arguments.before, arguments.after, arguments.share, arguments.out)
    except SightlineError as error:
        sys.exit(f"average_models: {error}")
