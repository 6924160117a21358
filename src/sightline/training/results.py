"""What a training leaves beside its checkpoints: the model of its best epoch, loss.png and samples.png."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from sightline.caption import Caption, read_captions
from sightline.data.example import Example
from sightline.images.fonts import font_file
from sightline.model_folder import ModelConfig, replacing
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import save_model
from sightline.nn.quantization import gather_ranges
from sightline.nn.repeats import repeats_of_model
from sightline.nn.search import search
from sightline.preprocess import Photo, open_photo, preprocess
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY
from sightline.training.checkpoints import read_best
from sightline.training.module import CaptioningModule
from sightline.training.objective import Objective
from sightline.vocabulary import Vocabulary

_SAMPLES = 12


def write_results(
    out: Path,
    module: CaptioningModule,
    config: ModelConfig,
    vocabulary: Vocabulary,
    rows: list[dict[str, Any]],
    held_out: Sequence[Example],
    say: Callable[[str], None],
) -> None:
    """Write the model folder of the best epoch, ``loss.png`` and ``samples.png``; ``rows`` as in `EpochRecord`."""
    best = read_best(out, say)
    module.load_state_dict(best["state_dict"])
    kept = [row["epoch"] for row in rows].index(best["epoch"] + 1)
    values = {name: number for name, number in rows[kept].items() if name.startswith("val_")}
    training = {**config.training, "epochs": len(rows), "kept_epoch": rows[kept]["epoch"], **values}
    config, model = replace(config, training=training), module.model.cpu().eval()
    if module.recipe.training.quantization != "aware":
        ranges = gather_ranges(model.encoder, [example.photo for example in held_out])
        config = replace(config, activation_ranges=ranges)
    save_model(out, model, config, vocabulary)
    draw_epochs(out / "loss.png", rows, module.objective, kept)
    step = max(1, len(held_out) // _SAMPLES)
    photos = [held_out[index].photo for index in range(0, len(held_out), step)][:_SAMPLES]
    captions = [caption.text for caption in generate(model, config, vocabulary, photos)]
    draw_samples(out / "samples.png", photos, captions)


@torch.inference_mode()
def generate(
    model: CaptionModel,
    config: ModelConfig,
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
) -> list[Caption]:
    """One `Caption` a photo by the torch model, all in one batch; put the model in evaluation mode first."""
    pixels = torch.from_numpy(np.stack([preprocess(photo, config.preprocessing) for photo in photos]))
    memory = model.prepare(model.features(pixels))
    repeats = repeats_of_model(config, vocabulary)
    sentences, scores = search(model.decoder, memory, beam_size, config.max_words, length_penalty, repeats)
    arrays = (tensor.cpu().numpy() for tensor in (*sentences[:3], scores))
    return read_captions(vocabulary, config.grid, *arrays)


def draw_epochs(path: Path, epochs: Sequence[dict[str, Any]], objective: Objective, best: int) -> None:
    """Plot the objective's value by epoch, in training and held out; the best epoch (index in ``epochs``) is marked."""
    columns = ("epoch", f"train_{objective.value}", f"val_{objective.value}")
    numbers, training, held_out = ([row[column] for row in epochs] for column in columns)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(numbers, training, color="#7a8793", label="training photos", marker="o", ms=3)
    axes.plot(numbers, held_out, color="#c8442b", label="held-out photos", marker="o", ms=3)
    point = numbers[best], held_out[best]
    axes.scatter(*point, s=70, facecolor="none", edgecolor="#c8442b", linewidth=1.5, zorder=3)
    axes.annotate(
        f"kept: epoch {point[0]}, {point[1]:.2f}",
        point,
        xytext=(0, 12),
        textcoords="offset points",
        ha="right" if 2 * best >= len(epochs) else "left",  # towards the middle, where there is room
        color="#c8442b",
    )
    axes.set(xlabel="epoch", ylabel=objective.label)
    axes.margins(x=0.08, y=0.18)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e9ec")
    axes.legend(frameon=False)
    _save(figure, path, dpi=150)


def draw_samples(path: Path, photos: Sequence[Photo], captions: Sequence[str], columns: int = 4) -> None:
    """Draw a contact sheet of photos, each with its caption beneath."""
    rows = -(-len(photos) // columns)
    figure = Figure(figsize=(3 * columns, 3.5 * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False, subplot_kw={"xticks": [], "yticks": [], "frame_on": False})
    for cell, photo, caption in zip(cells.flat, photos, captions, strict=False):
        cell.imshow(open_photo(photo))
        text = "\n".join(textwrap.wrap(caption, 32))
        font = None if caption.isascii() else font_file(caption)
        cell.set_xlabel(text, labelpad=8, parse_math=False, fontproperties=FontProperties(fname=font, size=11))
    _save(figure, path, dpi=110)


def _save(figure: Figure, path: Path, dpi: int) -> None:
    """Draw without pyplot, whose backend and open figures belong to the program that called us."""
    FigureCanvasAgg(figure)
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # drawn as a box
        figure.savefig(temporary, dpi=dpi)
