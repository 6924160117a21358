"""Photos and their encoded captions as a torch dataset, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sightline.data.example import Example
from sightline.preprocess import Preprocessing, preprocess
from sightline.training.batches import encode_captions
from sightline.vocabulary import Vocabulary


class CaptionDataset(Dataset[tuple[Tensor, Tensor]]):
    """Item i: the pixels of photo i, float32 (3, size, size), and its captions, int64 (C, T).

    Captions are ids of the vocabulary, ``<end>`` included unless the caption is longer than ``max_words``, then
    ``<pad>``, 0. Rows of ``<pad>`` alone stand for captions that a photo has fewer than another. C and T are the same
    for all photos, so `torch.utils.data.DataLoader` makes batches (P, 3, size, size) and (P, C, T) of them by itself.

    Args:
        examples: a split of a dataset, as `sightline.data.dataset.Dataset.split` gives it.
        vocabulary: the model's.
        preprocessing: the encoder's, ``model.encoder.preprocessing``.
        max_words: the longest caption; longer ones are cut off.

    Raises `SightlineError` for an item whose photo cannot be read.
    """

    def __init__(
        self, examples: Sequence[Example], vocabulary: Vocabulary, preprocessing: Preprocessing, max_words: int = 20
    ) -> None:
        self.examples, self.preprocessing = examples, preprocessing
        self.captions = encode_captions(examples, vocabulary, max_words)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, photo: int) -> tuple[Tensor, Tensor]:
        pixels = preprocess(self.examples[photo].photo, self.preprocessing)
        return torch.from_numpy(pixels), torch.from_numpy(self.captions[photo].astype("int64"))
