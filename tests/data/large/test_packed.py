"""Packed examples are the same one by one, all at once, and again; what is remembered of them does not change."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from sightline.data.dataset import read_dataset
from sightline.data.example import Example
from sightline.data.large.packed import Examples, Joined, captions_of
from sightline.data.large.write_shards import write_shards
from sightline.data.provenance import fingerprint
from sightline.images.source import FileSource, ParquetSource
from sightline.shapes.draw import draw_shapes

EXAMPLES = [
    Example("größe \udcff.jpg", FileSource("/there/größe \udcff.jpg"), ('a "dog" \\ runs', "ein Hund läuft")),
    Example("b.jpg", FileSource("/there/b.jpg"), ("狗\u2028跑 😀",)),
    Example("c.jpg", FileSource("/there/c.jpg"), ("a", "b", "c\td")),
]


@pytest.mark.parametrize(
    "examples",
    [EXAMPLES, [*EXAMPLES, Example("d", ParquetSource("t.parquet", "image", 3), ("d",))]],
    ids=["files", "mixed"],
)
def test_packed_examples_are_the_same_however_they_are_asked_for(examples):
    packed = Examples.pack(examples)
    assert list(packed) == [packed[place] for place in range(len(packed))] == examples
    assert list(packed.take(np.array([2, 0]))) == [examples[2], examples[0]]
    joined = Joined([packed, packed[1:], examples])
    expected = [list(example.captions) for example in [*examples, *examples[1:], *examples]]
    assert [list(captions) for captions in captions_of(joined)] == expected


def test_a_mapped_index_can_be_gone_through_again_and_again(tmp_path):
    draw_shapes(tmp_path / "drawn", photos=30, seed=3)
    write_shards(tmp_path / "drawn", tmp_path / "shards", shard_bytes=10_000)
    examples = read_dataset(tmp_path / "shards").split("train")
    one_by_one = [examples[place] for place in range(len(examples))]
    assert list(examples) == list(examples) == one_by_one
    assert [tuple(captions) for captions in captions_of(examples)] == [each.captions for each in one_by_one]
    assert [each.photo.read() for each in examples] == [each.photo.read() for each in one_by_one]


def test_captions_are_remembered_as_json_writes_them(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"12345")
    captions = ('a "dog" \\ runs', "狗\u2028跑 😀", "\ud800\x01")
    example = Example("x/a.jpg", FileSource(str(tmp_path / "a.jpg")), captions)
    key = hashlib.sha256(b"5 a.jpg").digest()[:6]
    expected = hashlib.sha256(key + json.dumps(captions).encode()).hexdigest()[:20]
    assert fingerprint({"train": [example]})["train"]["captions"] == expected
