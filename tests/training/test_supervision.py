from pathlib import Path

import numpy as np
import pytest

from sightline.data.dataset import Example
from sightline.data.regions import Region
from sightline.nn.prefix_tree import PrefixTree
from sightline.training.batches import encode_captions
from sightline.training.supervision import Phrases
from sightline.vocabulary import Vocabulary

LEFT, TOP_LEFT, RIGHT, SPECK = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1e-4, 1e-4)
EXAMPLES = (
    Example("bare", Path("bare"), ("a dog runs",)),
    Example(
        "two",
        Path("two"),
        ("a dog and a cat", "a dog sees red cats"),
        ((Region(0, 2, (LEFT,)), Region(3, 5, (RIGHT,))), (Region(0, 2, (RIGHT,)), Region(3, 5, (LEFT, TOP_LEFT)))),
    ),
    Example("one", Path("one"), ("one cat",), ((Region(1, 2, (SPECK,)),),)),
)


def by_node(taught):
    """Node -> the sum of what all words that it foretells ask for."""
    return {
        int(node): taught.shares[taught.phrases[taught.nodes == node]].sum(0).numpy().round(3).tolist()
        for node in taught.nodes.unique()
    }


def test_every_word_of_a_phrase_asks_for_its_boxes():
    vocabulary = Vocabulary.from_captions(caption for example in EXAMPLES for caption in example.captions)
    tree = PrefixTree.from_captions(encode_captions(EXAMPLES, vocabulary, 20)[[2, 1, 0]])
    taught = Phrases(EXAMPLES, (2, 2)).taught([2, 1, 0], tree)
    node = tree.node_of_word[1].tolist()
    left, right, both = [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5] * 4
    assert node[0][:2] == node[1][:2]
    assert by_node(taught) == {
        **{node[0][word]: both for word in (0, 1)},
        **{node[0][word]: right for word in (3, 4)},
        **{node[1][word]: left for word in (3, 4)},  # a box within another adds nothing
    }
    assert len(taught.nodes) == 8


def test_what_is_cut_off_or_cropped_away_asks_for_nothing():
    vocabulary = Vocabulary.from_captions(caption for example in EXAMPLES for caption in example.captions)
    tree = PrefixTree.from_captions(encode_captions(EXAMPLES, vocabulary, 4)[[1, 0]])
    phrases = Phrases(EXAMPLES, (1, 2))
    node = tree.node_of_word[0].tolist()
    taught = phrases.taught([1, 0], tree)
    assert set(by_node(taught)) == {node[0][0], node[0][1], node[0][3], node[1][3]}
    boxes = phrases.boxes[1].copy()
    boxes[[0, 3]] = [0.2, 0.0, 0.2, 1.0]
    boxes[2] = [0.25, 0.0, 0.75, 0.5]
    taught = phrases.taught([1, 0], tree, [boxes, phrases.boxes[0]])
    assert by_node(taught) == {
        node[0][0]: pytest.approx([0.5, 0.5]),
        node[0][1]: pytest.approx([0.5, 0.5]),
        node[0][3]: pytest.approx([0, 1]),
        node[1][3]: pytest.approx([1, 0]),
    }


def test_a_batch_without_any_box_teaches_nothing():
    tree = PrefixTree.from_captions(np.array([[[4, 5, 2]]]))
    assert len(Phrases(EXAMPLES, (7, 7)).taught([0], tree).nodes) == 0
