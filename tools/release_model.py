"""Make a trained model the one that comes with the package.

    python tools/release_model.py RUN [--precision int8]

writes src/sightline/model/: the exported model, its configuration and vocabulary, and its weights in compact form for
`train --init bundled` (see `sightline.nn.model_files.compact`). MODEL_CARD.md in that folder is written by a person.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file

from sightline.captioner import BUNDLED_MODEL
from sightline.errors import SightlineError
from sightline.export.export import export_model
from sightline.export.precision import PRECISIONS
from sightline.model_folder import CARD, ONNX, WEIGHTS
from sightline.nn.model_files import compact, load_model, save_model

ROOT = Path(__file__).parents[1]
LARGEST = 12e6  # bytes a file


def release(run: Path, precision: str) -> None:
    card = BUNDLED_MODEL / CARD
    if not card.exists():
        raise SightlineError(f"{card}: write it, then run this again")
    model, config, vocabulary = load_model(run)
    with TemporaryDirectory() as temporary:
        published = Path(temporary)
        save_model(published, model, config, vocabulary)
        save_file(
            {key: tensor.contiguous() for key, tensor in compact(model.state_dict()).items()}, published / WEIGHTS
        )
        shutil.copyfile(card, published / CARD)  # an export copies it
        (BUNDLED_MODEL / WEIGHTS).unlink(missing_ok=True)  # an export replaces nothing but a bundle
        # From the compact weights, so that both files of the folder are the same model.
        made = export_model(published, BUNDLED_MODEL, precision)
        shutil.copyfile(published / WEIGHTS, BUNDLED_MODEL / WEIGHTS)
    for path in (BUNDLED_MODEL / WEIGHTS, BUNDLED_MODEL / ONNX):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size / 1e6:.1f} MB")
        if size > LARGEST:
            raise SightlineError(f"{path}: over {LARGEST / 1e6:.0f} MB")
    print(f"{made.agreement.differing_captions} of {made.agreement.captions} captions differ from torch's")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="of model.onnx")
    arguments = parser.parse_args()
    try:
        release(arguments.run, arguments.precision)
    except SightlineError as error:
        sys.exit(f"release_model: {error}")
