"""What a training leaves: the model of its best epoch, and pictures of how it learned and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sightline.data.example import Example
from sightline.model_folder import ModelConfig
from sightline.nn.model_files import save_model
from sightline.training.checkpoints import read_best
from sightline.training.generate import generate
from sightline.training.module import CaptioningModule
from sightline.training.pictures import draw_epochs, draw_samples
from sightline.vocabulary import Vocabulary

_SAMPLES = 12


def leave_results(
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
    objective = module.objective
    kept = [row["epoch"] for row in rows].index(best["epoch"] + 1)
    training = {
        **config.training,
        "epochs": len(rows),
        "kept_epoch": rows[kept]["epoch"],
        **{name: number for name, number in rows[kept].items() if name.startswith("val_")},
    }
    config = ModelConfig(**{**config.__dict__, "training": training})
    model = module.model.cpu().eval()
    save_model(out, model, config, vocabulary)
    draw_epochs(out / "loss.png", rows, objective, kept)
    step = max(1, len(held_out) // _SAMPLES)
    photos = [held_out[place].photo for place in range(0, len(held_out), step)][:_SAMPLES]
    captions = [caption.text for caption in generate(model, config, vocabulary, photos)]
    draw_samples(out / "samples.png", photos, captions)
