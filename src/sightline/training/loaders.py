"""The batches of a training: cached features of a resting encoder, or photos for one that learns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from sightline.nn.encoder import Encoder
from sightline.training.attention_targets import NounBoxes, PhraseBoxes
from sightline.training.batches import CachedFeatures, Ids, LengthSampler, Pixels
from sightline.training.data import TrainingData
from sightline.training.features import FeatureCache
from sightline.training.interruption import leave_signals_to_the_trainer
from sightline.training.ranks import Ranks
from sightline.training.recipe import Recipe
from sightline.training.sampler import large_shards
from sightline.vocabulary import Vocabulary


def make_loaders(
    recipe: Recipe,
    read: TrainingData,
    targets: dict[str, Ids],
    vocabulary: Vocabulary,
    encoder: Encoder,
    cache: Path,
    ranks: Ranks,
    say: Callable[[str], None],
) -> dict[str, DataLoader[Any]]:
    """A loader of `Batch` for each split, giving this process its share of every batch.

    ``targets``: see `encode_captions`. A resting encoder's features are computed first and kept in ``cache``.
    """
    settings = recipe.training
    loaders = {}
    for split, photos in read.examples.items():
        seed = settings.seed if split == "train" else None
        things: PhraseBoxes | NounBoxes | None = None
        if split == "train" and settings.attention_supervision:
            by_caption = settings.objective == "cross_entropy"
            things = (PhraseBoxes if by_caption else NounBoxes)(photos, encoder.grid, vocabulary)
        data: CachedFeatures | Pixels
        if recipe.encoder.trainable or not _keeps_features(
            cache, encoder, read, ranks, say if split == "train" else None
        ):
            augment_seed = seed if recipe.encoder.augmentation else None
            data = Pixels(photos, encoder.preprocessing, targets[split], augment_seed, things)
        else:
            where = [example.photo for example in photos]
            rows, places = FeatureCache(cache, encoder).rows(where, _report(f"{split} features", say), ranks)
            data = CachedFeatures(rows, places, targets[split], things)
        loaders[split] = DataLoader(
            data,
            batch_size=None,
            sampler=LengthSampler(
                targets[split],
                settings.batch_size,
                seed,
                ranks.rank,
                ranks.world_size,
                read.shown if split == "train" else None,
                large_shards(photos) if split == "train" else None,
            ),
            num_workers=settings.workers,
            persistent_workers=settings.workers > 0,
            worker_init_fn=leave_signals_to_the_trainer,
        )
    return loaders


def _keeps_features(
    cache: Path, encoder: Encoder, read: TrainingData, ranks: Ranks, say: Callable[[str], None] | None
) -> bool:
    """Whether the features of all photos are kept; ``say`` is told if not: photos are encoded as they are shown."""
    photos = sum(map(len, read.examples.values()))
    features = FeatureCache(cache, encoder)
    if ranks.as_rank_zero_says(features.has_room(photos)):
        return True
    if say:
        say(
            f"{cache}: no room for the features of {photos:,} photos ({photos * features.row_bytes / 1e9:.0f} GB, over"
            " half of what is free); they are encoded anew in every epoch, which takes longer"
        )
    return False


def _report(what: str, say: Callable[[str], None]) -> Callable[[int, int], None]:
    started = time.perf_counter()
    told = 0

    def report(done: int, total: int) -> None:
        nonlocal told
        if done // 1024 > told // 1024 or done == total > told:
            told = done
            rate = done / (time.perf_counter() - started)
            say(f"{what}: {done} of {total} photos encoded, {rate:.0f} a second")

    return report
