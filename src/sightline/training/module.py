"""What Lightning needs to know: the loss, the optimiser, and that a step depends on seed and number alone."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch
from sightline.training.depthwise import DepthwiseInFloat32
from sightline.training.objective import Objective, Step
from sightline.training.validation_metrics import Written


class CaptioningModule(L.LightningModule):
    """A `CaptionModel` that learns by an objective.

    Several processes that share every batch learn what one would that had it whole: the mean over all words.

    Args:
        model: what is trained.
        objective: what it strives for.
        learning_rate: Adam's.
        seed: decides dropout, together with the step's number.
        encoder_learning_rate: at which the encoder's weights are trained; None where it is frozen, and a batch's inputs
            may be its annotation vectors instead of pixels.
        frozen_blocks: how many of a learning encoder's blocks, from the pixels on, keep their weights.
        keep_statistics: whether the encoder's batch normalisation keeps the means and variances it came with.
        cosine: whether learning rates fall along half a cosine to nothing at the last step.
        written: scores what the model writes about held-out photos; None where nobody asked.
    """

    def __init__(
        self,
        model: CaptionModel,
        objective: Objective,
        learning_rate: float,
        seed: int,
        encoder_learning_rate: float | None = None,
        frozen_blocks: int = 0,
        keep_statistics: bool = False,
        cosine: bool = False,
        written: Written | None = None,
    ) -> None:
        super().__init__()
        self.model, self.objective, self.cosine, self.written = model, objective, cosine, written
        self.learning_rate, self.seed = learning_rate, seed
        self.encoder_learning_rate, self.keep_statistics = encoder_learning_rate, keep_statistics
        model.encoder.requires_grad_(encoder_learning_rate is not None)
        self._frozen = model.encoder.blocks()[:frozen_blocks]
        for block in self._frozen:
            block.requires_grad_(False)
        # Convolutions are quicker on channels that lie together.
        model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> CaptioningModule:
        """Training mode, from which kept statistics stay out."""
        super().train(mode)
        for part in [self.model.encoder] if self.keep_statistics else self._frozen:
            part.eval()
        return self

    def on_train_epoch_start(self) -> None:
        """Choose the epoch's order by its number."""
        self.trainer.train_dataloader.sampler.set_epoch(self.current_epoch)  # type: ignore[union-attr]

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Seed dropout by the step's number: a resumed training then repeats an unbroken one."""
        torch.manual_seed(self._seed(self.global_rank))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """What the optimiser lowers."""
        step = self.objective.training(self.model, self._features(batch), batch, self._seed(rank=0))
        return step.loss * self._record("train", step, batch)

    def validation_step(self, batch: Batch, index: int) -> None:
        """The objective's value on held-out photos, without dropout."""
        features = self._features(batch)
        self._record("val", self.objective.held_out(self.model, features, batch), batch)
        if self.written is not None and batch.share.counts:
            self.written.write(self.model, features, batch)

    def on_validation_epoch_end(self) -> None:
        """Score what was written about all held-out photos."""
        if self.written is not None:
            self.log_dict(self.written.compute(), sync_dist=True)  # the same number on every device
            self.written.reset()

    def configure_optimizers(self) -> Any:
        """Adam over whatever learns."""
        encoder = list(self.model.encoder.parameters())
        held = {id(parameter) for parameter in encoder}
        groups: list[dict[str, Any]] = [{"params": [weight for weight in self.parameters() if id(weight) not in held]}]
        if self.encoder_learning_rate is not None:
            learning = [weight for weight in encoder if weight.requires_grad]
            groups.append({"params": learning, "lr": self.encoder_learning_rate})
        # A fused step undoes mixed precision's scaling itself, after gradients would have been clipped.
        fused = self._trainer is None or self.trainer.gradient_clip_val is None
        adam = torch.optim.Adam(groups, self.learning_rate, fused=fused)
        if not self.cosine:
            return adam
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _features(self, batch: Batch) -> Tensor:
        # (P, L, D) are kept features; what a resting encoder makes of pixels is rounded as these are.
        if batch.inputs.dim() == 3:
            return batch.inputs
        with DepthwiseInFloat32():
            features = self.model.features(batch.inputs)
        return features.half().float() if self.encoder_learning_rate is None else features

    def _seed(self, rank: int) -> int:
        return (self.seed * 1009 + rank) * 1_000_003 + self.global_step

    def _record(self, split: str, step: Step, batch: Batch) -> float:
        """Log the value over the whole batch; returns by what to multiply this process's loss."""
        value, weight, factor = step.value, step.weight, 1.0
        if (processes := batch.share.world_size) > 1:
            own = (step.words, step.weight, float(step.value) * step.weight) if batch.share.counts else (0, 0, 0)
            sums = torch.tensor(own, dtype=torch.float64, device=self.device)
            dist.all_reduce(sums)
            words, weight, total = sums.tolist()
            value = torch.tensor(total / weight, device=self.device)
            # What is lowered is the mean over processes: the mean over all words, if each loss counts by its words.
            factor = processes * own[0] / words if words else 0.0
        name = f"{split}_{self.objective.value}"
        self.log(name, value, on_step=False, on_epoch=True, prog_bar=True, batch_size=int(weight))
        return factor
