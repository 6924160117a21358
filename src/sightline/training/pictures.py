"""What a training leaves to look at: the loss by epoch, and held-out photos with their captions."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import font_manager, pyplot
from matplotlib.ticker import MaxNLocator

from sightline.model_folder import replacing
from sightline.preprocess import Photo, open_photo
from sightline.training.objective import Objective


def draw_epochs(path: Path, epochs: Sequence[dict[str, Any]], objective: Objective, best: int) -> None:
    """The objective's value by epoch, in training and held out, the best epoch (its index in ``epochs``) marked."""
    numbers = [row["epoch"] for row in epochs]
    held_out = [row[f"val_{objective.value}"] for row in epochs]
    training = [row[f"train_{objective.value}"] for row in epochs]
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    axes.plot(numbers, training, color="#7a8793", label="training photos", marker="o", ms=3)
    axes.plot(numbers, held_out, color="#c8442b", label="held-out photos", marker="o", ms=3)
    axes.scatter(
        [numbers[best]], [held_out[best]], s=70, facecolor="none", edgecolor="#c8442b", linewidth=1.5, zorder=3
    )
    axes.annotate(
        f"kept: epoch {numbers[best]}, {held_out[best]:.2f}",
        (numbers[best], held_out[best]),
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
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot.close(figure)


def draw_samples(path: Path, photos: Sequence[Photo], captions: Sequence[str], columns: int = 4) -> None:
    """A contact sheet of photos, each with its caption beneath."""
    rows = -(-len(photos) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3 * columns, 3.5 * rows), layout="constrained", squeeze=False
    )
    fonts = _fonts_for("".join(captions))
    for place in axes.flat:
        place.set(xticks=[], yticks=[], frame_on=False)
    for place, photo, caption in zip(axes.flat, photos, captions, strict=False):
        place.imshow(open_photo(photo))
        text = "\n".join(textwrap.wrap(caption, 32))
        place.set_xlabel(text, fontsize=11, labelpad=8, parse_math=False, fontfamily=fonts)
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # drawn as a box
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


def _fonts_for(text: str) -> list[str]:
    """The usual font, then those of this machine that can draw what it cannot, as few as will do."""
    usual = font_manager.findfont("DejaVu Sans")
    names, missing = ["DejaVu Sans"], _without(usual, {character for character in text if character.isprintable()})
    for font in font_manager.fontManager.ttflist if missing else []:
        if font.style != "normal":
            continue
        left = _without(font.fname, missing)
        if left < missing:
            names.append(font.name)
            missing = left
    return names


def _without(font: str, characters: set[str]) -> set[str]:
    """Those of ``characters`` that a font cannot draw."""
    if not characters:
        return set()
    try:
        drawn = font_manager.get_font(font).get_charmap()
    except (OSError, RuntimeError):  # a font that is gone, or of a kind that matplotlib does not read
        return characters
    return {character for character in characters if ord(character) not in drawn}
