"""What Lightning needs to know: the loss, the optimiser, and that a step depends on seed and number alone."""

from __future__ import annotations

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
        encoder_learns: whether a batch's inputs are pixels and the encoder's weights are trained too.
        seed: decides dropout, together with the step's number.
    """

    def __init__(self, model: CaptionModel, learning_rate: float, encoder_learns: bool, seed: int) -> None:
        super().__init__()
        self.model = model
        self.learning_rate, self.encoder_learns, self.seed = learning_rate, encoder_learns, seed
        model.encoder.requires_grad_(encoder_learns)

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
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.Adam(learning, self.learning_rate, fused=True)

    def _loss(self, batch: Batch, name: str) -> Tensor:
        features = self.model.features(batch.inputs) if self.encoder_learns else batch.inputs
        loss, words = caption_loss(self.model(features, batch.captions).logits, batch.captions)
        self.log(name, loss.detach(), on_step=False, on_epoch=True, prog_bar=True, batch_size=words, sync_dist=True)
        return loss
