"""`sightline info`: describe a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import model_option
from sightline.cli.streams import put

if TYPE_CHECKING:
    from sightline.model_folder import ModelConfig
    from sightline.vocabulary import Vocabulary


@click.command()
@model_option
def info(model: Path | None) -> None:
    """Describe a model: its parts, sizes and training, and its card's sections on scores and licences."""
    from sightline.captioner import model_folder
    from sightline.model_folder import CARD, load_description

    folder = model_folder(model)
    lines = [str(folder), "", *_parts(*load_description(folder)), "", *_files(folder)]
    if (folder / CARD).is_file():
        lines += ["", *_card_sections((folder / CARD).read_text(encoding="utf-8", errors="replace"))]
    put(*lines)


def _parts(config: ModelConfig, vocabulary: Vocabulary) -> list[str]:
    rows = {
        **_shape(config),
        "vocabulary": f"{len(vocabulary):,} {vocabulary.unit}",
        "captions": f"{config.max_words} {vocabulary.unit} at most",
        "photos": f"resized to {config.preprocessing.size}x{config.preprocessing.size}",
        **{name.replace("_", " "): _value(value) for name, value in config.training.items() if name != "fingerprint"},
    }
    return [f"{name:<14}  {value}" for name, value in rows.items()]


def _shape(config: ModelConfig) -> dict[str, str]:
    if config.members:
        shapes = [", ".join(_shape(member).values()) for member in config.members]
        return {f"member {number}": shape for number, shape in enumerate(shapes, start=1)}
    height, width = config.grid
    options = ", ".join(f"{name} {value}" for name, value in config.decoder_options.items())
    encoder = f"{config.encoder}, {height}x{width} cells"
    return {
        "encoder": encoder + f", projected to {config.projection}" * bool(config.projection),
        "decoder": config.decoder + f" ({options})" * bool(options),
    }


def _value(value: object) -> str:
    """A number with thousands separators; for an ensemble whose members differ, their values in order."""
    if isinstance(value, list):
        return "; ".join(map(_value, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _files(folder: Path) -> list[str]:
    """The files of weights; model.onnx is opened, so that a bad one is noticed."""
    from sightline.captioner import Captioner
    from sightline.model_folder import ONNX, WEIGHTS

    lines = []
    for name in (ONNX, WEIGHTS):
        if (folder / name).is_file():
            use = ", for the training tier"
            if name == ONNX:
                captioner = Captioner(folder, device="auto")
                use = f", {captioner.precision}; can run on {_devices(captioner.device)}"
            lines.append(f"{name:<18}  {(folder / name).stat().st_size / 1e6:.1f} MB{use}")
    if not (folder / ONNX).is_file():
        lines.append(f"no {ONNX}: it cannot caption yet; `sightline export {folder} --out BUNDLE` makes one")
    return lines


def _devices(best: str) -> str:
    return "cpu" if best == "cpu" else f"cpu and {best}"


def _card_sections(text: str) -> list[str]:
    """The card up to its second heading, and every section with scores, results or licences in its title."""
    kept, wanted, headings, fenced = [], True, 0, False
    for line in text.rstrip().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            headings += 1
            title = line.lstrip("#").lower()
            wanted = headings == 1 or any(word in title for word in ("licen", "score", "result"))
        if wanted:
            kept.append(line)
    return kept
