"""Model folder -> model.onnx, written only if it says what the torch model says."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from sightline.errors import SightlineError
from sightline.export.agreement import LARGEST_LOSS, Agreement, compare, random_photos
from sightline.export.graph import share_weights, to_onnx
from sightline.export.integers import quantize_convolutions
from sightline.export.precision import PRECISIONS, optimize
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, ModelConfig, replacing, replacing_folder
from sightline.nn.model_files import load_ensemble, load_model, save_model
from sightline.nn.quantization import gather_ranges, known_ranges
from sightline.nn.repeats import repeats_of_model
from sightline.preprocess import Photo, preprocess


@dataclass(frozen=True)
class Export:
    """What an export wrote.

    Attributes:
        path: the model.onnx.
        precision: how its weights are stored.
        integers: how many of the encoder's convolutions compute in integers.
        size: its size in bytes.
        agreement: how it compares with the torch model.
    """

    path: Path
    precision: str
    integers: int
    size: int
    agreement: Agreement


def export_model(folder: Path, out: Path, precision: str = "fp32", photos: Sequence[Photo] = ()) -> Export:
    """Write the bundle ``out`` of the model folder ``folder``: all that captioning needs, without torch.

    Args:
        folder: what a training leaves.
        out: a new folder, or a bundle, which is replaced as a whole.
        precision: ``"fp32"``, ``"fp16"`` or ``"int8"``.
        photos: real photos on which both models must agree, beside random ones.

    Raises:
        SightlineError: ``folder`` is no model folder, ``out`` is something else, a photo cannot be read, or the fp32
            ONNX model does not say what the torch model says; nothing is written then.
    """
    with replacing_folder(out, {CONFIG, VOCABULARY, ONNX, CARD}, "bundle") as new:
        made = _export(folder, new / ONNX, precision, photos)
        for name in (CONFIG, VOCABULARY, CARD):
            if (folder / name).exists():
                shutil.copyfile(folder / name, new / name)
    return Export(out / ONNX, made.precision, made.integers, made.size, made.agreement)


def export_into(folder: Path, photos: Sequence[Photo] = ()) -> Export:
    """Add an fp32 model.onnx to the model folder itself, in place of an older one; raises as `export_model` does."""
    with replacing(folder / ONNX) as path:
        made = _export(folder, path, "fp32", photos)
    return Export(folder / ONNX, made.precision, made.integers, made.size, made.agreement)


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
    return Export(out / made.path.name, made.precision, made.integers, made.size, made.agreement)


def _export(folder: Path, path: Path, precision: str, photos: Sequence[Photo]) -> Export:
    if precision not in PRECISIONS:
        raise SightlineError(f"unknown precision {precision!r}; there are: {', '.join(PRECISIONS)}")
    model, config, vocabulary = load_model(folder)
    graph, integers = to_onnx(model, config, vocabulary), 0
    if precision == "int8":
        integers = quantize_convolutions(graph, known_ranges(config) or gather_ranges(model.encoder, photos))
    graph = share_weights(PRECISIONS[precision](graph))
    graph.metadata_props.add(key="sightline.precision", value=precision)
    onnx.save(graph, path)
    if precision == "int8":
        optimize(path)
    real = [preprocess(photo, config.preprocessing) for photo in photos]
    compared = [*random_photos(config.preprocessing.size), *real]
    agreement = compare(model, config, path, compared, repeats_of_model(config, vocabulary))
    if math.isnan(agreement.difference) or (precision == "fp32" and not agreement.exact):
        raise SightlineError(f"{folder}: nothing exported, as {_disagreement(agreement, config, len(vocabulary))}")
    if precision != "fp32" and not agreement.close:
        raise SightlineError(
            f"{folder}: nothing exported, as torch finds the captions in {precision} {agreement.loss:.2f} nats a word"
            f" less likely than its own ({LARGEST_LOSS} at most); export in fp16 or fp32, or train a last epoch with"
            " training.quantization: aware"
        )
    return Export(path, precision, integers, path.stat().st_size, agreement)


def _disagreement(agreement: Agreement, config: ModelConfig, words: int) -> str:
    loss = config.training.get("val_loss")
    if math.isnan(agreement.difference) or (isinstance(loss, float) and worse_than_guessing(loss, words)):
        return "its training diverged; train again with a lower training.learning_rate or a training.gradient_clip"
    return (
        f"ONNX Runtime says otherwise than torch ({agreement.differing_beams} sentences differ, numbers by"
        f" {agreement.difference:.1e}); please report it with both versions"
    )


def worse_than_guessing(loss: float, words: int) -> bool:
    """Whether a held-out loss, in nats a word, is twice that of a model that finds all ``words`` equally likely.

    Only a training that diverged ends there: weights so large that rounding alone decides what is said.
    """
    return not loss <= 2 * math.log(words)
