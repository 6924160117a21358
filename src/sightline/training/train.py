"""From a recipe and a dataset to a model folder."""

from __future__ import annotations

import csv
import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from sightline.bundle import ModelConfig, replacing
from sightline.checkpoint import save_model
from sightline.data.dataset import Example, read_dataset
from sightline.data.features import FeatureCache
from sightline.errors import SightlineError
from sightline.export import export_into
from sightline.nn.model import CaptionModel
from sightline.training.allocator import keep_freed_memory
from sightline.training.batches import CachedFeatures, LengthSampler, Pixels, encode_captions
from sightline.training.generate import generate
from sightline.training.module import CaptioningModule
from sightline.training.objective import CrossEntropy, Objective
from sightline.training.pictures import draw_epochs, draw_samples
from sightline.training.recipe import Recipe
from sightline.training.self_critical import SelfCritical
from sightline.training.start import check_begun, check_new, last_checkpoint, start, start_again
from sightline.vocabulary import Vocabulary

_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
_SAMPLES = 12


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    resume: bool = False,
    init: Path | None = None,
    cache: Path | None = None,
    export: bool = True,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a captioner and leave it in the folder ``out``, which is also returned.

    ``out`` ends with the model folder of the epoch that did best on the held-out captions, its ``model.onnx``,
    ``loss.png``, ``samples.png``, ``metrics.csv``, ``recipe.yaml``, TensorBoard logs and what resuming needs.

    Args:
        recipe: see `load_recipe`.
        data: a dataset's folder, in any layout that `read_dataset` knows; it needs a train and a val split.
        out: a new or empty folder, unless ``resume``.
        resume: continue an interrupted training; the result equals an unbroken one's.
        init: a model folder to start from, with its vocabulary; the recipe must describe a model of the same shape.
            Resuming does without.
        cache: where a frozen encoder's features are kept; by default ``features`` in the user's cache folder.
        export: also write model.onnx, by which the model captions without torch.
        progress: show progress bars.
        say: told what happens, a line at a time.

    Raises:
        SightlineError: the data, the encoder's weights or ``out`` cannot be used; the message says what would help.
    """
    keep_freed_memory()
    if recipe.training.threads is not None:
        torch.set_num_threads(recipe.training.threads)
    if resume:
        check_begun(out, recipe)
    else:
        check_new(out)
    dataset = read_dataset(data)
    examples = {split: dataset.split(split) for split in ("train", "val")}
    if dataset.split_source == "derived":
        say("this dataset lists no splits: its photos are split 80/10/10 by file name")
    L.seed_everything(recipe.training.seed, verbose=False)
    model, config, vocabulary = start_again(out) if resume else start(recipe, dataset, out, init)
    say(f"{len(examples['train'])} training photos, {len(examples['val'])} held out, {len(vocabulary)} words")

    longest = recipe.vocabulary.max_words
    targets = {split: encode_captions(photos, vocabulary, longest) for split, photos in examples.items()}
    module = _module(model, _objective(recipe, targets), recipe)
    record = EpochRecord(out / "metrics.csv", module.objective.value)
    trainer = _trainer(recipe, module.objective, record, out, progress)
    loaders = _loaders(recipe, examples, targets, model, cache or default_cache(), trainer, say)
    _fit(trainer, module.train(), loaders, out, resume)
    _leave_results(out, module, config, vocabulary, record.rows, examples["val"])
    if export:
        made = export_into(out)
        say(f"{made.path.name}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")
    return out


def default_cache() -> Path:
    """Where features are kept unless told otherwise: ``sightline/features`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightline" / "features"


class EpochRecord(Callback):
    """Keeps each epoch's values and speed, in metrics.csv and in the checkpoint, so that resuming goes on with them."""

    def __init__(self, path: Path, value: str) -> None:
        self.path, self.value = path, value
        self.rows: list[dict[str, Any]] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the epoch's clock."""
        self._started = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the epoch's row."""
        if trainer.sanity_checking:
            return
        values = trainer.callback_metrics
        row = {"epoch": trainer.current_epoch + 1, "seconds": round(time.perf_counter() - self._started, 1)}
        # Lightning closes the training epoch after its validation: its mean is asked of the results it still holds.
        training = trainer.fit_loop.epoch_loop._results.metrics(on_step=False)["callback"]  # type: ignore[union-attr]
        for name, known in ((f"train_{self.value}", training), (f"val_{self.value}", values)):
            row[name] = round(float(known[name]), 6)
        self.rows = [*self.rows, row]
        if trainer.is_global_zero:
            write_rows(self.path, self.rows)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self.rows = state_dict["rows"]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write dictionaries of equal keys as a CSV file, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _objective(recipe: Recipe, targets: dict[str, NDArray[np.int64]]) -> Objective:
    settings = recipe.training
    if settings.objective == "cross_entropy":
        return CrossEntropy(settings.label_smoothing, settings.attention_entropy)
    longest = recipe.vocabulary.max_words
    return SelfCritical(targets["train"], targets["val"], settings.samples, longest, settings.attention_entropy)


def _module(model: CaptionModel, objective: Objective, recipe: Recipe) -> CaptioningModule:
    rate = recipe.training.learning_rate
    encoder_rate = (recipe.encoder.learning_rate or rate) if recipe.encoder.trainable else None
    keep = not recipe.encoder.trainable or recipe.encoder.statistics == "keep"
    cosine = recipe.training.schedule == "cosine"
    frozen = recipe.encoder.frozen_blocks
    return CaptioningModule(model, objective, rate, recipe.training.seed, encoder_rate, frozen, keep, cosine)


def _trainer(recipe: Recipe, objective: Objective, record: EpochRecord, out: Path, progress: bool) -> L.Trainer:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*in eval mode at the start.*",
        ".*Checkpoint directory.*exists.*",
        ".*isinstance.treespec.*",
    ):
        warnings.filterwarnings("ignore", message)
    monitor, better = f"val_{objective.value}", objective.better
    folder = out / "checkpoints"
    callbacks: list[Callback] = [
        record,
        ModelCheckpoint(folder, "best", monitor=monitor, mode=better, enable_version_counter=False),
        # The best's own save_last saves only when the best improves: resuming would repeat every epoch after it.
        ModelCheckpoint(folder, "last", enable_version_counter=False),
    ]
    if recipe.training.patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=recipe.training.patience, mode=better))
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    return L.Trainer(
        max_epochs=recipe.training.epochs,
        devices=recipe.training.devices,
        precision=_PRECISION[_precision(recipe.training.precision)],  # type: ignore[arg-type]
        gradient_clip_val=recipe.training.gradient_clip,
        callbacks=callbacks,
        logger=TensorBoardLogger(out / "logs", name="", version=""),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        enable_progress_bar=progress,
    )


def _precision(asked: str) -> str:
    """What ``auto`` means here: where bfloat16 is emulated, it is several times slower than float32."""
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


def _loaders(
    recipe: Recipe,
    examples: dict[str, tuple[Example, ...]],
    targets: dict[str, NDArray[np.int64]],
    model: CaptionModel,
    cache: Path,
    trainer: L.Trainer,
    say: Callable[[str], None],
) -> dict[str, DataLoader[Any]]:
    settings = recipe.training
    loaders = {}
    for split, photos in examples.items():
        seed = settings.seed if split == "train" else None
        sampler = LengthSampler(targets[split], settings.batch_size, seed, trainer.global_rank, trainer.world_size)
        data: CachedFeatures | Pixels
        if recipe.encoder.trainable:
            augment_seed = seed if recipe.encoder.augmentation else None
            data = Pixels(photos, model.encoder.preprocessing, targets[split], augment_seed)
        else:
            rows, places = FeatureCache(cache, model.encoder).rows(
                [photo.path for photo in photos], _report(f"{split} features", say)
            )
            data = CachedFeatures(rows, places, targets[split])
        loaders[split] = DataLoader(
            data,
            batch_size=None,
            sampler=sampler,
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
        )
    return loaders


def _report(what: str, say: Callable[[str], None]) -> Callable[[int, int], None]:
    started = time.perf_counter()

    def report(done: int, total: int) -> None:
        if done == total or done % 1024 == 0:
            rate = done / (time.perf_counter() - started)
            say(f"{what}: {done} of {total} photos encoded, {rate:.0f} a second")

    return report


def _fit(
    trainer: L.Trainer, module: CaptioningModule, loaders: dict[str, DataLoader[Any]], out: Path, resume: bool
) -> None:
    last = last_checkpoint(out)
    try:
        trainer.fit(module, loaders["train"], loaders["val"], ckpt_path=last if resume else None, weights_only=False)
    except SystemExit:  # Lightning's answer to Ctrl-C
        way_on = "go on with --resume" if last.exists() else "no epoch was finished, so start again"
        raise SightlineError(f"interrupted; {way_on}") from None
    if any(not math.isfinite(float(value)) for value in trainer.callback_metrics.values()):
        raise SightlineError(
            f"{out}: the loss is no longer a number; lower training.learning_rate or set gradient_clip"
        )


def _leave_results(
    out: Path,
    module: CaptioningModule,
    config: ModelConfig,
    vocabulary: Vocabulary,
    rows: list[dict[str, Any]],
    held_out: tuple[Example, ...],
) -> None:
    best = torch.load(out / "checkpoints" / "best.ckpt", map_location="cpu", weights_only=False)
    module.load_state_dict(best["state_dict"])
    objective = module.objective
    value = f"val_{objective.value}"
    choose = min if objective.better == "min" else max
    kept = choose(range(len(rows)), key=lambda index: rows[index][value])
    training = {
        **config.training,
        "epochs": len(rows),
        "kept_epoch": rows[kept]["epoch"],
        value: rows[kept][value],
    }
    config = ModelConfig(**{**config.__dict__, "training": training})
    model = module.model.cpu().eval()
    save_model(out, model, config, vocabulary)
    draw_epochs(out / "loss.png", rows, objective, kept)
    step = max(1, len(held_out) // _SAMPLES)
    photos = [example.path for example in held_out[::step]][:_SAMPLES]
    captions = [caption.text for caption in generate(model, config, vocabulary, photos)]
    draw_samples(out / "samples.png", photos, captions)
