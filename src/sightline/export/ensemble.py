"""Model folders -> the model folder of their ensemble, ready to caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sightline.errors import SightlineError
from sightline.export.export import Export, export_into
from sightline.model_folder import replacing_folder
from sightline.nn.model_files import load_ensemble, save_model


def make_ensemble(folders: Sequence[Path], out: Path) -> Export:
    """Write the model folder ``out``, its model.onnx included, of an ensemble of ``folders``; see `load_ensemble`.

    Raises:
        SightlineError: as `load_ensemble` does, or ``out`` is no new or empty folder; nothing is written then.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise SightlineError(f"{out}: exists already; name a new folder")
    model, config, vocabulary = load_ensemble(folders)
    with replacing_folder(out, frozenset(), "ensemble") as new:
        save_model(new, model, config, vocabulary)
        made = export_into(new)
    return Export(out / made.path.name, made.precision, made.size, made.agreement)
