"""What Lightning needs to know: the loss, the optimiser, and that a step depends on seed and number alone."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch
from sightline.training.loss import caption_loss


class CaptioningModule(L.LightningModule):
    """Teacher forcing of a `CaptionModel`.

    Args:
        model: what is trained.
        learning_rate: Adam's.
        seed: decides dropout, together with the step's number.
        encoder_learning_rate: None where the encoder is frozen and a batch's inputs are its annotation vectors;
            otherwise they are pixels, and the encoder's weights are trained at this rate.
        keep_statistics: whether the encoder's batch normalisation keeps the means and variances it came with.
    """

    def __init__(
        self,
        model: CaptionModel,
        learning_rate: float,
        seed: int,
        encoder_learning_rate: float | None = None,
        keep_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.learning_rate, self.seed = learning_rate, seed
        self.encoder_learning_rate, self.keep_statistics = encoder_learning_rate, keep_statistics
        model.encoder.requires_grad_(encoder_learning_rate is not None)

    def train(self, mode: bool = True) -> CaptioningModule:
        """Training mode, in which kept statistics stay out."""
        super().train(mode)
        if self.keep_statistics:
            self.model.encoder.eval()
        return self

    def on_train_epoch_start(self) -> None:
        """Choose the epoch's order by its number."""
        self.trainer.train_dataloader.sampler.set_epoch(self.current_epoch)  # type: ignore[union-attr]

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Seed dropout by the step's number: a resumed training then repeats an unbroken one."""
        torch.manual_seed((self.seed * 1009 + self.global_rank) * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The mean negative log-likelihood of the batch's words."""
        return self._loss(batch, "train_loss")

    def validation_step(self, batch: Batch, index: int) -> None:
        """The same on held-out captions, without dropout."""
        self._loss(batch, "val_loss")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over whatever learns."""
        encoder = list(self.model.encoder.parameters())
        held = {id(parameter) for parameter in encoder}
        groups: list[dict[str, Any]] = [{"params": [weight for weight in self.parameters() if id(weight) not in held]}]
        if self.encoder_learning_rate is not None:
            groups.append({"params": encoder, "lr": self.encoder_learning_rate})
        return torch.optim.Adam(groups, self.learning_rate, fused=True)

    def _loss(self, batch: Batch, name: str) -> Tensor:
        frozen = self.encoder_learning_rate is None
        features = batch.inputs if frozen else self.model.features(batch.inputs)
        loss, words = caption_loss(self.model(features, batch.captions).logits, batch.captions)
        self.log(name, loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=words, sync_dist=True)
        return loss
