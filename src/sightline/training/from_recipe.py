"""What a recipe says of learning -> the objective, and what Lightning trains by it."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.data.example import Example
from sightline.nn.model import CaptionModel
from sightline.training.batches import Ids
from sightline.training.module import CaptioningModule
from sightline.training.objective import CrossEntropy, Objective
from sightline.training.recipe import Recipe
from sightline.training.reward_penalties import Penalty, TruncatedCaption, UnknownNouns
from sightline.training.self_critical import SelfCritical
from sightline.training.validation_metrics import Written
from sightline.vocabulary import Vocabulary


def make_objective(
    recipe: Recipe, examples: Sequence[Example], vocabulary: Vocabulary, targets: dict[str, Ids]
) -> Objective:
    """What the training strives for; ``examples``: its photos; ``targets``, of train and val, see `encode_captions`."""
    settings = recipe.training
    if settings.objective == "cross_entropy":
        return CrossEntropy(settings.label_smoothing, settings.attention_entropy, settings.attention_supervision)
    penalties: list[tuple[Penalty, float]] = []
    if settings.hallucination_penalty:
        penalties.append((UnknownNouns(examples, vocabulary), settings.hallucination_penalty))
    if settings.break_off_penalty:
        penalties.append((TruncatedCaption(targets["train"]), settings.break_off_penalty))
    return SelfCritical(
        targets["train"],
        targets["val"],
        samples=settings.samples,
        max_words=recipe.vocabulary.max_words,
        attention_entropy=settings.attention_entropy,
        attention_supervision=settings.attention_supervision,
        penalties=penalties,
        bleu_weight=settings.bleu_weight,
        cross_entropy_weight=settings.cross_entropy_weight,
    )


def make_module(
    model: CaptionModel, objective: Objective, recipe: Recipe, held_out: Sequence[Example], vocabulary: Vocabulary
) -> CaptioningModule:
    """The model with its objective, what of it learns at which rates, and how its captions of photos are scored."""
    rate = recipe.training.learning_rate
    encoder_rate = (recipe.encoder.learning_rate or rate) if recipe.encoder.trainable else None
    keep = not recipe.encoder.trainable or recipe.encoder.freeze_batch_norm
    cosine = recipe.training.schedule == "cosine"
    frozen = recipe.encoder.frozen_blocks
    scores = recipe.training.written_scores()
    written = Written(scores, held_out, vocabulary, recipe.vocabulary.max_words) if scores else None
    return CaptioningModule(model, objective, rate, recipe.training.seed, encoder_rate, frozen, keep, cosine, written)
