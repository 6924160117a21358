"""What every objective, and every penalty, promises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sightline.data.example import Example, Region
from sightline.images.source import FileSource
from sightline.nn.gru import GRUDecoder
from sightline.nn.library_encoders import make_encoder
from sightline.nn.model import CaptionModel
from sightline.nn.prefix_tree import PrefixTree
from sightline.registry import make
from sightline.training.batches import Batch, Ids, encode_captions
from sightline.training.build import make_objective
from sightline.training.objective import Objective, Step
from sightline.training.recipe import Recipe
from sightline.training.registries import PENALTIES
from sightline.training.sampler import Share
from sightline.vocabulary import Vocabulary

_CAPTIONS = (("a red dog runs", "the dog plays"), ("two cats", "two black cats sleep here"), ("a dog", "a red ball"))
_MAX_WORDS = 6


def check_objective(name: str, **options: Any) -> None:
    """Check a registered objective, by its name and its ``options`` of the recipe, on three photos.

    - The loss is a finite number, a mean over words, whose gradient reaches the decoder; the same seed gives the same.
    - The held-out value is a finite number, and a mean: that of the photos, each by its weight, is that of the batch,
      so that several devices give what one gives.
    - It says under which name its value is recorded, how people call it, and whether less or more is better.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError, ValidationError: there is no such objective, or it has no such option.
    """
    examples, vocabulary, targets, model = _training()
    training = {"objective": name, "objective_options": options}
    recipe = Recipe.model_validate({"encoder": {"name": "small_cnn"}, "training": training})
    objective = make_objective(recipe, examples, vocabulary, {"train": targets, "val": targets})
    assert objective.better in ("min", "max"), f"better is min or max, not {objective.better!r}"
    assert objective.value.isidentifier() and objective.label, "value names a column, label is for people"
    features = torch.rand(len(targets), 64, model.encoder.feature_size)
    step = _train(objective, model, features, targets)
    assert step.loss.shape == () and math.isfinite(float(step.loss)), "the loss is a finite number"
    assert step.words > 0 and step.weight > 0 and math.isfinite(float(step.value)), "and so is the value"
    model.zero_grad()
    step.loss.backward()  # type: ignore[no-untyped-call]
    gradients = [weight.grad for weight in model.decoder.parameters() if weight.grad is not None]
    assert gradients and all(bool(each.isfinite().all()) for each in gradients), "gradients reach the decoder"
    again = _train(objective, model, features, targets)
    assert float(again.loss.detach()) == float(step.loss.detach()), "the same seed gives the same loss"
    _check_held_out(objective, model.eval(), features, targets)


def _train(objective: Objective, model: CaptionModel, features: Tensor, targets: Ids) -> Step:
    torch.manual_seed(0)  # dropout
    return objective.training(model.train(), features, _batch(features, targets), seed=1)


@torch.no_grad()
def _check_held_out(objective: Objective, model: CaptionModel, features: Tensor, targets: Ids) -> None:
    whole = objective.held_out(model, features, _batch(features, targets))
    assert math.isfinite(float(whole.value)) and whole.weight > 0, "the held-out value is a finite number"
    weight = total = 0.0
    for photo in range(len(targets)):
        own = slice(photo, photo + 1)
        step = objective.held_out(model, features[own], _batch(features[own], targets[own], photo))
        weight, total = weight + step.weight, total + float(step.value) * step.weight
    assert weight == whole.weight, "weights of the photos add up to the batch's"
    close = 1e-4 * max(1.0, abs(float(whole.value)))
    assert abs(total / weight - float(whole.value)) < close, "the value is no mean over the photos"


def check_penalty(name: str, **options: Any) -> None:
    """Check a registered penalty, by its name and its ``options`` of the recipe.

    - It counts, from 0 on, int64 (P, C).
    - Padding, and other photos beside, make no difference.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such penalty.
    """
    examples, vocabulary, targets, _ = _training()
    given = {"examples": examples, "vocabulary": vocabulary, "max_words": _MAX_WORDS}
    penalty = make(PENALTIES[name], {**given, "train_targets": targets, "val_targets": targets}, options)
    drawn, references = torch.from_numpy(targets[::-1].copy()).long(), torch.from_numpy(targets.copy()).long()
    counts = penalty.count(drawn, references)
    assert counts.shape == drawn.shape[:2] and counts.dtype == torch.int64, "counts are int64 (P, C)"
    assert (counts >= 0).all(), "a fault occurs no less than 0 times"
    padded = penalty.count(torch.nn.functional.pad(drawn, (0, 2)), torch.nn.functional.pad(references, (0, 3)))
    assert torch.equal(counts, padded), "padding makes a difference"
    alone = penalty.count(drawn[1:2], references[1:2])
    assert torch.equal(counts[1:2], alone), "other photos beside make a difference"


def _training() -> tuple[list[Example], Vocabulary, Ids, CaptionModel]:
    """Three photos, which are not there, with two captions each; a tiny model with fresh weights."""
    somewhere = (Region(0, 2, ((0.0, 0.0, 0.5, 1.0),)),)
    examples = [
        Example(f"{number}.jpg", FileSource(str(Path(f"{number}.jpg"))), captions, (somewhere, somewhere))
        for number, captions in enumerate(_CAPTIONS)
    ]
    vocabulary = Vocabulary.from_captions([caption for captions in _CAPTIONS for caption in captions])
    targets = encode_captions(examples, vocabulary, _MAX_WORDS)
    torch.manual_seed(0)
    encoder = make_encoder("small_cnn")
    decoder = GRUDecoder(len(vocabulary), encoder.feature_size, 16, 8, 12)
    return examples, vocabulary, targets, CaptionModel(encoder, decoder)


def _batch(features: Tensor, targets: Ids, first: int = 0) -> Batch:
    photos = len(targets)
    tree = PrefixTree.from_captions(targets)
    return Batch(features, tree, torch.arange(first, first + photos), Share(0, 1, photos))
