"""Batches of photos with all their captions, and the loader of each split."""

from __future__ import annotations

import math
import signal
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from sightline.data.check import CUT_OFF_SHARE
from sightline.data.example import Example
from sightline.data.large.packed import captions_of
from sightline.nn.encoder import Encoder
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import Preprocessing, open_photo, preprocess
from sightline.training.attention_targets import AttentionTargets, NounBoxes, PhraseBoxes
from sightline.training.augment import augment
from sightline.training.data import TrainingData, unreadable_told
from sightline.training.distributed import Ranks
from sightline.training.features import FeatureCache
from sightline.training.recipe import Recipe
from sightline.training.sampler import Draw, LengthSampler, Share, large_shards
from sightline.vocabulary import END, PAD, Vocabulary

_IN_MEMORY = 64_000_000  # bytes
_ROWS = 100_000  # photos that are copied at once: fewer than would fill the memory

Ids: TypeAlias = NDArray[np.unsignedinteger[Any]]


class Batch(NamedTuple):
    """P photos and their captions."""

    inputs: Tensor  # float32, annotation vectors (P, L, D) of a frozen encoder, or pixels (P, 3, size, size)
    captions: PrefixTree  # teacher forcing's inputs and targets
    photos: Tensor  # int64 (P,), their indices in the split
    share: Share  # which photos of the whole batch these are, where several processes share it
    attention_targets: AttentionTargets | None = None  # where attention should lie, if it is supervised


def encode_captions(examples: Sequence[Example], vocabulary: Vocabulary, max_words: int) -> Ids:
    """(N, C, T): every photo's captions as ids, ``<pad>`` after the end and where a photo has fewer than C.

    Two bytes an id, four with more than 65,536 words. Above 64 MB the array is a map of an unnamed file, so that its
    memory can be reclaimed.
    """
    dtype = np.uint16 if len(vocabulary) <= 1 << 16 else np.uint32
    ids, lengths, counts = array("H" if dtype is np.uint16 else "I"), array("I"), array("I")

    def captions() -> Iterator[str]:
        for several in captions_of(examples):
            counts.append(len(several))
            yield from several

    for some, long in vocabulary.encode_many(captions(), max_words):
        ids.frombytes(some.astype(dtype).tobytes())
        lengths.frombytes(long.astype(np.uint32).tobytes())
    return _laid_out(np.frombuffer(ids, dtype), np.frombuffer(lengths, np.uint32), np.frombuffer(counts, np.uint32))


def tell_cut_off(targets: Ids, max_words: int, say: Callable[[str], None]) -> None:
    """Say how many captions of ``targets``, see `encode_captions`, have no end, if they are more than a few."""
    captions = int((targets[:, :, 0] != PAD).sum())
    cut = 1 - int((targets == END).sum()) / max(1, captions)
    if cut >= CUT_OFF_SHARE:
        why = "the model does not learn where these end; set it higher"
        say(f"{cut:.0%} of captions are cut off at vocabulary.max_words: {max_words}: {why}")


def _laid_out(ids: Ids, lengths: NDArray[np.uint32], counts: NDArray[np.uint32]) -> Ids:
    """Concatenated captions, the length of each, and the number of captions a photo -> (N, C, T)."""
    shape = len(counts), int(counts.max()), int(lengths.max())
    if math.prod(shape) * ids.itemsize < _IN_MEMORY:
        targets = np.zeros(shape, ids.dtype)
    else:
        with tempfile.TemporaryFile() as file:
            targets = np.memmap(file, ids.dtype, "w+", shape=shape)
    caption = word = 0
    for start in range(0, len(counts), _ROWS):
        part = counts[start : start + _ROWS]
        held = np.zeros((len(part), targets.shape[1]), np.uint32)
        captions = int(part.sum())
        held[np.arange(targets.shape[1]) < part[:, None]] = lengths[caption : caption + captions]
        words = int(held.sum())
        targets[start : start + _ROWS][np.arange(targets.shape[2]) < held[:, :, None]] = ids[word : word + words]
        caption, word = caption + captions, word + words
    return targets


@dataclass(eq=False)
class CachedFeatures(Dataset[Batch]):
    """Batches whose inputs come from a `FeatureCache`; ``things`` if attention is supervised."""

    rows: NDArray[np.float16]
    row_of_photo: NDArray[np.int64]
    targets: Ids
    things: PhraseBoxes | NounBoxes | None = None

    def __getitem__(self, draw: Draw) -> Batch:
        features = torch.from_numpy(self.rows[self.row_of_photo[draw.photos]]).float()
        captions = PrefixTree.from_captions(self.targets[draw.photos])
        attention = self.things.targets(draw.photos, captions) if self.things else None
        return Batch(features, captions, torch.tensor(draw.photos), draw.share, attention)


