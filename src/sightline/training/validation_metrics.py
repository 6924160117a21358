"""What the model writes about held-out photos at the end of an epoch, scored as captions are."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torchmetrics import MetricCollection

from sightline.data.example import Example
from sightline.metrics.tokenizers import fitting
from sightline.nn.model import CaptionModel
from sightline.nn.search import search
from sightline.training.batches import Batch
from sightline.training.metric import CaptionScore
from sightline.vocabulary import Vocabulary


class Written(MetricCollection):
    """Scores of greedy captions of held-out photos, logged as ``val_CIDEr`` and so on.

    Words are made of them by the tokenizer that fits the photos' own captions: for English, ptb.

    Args:
        names: the scores.
        held_out: the photos, whose captions are the references.
        vocabulary: what the model's words are.
        max_words: the longest sentence written.
    """

    def __init__(
        self, names: Sequence[str], held_out: Sequence[Example], vocabulary: Vocabulary, max_words: int
    ) -> None:
        tokenizer = fitting([caption for example in held_out for caption in example.captions])
        super().__init__({name: CaptionScore(name, tokenizer) for name in names}, prefix="val_")
        self.held_out, self.vocabulary, self.max_words = held_out, vocabulary, max_words

    def write(self, model: CaptionModel, features: Tensor, batch: Batch) -> None:
        """Caption a batch; ``features`` (P, L, D) are those of its photos."""
        sentences, _ = search(model.decoder, model.prepare(features), 1, self.max_words, 0.0)
        captions = [self.vocabulary.read(ids).text for ids in sentences.tokens[:, 0].tolist()]
        self.update(captions, [self.held_out[photo].captions for photo in batch.photos.tolist()])
