"""Lightning's trainer: devices, precision, checkpoints, and what an interruption means."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch.utils.data import DataLoader

from sightline.training.callbacks import EpochRecord
from sightline.training.checkpoints import CHECKPOINTS, KeptEpoch, WholeCheckpoints, last_checkpoint
from sightline.training.divergence import StopAtDivergence
from sightline.training.interruption import OwnSigterm
from sightline.training.module import CaptioningModule
from sightline.training.objective import Objective
from sightline.training.ranks import Ranks
from sightline.training.recipe import Recipe
from sightline.training.sync_batch_norm import WholeBatchStatistics

_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


class _Joined(TorchElasticEnvironment):
    """Processes that are there already, told Lightning as they are, whatever the environment's variables say."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def world_size(self) -> int:
        """How many there are."""
        return self.ranks.world_size

    def global_rank(self) -> int:
        """This one's number."""
        return self.ranks.rank

    def local_rank(self) -> int:
        """Its number among those on this machine."""
        return self.ranks.local_rank


def make_trainer(
    recipe: Recipe, ranks: Ranks, objective: Objective, record: EpochRecord, out: Path, progress: bool
) -> L.Trainer:
    """A trainer that keeps the best and the last epoch, and each epoch's row, in the run folder ``out``."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*in eval mode at the start.*",
        ".*Checkpoint directory.*exists.*",
        ".*isinstance.treespec.*",
        "The number of training batches.*",
        ".*sync_dist=True.*",  # what is logged is of all processes already
        ".*broadcast_buffers.*",  # what is to take its place is not in every torch that serves
    ):
        warnings.filterwarnings("ignore", message)
    chosen_by = recipe.training.monitor
    monitor, better = (f"val_{chosen_by}", "max") if chosen_by else (f"val_{objective.value}", objective.better)
    folder = out / CHECKPOINTS
    callbacks: list[Callback] = [
        OwnSigterm(),
        record,
        StopAtDivergence(record),
        KeptEpoch(folder, "best", monitor=monitor, mode=better, enable_version_counter=False),
        # The best's own save_last saves only when the best improves: resuming would repeat every epoch after it.
        KeptEpoch(folder, "last", enable_version_counter=False),
    ]
    if recipe.training.patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=recipe.training.patience, mode=better))
    plugins: list[Any] = [WholeCheckpoints(), _Joined(ranks)]
    if ranks.world_size > 1 and recipe.encoder.trainable and not recipe.encoder.freeze_batch_norm:
        plugins.append(WholeBatchStatistics())
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    return L.Trainer(
        max_epochs=recipe.training.epochs,
        devices=ranks.local_world_size,
        num_nodes=ranks.world_size // ranks.local_world_size,
        strategy=_strategy(ranks),
        precision=_PRECISION[native_precision(recipe.training.precision)],  # type: ignore[arg-type]
        gradient_clip_val=recipe.training.gradient_clip,
        callbacks=callbacks,
        plugins=plugins,
        logger=TensorBoardLogger(out / "logs", name="", version=""),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        enable_progress_bar=progress,
    )


def _strategy(ranks: Ranks) -> Strategy | str:
    if ranks.world_size == 1:
        return "auto"
    # Statistics are the same everywhere: those that learn are of the whole batch.
    return DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)


def native_precision(asked: str) -> str:
    """What ``auto`` means here: where bfloat16 is emulated, it is several times slower than float32."""
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


def fit(
    trainer: L.Trainer, module: CaptioningModule, loaders: dict[str, DataLoader[Any]], out: Path, resume: bool
) -> None:
    """Train to the end; raises `SightlineError` where it diverges."""
    last = last_checkpoint(out) if resume else None
    trainer.fit(module, loaders["train"], loaders["val"], ckpt_path=last, weights_only=False)