@dataclass(eq=False)
class Pixels(Dataset[Batch]):
    """Batches whose inputs are decoded from the photos, for encoders that are trained.

    Without ``augment_seed`` a photo is shown as it is; otherwise `augment` changes it, differently in each epoch.
    """

    examples: Sequence[Example]
    preprocessing: Preprocessing
    targets: Ids
    augment_seed: int | None = None
    things: PhraseBoxes | NounBoxes | None = None

    def __getitem__(self, draw: Draw) -> Batch:
        with unreadable_told():
            pixels, boxes = zip(*(self._pixels_and_boxes(photo, draw.epoch) for photo in draw.photos), strict=True)
        captions = PrefixTree.from_captions(self.targets[draw.photos])
        attention = self.things.targets(draw.photos, captions, boxes) if self.things else None
        return Batch(torch.from_numpy(np.stack(pixels)), captions, torch.tensor(draw.photos), draw.share, attention)

    def _pixels_and_boxes(self, photo: int, epoch: int | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The photo's pixels, and its boxes (B, 4) in them."""
        example = self.examples[photo]
        boxes = self.things.boxes[photo] if self.things else np.zeros((0, 4), np.float32)
        if self.augment_seed is None or epoch is None:
            return preprocess(example.photo, self.preprocessing), boxes
        size = self.preprocessing.size
        seed = (self.augment_seed * 10_007 + epoch) * 1_000_003 + photo
        image, boxes = augment(open_photo(example.photo, size), size, example.captions, boxes, seed)
        return preprocess(image, self.preprocessing), boxes


def make_loaders(
    recipe: Recipe,
    dataset: TrainingData,
    targets: dict[str, Ids],
    vocabulary: Vocabulary,
    encoder: Encoder,
    cache: Path,
    ranks: Ranks,
    say: Callable[[str], None],
) -> dict[str, DataLoader[Any]]:
    """A loader of `Batch` for each split, giving this process its share of every batch.

    ``targets``: see `encode_captions`. A frozen encoder's features are computed first and kept in ``cache``, if there
    is room.
    """
    training = recipe.training
    features = None if recipe.encoder.trainable else _features(cache, encoder, dataset, ranks, say)
    augment_seed = training.seed if recipe.encoder.augmentation else None
    loading: dict[str, Any] = {"num_workers": training.workers, "persistent_workers": training.workers > 0}
    loaders = {}
    for split, photos in dataset.examples.items():
        learns = split == "train"
        boxes: PhraseBoxes | NounBoxes | None = None
        if learns and training.attention_supervision:
            boxes = (NounBoxes if training.samples_captions else PhraseBoxes)(photos, encoder.grid, vocabulary)
        data: CachedFeatures | Pixels
        if features:
            rows = features.rows([example.photo for example in photos], _report(f"{split} features", say), ranks)
            data = CachedFeatures(*rows, targets[split], boxes)
        else:
            data = Pixels(photos, encoder.preprocessing, targets[split], augment_seed if learns else None, boxes)
        seed, shown, shards = (training.seed, dataset.shown, large_shards(photos)) if learns else (None, None, None)
        sampler = LengthSampler(targets[split], training.batch_size, seed, ranks.rank, ranks.world_size, shown, shards)
        loaders[split] = DataLoader(
            data, None, sampler=sampler, collate_fn=_shared, worker_init_fn=_ignore_signals, **loading
        )
    return loaders


def _shared(batch: Any) -> Any:
    """The batch, in shared memory if a loading process made it: where that is full, this raises.

    Otherwise a thread of that process would fail while it hands the batch over, and the training would wait for ever.
    """
    if get_worker_info():
        for tensor in _tensors(batch):
            tensor.share_memory_()
    return batch


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _tensors(each)


def _ignore_signals(worker: int) -> None:
    """A loading process ends when the training does: Ctrl-C and SIGTERM reach the trainer, which answers them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _features(
    cache: Path, encoder: Encoder, dataset: TrainingData, ranks: Ranks, say: Callable[[str], None]
) -> FeatureCache | None:
    """The cache, if the disk has room for the features of all photos; ``say`` is told if not."""
    photos, features = sum(map(len, dataset.examples.values())), FeatureCache(cache, encoder)
    if ranks.decided_by_rank_zero(features.has_room(photos)):
        return features
    size = f"{photos * features.row_bytes / 1e9:.0f} GB, over half of what is free"
    say(f"{cache}: no room for the features of {photos:,} photos ({size}); every epoch computes them, which is slower")
    return None


def _report(what: str, say: Callable[[str], None]) -> Callable[[int, int], None]:
    started = time.perf_counter()
    reported = 0

    def report(done: int, total: int) -> None:
        nonlocal reported
        if done // 1024 > reported // 1024 or done == total > reported:
            reported = done
            rate = done / (time.perf_counter() - started)
            say(f"{what}: {done} of {total} photos encoded, {rate:.0f} a second")

    return report
