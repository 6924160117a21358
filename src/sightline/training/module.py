"""The Lightning module and trainer: loss, optimiser, a seed for each step, precision, checkpoints, devices."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.metrics import is_lower_better
from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch
from sightline.training.callbacks import EpochRecord, KeptEpoch, OwnBar, OwnSigterm
from sightline.training.checkpoints import CHECKPOINTS, WholeCheckpoints
from sightline.training.cpu import DepthwiseInFloat32, has_bfloat16
from sightline.training.distributed import Ranks
from sightline.training.objective import Objective, Step
from sightline.training.recipe import Recipe
from sightline.training.validation_metrics import GreedyCaptionScores

_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
_NEEDLESS_WARNINGS = (
    ".*does not have many workers.*",
    ".*in eval mode at the start.*",
    ".*Checkpoint directory.*exists.*",
    ".*isinstance.treespec.*",
    "The number of training batches.*",
    ".*sync_dist=True.*",  # logged values are of all processes already
    ".*broadcast_buffers.*",  # its replacement is not in every version of torch that we support
)


class CaptioningModule(L.LightningModule):
    """A `CaptionModel` that is trained by an objective; where its encoder is frozen, inputs may be annotation vectors.

    With several processes, the loss is the mean over the words of the whole batch, as one process would have it.
    ``slower`` has a line for each of the model's shortcuts that does not agree with its equations, and is off.
    """

    def __init__(
        self, model: CaptionModel, objective: Objective, recipe: Recipe, scores: GreedyCaptionScores | None = None
    ) -> None:
        super().__init__()
        self.model, self.objective, self.recipe, self.scores = model, objective, recipe, scores
        self.slower = model.take_shortcuts()
        model.encoder.requires_grad_(recipe.encoder.trainable)
        for block in model.encoder.blocks()[: recipe.encoder.frozen_blocks]:
            block.requires_grad_(False)
        # Convolutions are faster with channels last.
        model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> CaptioningModule:
        super().train(mode)
        encoder, recipe = self.model.encoder, self.recipe.encoder
        # Blocks are asked for anew: Lightning may have exchanged their layers for `torch.nn.SyncBatchNorm`.
        learns = recipe.trainable and not recipe.freeze_batch_norm
        for part in encoder.blocks()[: recipe.frozen_blocks] if learns else [encoder]:
            part.eval()
        return self

    def on_train_epoch_start(self) -> None:
        self.trainer.train_dataloader.sampler.set_epoch(self.current_epoch)  # type: ignore[union-attr]

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        # Dropout by the step's number: a resumed training repeats an unbroken one.
        torch.manual_seed(self._seed(self.global_rank))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        step = self.objective.training(self.model, self._features(batch), batch, self._seed(rank=0))
        return step.loss * self._record("train", step, batch)

    def validation_step(self, batch: Batch, index: int) -> None:
        features = self._features(batch)
        self._record("val", self.objective.held_out(self.model, features, batch), batch)
        if self.scores is not None and batch.share.counts:
            self.scores.caption(self.model, features, batch)

    def on_validation_epoch_end(self) -> None:
        if self.scores is not None:
            self.log_dict(self.scores.compute(), sync_dist=True)  # the same number on every device
            self.scores.reset()

    def configure_optimizers(self) -> Any:
        encoder = list(self.model.encoder.parameters())
        in_encoder = {id(weight) for weight in encoder}
        groups: list[dict[str, Any]] = [{"params": [each for each in self.parameters() if id(each) not in in_encoder]}]
        training, own_rate = self.recipe.training, self.recipe.encoder.learning_rate
        if trained := [weight for weight in encoder if weight.requires_grad]:
            groups.append({"params": trained, "lr": own_rate or training.learning_rate})
        # A fused step unscales mixed precision's gradients itself, which is after they would be clipped.
        adam = torch.optim.Adam(groups, training.learning_rate, fused=training.gradient_clip is None)
        if training.schedule == "constant":
            return adam
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _features(self, batch: Batch) -> Tensor:
        # (P, L, D) are cached features; those that a frozen encoder computes from pixels are rounded in the same way.
        if batch.inputs.dim() == 3:
            return batch.inputs
        with DepthwiseInFloat32():
            features = self.model.features(batch.inputs)
        return features if self.recipe.encoder.trainable else features.half().float()

    def _seed(self, rank: int) -> int:
        return (self.recipe.training.seed * 1009 + rank) * 1_000_003 + self.global_step

    def _record(self, split: str, step: Step, batch: Batch) -> float:
        """Log the value over the whole batch; returns the factor of this process's loss."""
        value, weight, factor = step.value, step.weight, 1.0
        if (processes := batch.share.world_size) > 1:
            own = (step.words, step.weight, float(step.value) * step.weight) if batch.share.counts else (0, 0, 0)
            dist.all_reduce(sums := torch.tensor(own, dtype=torch.float64, device=self.device))
            words, weight, total = sums.tolist()
            value = torch.tensor(total / weight, device=self.device)
            # Gradients are averaged over processes: each loss counts by its words, so that is the mean over all words.
            factor = processes * own[0] / words if words else 0.0
        name = f"{split}_{self.objective.value}"
        self.log(name, value, on_step=False, on_epoch=True, prog_bar=True, batch_size=int(weight))
        return factor


