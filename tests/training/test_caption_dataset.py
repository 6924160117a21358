"""Photos and captions for a loop of one's own: the same numbers as a training's own batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import sightline
from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.images.source import FileSource
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import preprocess
from sightline.training.caption_dataset import CaptionDataset
from sightline.vocabulary import END, PAD, Vocabulary


@pytest.fixture(scope="module")
def examples(data) -> Sequence[Example]:
    return sightline.read_dataset(data).split("train")


def test_items_are_pixels_and_every_caption_encoded(examples, tiny):
    vocabulary = Vocabulary.from_captions(caption for example in examples for caption in example.captions)
    photos = CaptionDataset(examples, vocabulary, tiny.model.encoder.preprocessing)
    assert len(photos) == len(examples) == 24
    for example, (pixels, captions) in zip(examples[:3], photos, strict=False):
        np.testing.assert_array_equal(pixels, preprocess(example.photo, tiny.model.encoder.preprocessing))
        assert (pixels.dtype, captions.dtype) == (torch.float32, torch.int64)
        for caption, ids in zip(example.captions, captions.tolist(), strict=True):
            end = ids.index(END)
            assert vocabulary.read(ids[:end]).text == caption.lower() and set(ids[end + 1 :]) <= {PAD}


def test_long_captions_are_cut_off_and_missing_ones_are_padding(examples, tiny):
    photo = examples[0].photo
    two = [Example("a", photo, ("a dog runs far",)), Example("b", photo, ("a dog", "a cat"))]
    vocabulary = Vocabulary.from_captions(["a dog runs far", "a cat"])
    photos = CaptionDataset(two, vocabulary, tiny.model.encoder.preprocessing, max_words=3)
    _, captions = next(iter(DataLoader(photos, batch_size=2)))
    assert captions.shape == (2, 2, 3)
    assert not captions[0, 1].any() and END not in captions[0, 0] and captions[1, 0].tolist()[2] == END


def test_a_photo_that_cannot_be_read_is_named(tmp_path, tiny):
    (tmp_path / "broken.png").write_text("no photo")
    examples = [Example("broken.png", FileSource(str(tmp_path / "broken.png")), ("a dog",))]
    photos = CaptionDataset(examples, tiny.vocabulary, tiny.model.encoder.preprocessing)
    with pytest.raises(SightlineError, match=r"broken\.png"):
        photos[0]


def test_outputs_are_what_teacher_forcing_gives_at_each_word(examples, tiny):
    photos = CaptionDataset(examples, tiny.vocabulary, tiny.model.encoder.preprocessing)
    pixels, captions = next(iter(DataLoader(photos, batch_size=4)))
    captions = torch.nn.functional.pad(captions, (0, 2))  # a level that no caption of the batch has
    with torch.no_grad():
        outputs = tiny.model.outputs(pixels, captions)
        tree = PrefixTree.from_captions(captions.numpy())
        forced = tiny.model(tiny.model.features(pixels), tree)
    assert outputs.logits.shape == (*captions.shape, len(tiny.vocabulary))
    assert outputs.attention.shape == (*captions.shape, 8 * 8)
    torch.testing.assert_close(outputs.attention.sum(3), torch.ones(captions.shape))
    real = captions != PAD
    here, there = tree.targets != PAD, tree.node_of_word
    torch.testing.assert_close(outputs.logits[real], forced.logits[there[here]])
    torch.testing.assert_close(outputs.features, tiny.model.features(pixels))
    expected = cross_entropy(forced.logits[there[here]], tree.targets[here])
    torch.testing.assert_close(cross_entropy(outputs.logits[real], captions[real]), expected)
