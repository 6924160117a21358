"""An objective: what a training minimises.

sightline train --plugin objective.py --set training.objective=focal --set training.objective_options={gamma: 1.0} ...
"""

from dataclasses import dataclass, field
from typing import Annotated

from torch import Tensor

from sightline.nn.model import CaptionModel
from sightline.nn.options import Weight
from sightline.training.batches import Batch
from sightline.training.objective import OBJECTIVES, Step
from sightline.vocabulary import PAD


@OBJECTIVES.register("focal")
@dataclass(eq=False)
class Focal:
    """The focal loss (Lin et al. 2017, eq. 4), mean over the words: -(1 - p)^gamma log p(word | photo, words before).

    Words that the model knows already count less. The recorded value is the plain cross-entropy, gamma 0, by which
    epochs are compared.
    """

    gamma: Annotated[Weight, "0: cross-entropy; above, words that are likely already count less."] = 2.0
    # Columns `train_loss` and `val_loss` of metrics.csv; the best epoch has the lowest held-out value.
    value: str = field(default="loss", init=False)
    better: str = field(default="min", init=False)
    label: str = field(default="loss (nats a word)", init=False)

    def training(self, model: CaptionModel, features: Tensor, batch: Batch, seed: int) -> Step:
        """``features`` (P, L, D) of the batch's photos; the captions share their beginnings in a tree, see `Batch`."""
        captions = batch.captions
        real = captions.targets != PAD
        forced = model(features, captions)  # logits (N, V) and attention (N, L) at the tree's N nodes
        log_probs = forced.logits.float().log_softmax(dim=1)
        log_p = log_probs[captions.node_of_word[real], captions.targets[real]]
        words = len(log_p)
        loss = -((1 - log_p.exp()) ** self.gamma * log_p).mean()
        return Step(loss, words, -log_p.detach().mean(), words)

    def held_out(self, model: CaptionModel, features: Tensor, batch: Batch) -> Step:
        """As `training`, without gradients and with dropout off."""
        return self.training(model, features, batch, seed=0)