def make_trainer(
    module: CaptioningModule, ranks: Ranks, record: EpochRecord, out: Path, *, progress: bool
) -> L.Trainer:
    """A trainer that keeps the best and the last epoch in the run folder; raises as `shares_batch_statistics`."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in _NEEDLESS_WARNINGS:
        warnings.filterwarnings("ignore", message)
    training, objective = module.recipe.training, module.objective
    monitor, better = f"val_{objective.value}", str(objective.better)
    if score := training.monitor:
        monitor, better = f"val_{score}", "min" if is_lower_better(score) else "max"
    folder = out / CHECKPOINTS
    callbacks: list[Callback] = [
        OwnSigterm(),
        record,
        KeptEpoch(folder, "best", monitor=monitor, mode=better, enable_version_counter=False),
        # The best's own save_last saves only when the best improves: resuming would repeat every epoch after it.
        KeptEpoch(folder, "last", enable_version_counter=False),
    ]
    if training.patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=training.patience, mode=better))
    if progress:
        callbacks.append(OwnBar(refresh_rate=5))
    # Buffers are batch statistics, which are the same in all processes.
    together = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
    return L.Trainer(
        max_epochs=training.epochs,
        devices=ranks.local_world_size,
        num_nodes=ranks.world_size // ranks.local_world_size,
        strategy=together if ranks.world_size > 1 else "auto",
        sync_batchnorm=shares_batch_statistics(module, ranks),
        precision=_PRECISION[native_precision(training.precision)],  # type: ignore[arg-type]
        gradient_clip_val=training.gradient_clip,
        callbacks=callbacks,
        plugins=[WholeCheckpoints(), _GivenRanks(ranks)],
        logger=TensorBoardLogger(out / "logs", name="", version=""),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        enable_progress_bar=progress,
    )


def shares_batch_statistics(module: nn.Module, ranks: Ranks) -> bool:
    """Whether several processes take the statistics of batch normalisation over the whole batch: `nn.SyncBatchNorm`.

    ``module`` is in training mode; layers in evaluation mode keep their statistics. Raises `SightlineError` where they
    should and cannot: it needs GPUs, and layers that do nothing but batch normalisation.
    """
    learning = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d) and each.training]
    if ranks.world_size == 1 or not learning:
        return False
    others = {type(layer).__name__ for layer in learning if type(layer) is not nn.BatchNorm2d}
    if torch.cuda.is_available() and not others:
        return True
    where = f"GPUs with {', '.join(sorted(others))}" if torch.cuda.is_available() else "CPU processes"
    raise SightlineError(
        f"encoder.freeze_batch_norm: false: batch statistics cannot be learned by several {where}; set it to true, or"
        " train on one device (training.devices: 1)"
    )


def native_precision(precision: str) -> str:
    """The recipe's precision; ``auto`` is bfloat16 where the device computes in it, and float32 where it emulates."""
    if precision != "auto":
        return precision
    on_gpu = torch.cuda.is_available()
    native = torch.cuda.is_bf16_supported(including_emulation=False) if on_gpu else has_bfloat16()
    return "bfloat16" if native else "float32"


class _GivenRanks(TorchElasticEnvironment):
    """Tells Lightning of processes that run already, whatever the environment's variables say."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self.ranks = ranks

    def world_size(self) -> int:
        return self.ranks.world_size

    def global_rank(self) -> int:
        return self.ranks.rank

    def local_rank(self) -> int:
        return self.ranks.local_rank
