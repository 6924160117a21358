"""Caption scores while training: a `torchmetrics.Metric` for any module, and scores of a training's own epochs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.metrics import METRICS, Corpus, compute, scores_of, tokenizer_of
from sightline.metrics.tokenizers import fitting
from sightline.nn.model import CaptionModel
from sightline.nn.repeats import Repeats
from sightline.nn.search import search
from sightline.training.batches import Batch
from sightline.vocabulary import Vocabulary


class CaptionScore(Metric):
    """One score of all captions since the last reset, equal to `sightline.score`'s on the same captions.

    Call `update` and then ``self.log("val_cider", self.cider)`` in a validation step.

    CIDEr and others depend on all captions at once: the mean over batches would be another number. So captions are
    kept, as text in bytes, and gathered from all devices.

    Args:
        name: the score's, e.g. ``"CIDEr"`` or ``"BLEU-4"``.
        tokenizer: what makes words of captions, as `sightline.score` takes it.
        options: what every `torchmetrics.Metric` takes.

    Raises `SightlineError` if no metric gives such a score, or there is no such tokenizer.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    records: list[Tensor]

    def __init__(self, name: str = "CIDEr", tokenizer: str = "ptb", **options: Any) -> None:
        super().__init__(**options)
        if name not in (known := [score for metric in METRICS for score in scores_of(metric)]):
            raise SightlineError(f"no score is named {name!r}; choose from {', '.join(known)}")
        tokenizer_of(tokenizer)
        self.name, self.tokenizer = name, tokenizer
        self.add_state("records", [], dist_reduce_fx="cat")
        self.set_dtype(torch.uint8)  # what a process that saw no captions contributes

    def update(self, preds: Sequence[str], target: Sequence[Sequence[str]]) -> None:
        """Take a batch: a caption for each photo as it reads, and for each of the same photos its references.

        `SightlineError` if these are not strings, and lists of strings, of the same number of photos.
        """
        if len(preds) != len(target):
            count = len(target)
            raise SightlineError(f"{len(preds)} captions, but references of {count} photos; pass those of a batch")
        for caption, references in zip(preds, target, strict=True):
            if isinstance(references, str) or not all(isinstance(text, str) for text in (caption, *references)):
                raise SightlineError(
                    f"{[caption, references]!r:.60}: pass a string and a list of strings for each photo"
                )
            line = json.dumps([caption, list(references)]) + "\n"
            self.records.append(torch.frombuffer(bytearray(line, "ascii"), dtype=torch.uint8).to(self.device))

    def compute(self) -> Tensor:
        """The score, float32 (); `SightlineError` if it cannot be had, as METEOR without Java."""
        records = [self.records] if isinstance(self.records, Tensor) else self.records  # one, after gathering
        lines = b"".join(record.cpu().numpy().tobytes() for record in records).splitlines()
        if not lines:
            raise SightlineError(f"{self.name}: no captions since the last reset; nothing can be scored")
        captions, references = zip(*map(json.loads, lines), strict=True)
        corpus = Corpus.of_captions(dict(enumerate(captions)), dict(enumerate(references)), tokenizer=self.tokenizer)
        (score,) = compute(corpus, [self.name]).values()
        if score.value is None:
            raise SightlineError(f"{self.name}: {score.note}")
        return torch.tensor(score.value, dtype=torch.float32, device=self.device)


class GreedyCaptionScores(MetricCollection):
    """Scores ``names`` of the model's greedy captions of held-out photos, logged as ``val_CIDEr`` and so on.

    The captions of ``held_out`` are the references, and decide on the tokenizer, see `fitting`. The model's own
    repeat no more than ``repeats`` allows.
    """

    def __init__(
        self,
        names: Sequence[str],
        held_out: Sequence[Example],
        vocabulary: Vocabulary,
        repeats: Repeats | None,
        max_words: int,
    ) -> None:
        tokenizer = fitting([caption for example in held_out for caption in example.captions])
        super().__init__({name: CaptionScore(name, tokenizer) for name in names}, prefix="val_")
        self.held_out, self.vocabulary, self.max_words = held_out, vocabulary, max_words
        self._repeats = repeats

    def caption(self, model: CaptionModel, features: Tensor, batch: Batch) -> None:
        """Caption a batch and `update` by the captions; ``features`` (P, L, D) are those of its photos."""
        repeats = self._repeats and Repeats(*(tensor.to(features.device) for tensor in self._repeats))
        sentences, _ = search(model.decoder, model.prepare(features), 1, self.max_words, 0.0, repeats)
        captions = [self.vocabulary.read(ids).text for ids in sentences.tokens[:, 0].tolist()]
        self.update(captions, [self.held_out[photo].captions for photo in batch.photos.tolist()])
