"""Make a trained model the one that comes with the package.

    python tools/release_model.py RUN --name NAME [--precision int8]

leaves models/NAME/ (weights to train on from, see sightline.nn.model_files) and src/sightline/model/ (the bundle in the
wheel, and the same weights, for `train --init bundled`), each with MODEL_CARD.md as it stands in models/NAME/, which a
person writes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from safetensors.torch import save_file

from sightline.captioner import BUNDLED_MODEL
from sightline.errors import SightlineError
from sightline.export.export import export_model
from sightline.export.precision import PRECISIONS
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, WEIGHTS, replacing
from sightline.nn.model_files import compact, load_model

ROOT = Path(__file__).parents[1]
LARGEST = 12e6  # bytes a file


def release(run: Path, name: str, precision: str) -> None:
    folder = ROOT / "models" / name
    model, _, _ = load_model(run)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (CONFIG, VOCABULARY):
        shutil.copyfile(run / file, folder / file)
    with replacing(folder / WEIGHTS) as path:
        save_file({key: tensor.contiguous() for key, tensor in compact(model.state_dict()).items()}, path)
    (BUNDLED_MODEL / WEIGHTS).unlink(missing_ok=True)  # an export replaces nothing but a bundle
    made = export_model(folder, BUNDLED_MODEL, precision)
    shutil.copyfile(folder / WEIGHTS, BUNDLED_MODEL / WEIGHTS)
    for path in (folder / WEIGHTS, BUNDLED_MODEL / ONNX):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size / 1e6:.1f} MB")
        if size > LARGEST:
            raise SightlineError(f"{path}: over {LARGEST / 1e6:.0f} MB")
    print(f"{made.agreement.differing_captions} of {made.agreement.captions} captions differ from torch's")
    if not (folder / CARD).exists():
        raise SightlineError(f"{folder / CARD}: write it, then run this again")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="of the bundle")
    arguments = parser.parse_args()
    try:
        release(arguments.run, arguments.name, arguments.precision)
    except SightlineError as error:
        sys.exit(f"release_model: {error}")
