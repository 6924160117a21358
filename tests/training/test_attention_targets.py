import dataclasses

import numpy as np
import pytest

from sightline.data.example import Example, Region
from sightline.images.source import FileSource
from sightline.nn.prefix_tree import PrefixTree
from sightline.training.attention_targets import Phrases, Things
from sightline.training.batches import encode_captions
from sightline.vocabulary import END, SPECIAL_TOKENS, Vocabulary

LEFT, TOP_LEFT, RIGHT, SPECK = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1e-4, 1e-4)
EXAMPLES = (
    Example("bare", FileSource("bare"), ("a dog runs",)),
    Example(
        "two",
        FileSource("two"),
        ("a dog and a cat", "a dog sees red cats"),
        ((Region(0, 2, (LEFT,)), Region(3, 5, (RIGHT,))), (Region(0, 2, (RIGHT,)), Region(3, 5, (LEFT, TOP_LEFT)))),
    ),
    Example("one", FileSource("one"), ("one cat",), ((Region(1, 2, (SPECK,)),),)),
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
    taught = Phrases(EXAMPLES, (2, 2), vocabulary).taught([2, 1, 0], tree)
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
    phrases = Phrases(EXAMPLES, (1, 2), vocabulary)
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
    vocabulary = Vocabulary.from_captions([])
    assert len(Phrases(EXAMPLES, (7, 7), vocabulary).taught([0], tree).nodes) == 0


def test_a_phrase_is_taught_at_every_unit_of_its_words():
    example = dataclasses.replace(EXAMPLES[0], captions=("a red dog's ball",), regions=((Region(1, 3, (LEFT,)),),))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *["▁a", "▁re", "d", "▁do", "g's", "▁ball"]), "subwords")
    tree = PrefixTree.from_captions(encode_captions([example], vocabulary, 20))
    taught = Phrases([example], (1, 2), vocabulary).taught([0], tree)
    assert taught.nodes.tolist() == tree.node_of_word[0, 0, 1:5].tolist()  # re d do g's: no unit ends at the dog


def test_a_noun_that_the_model_says_asks_for_its_thing():
    vocabulary = Vocabulary.from_captions(["a dog sees cats , a cat and red dogs"])
    word = {name: index for index, name in enumerate(vocabulary.words)}
    said = [["cat", "sees", "dogs"], ["a", "red", "cats"]]
    targets = np.array([[[word[name] for name in words] + [END, 0] for words in said]] * 2)
    tree = PrefixTree.from_captions(targets)
    things = Things(EXAMPLES, (2, 2), vocabulary)
    taught = things.taught([1, 0], tree).taught(tree)
    node = tree.node_of_word[0].tolist()
    anywhere = [0.25] * 4
    assert by_node(taught) == {node[0][0]: anywhere, node[0][2]: anywhere, node[1][2]: anywhere}
    boxes = things.boxes[1].copy()
    boxes[:, 2] = boxes[:, 2].clip(max=0.5)  # what was on the right is cropped away
    boxes[:, 2] = np.maximum(boxes[:, 0], boxes[:, 2])
    taught = things.taught([0, 1], tree, [things.boxes[0], boxes]).taught(tree)
    left = [0.5, 0, 0.5, 0]
    node = tree.node_of_word[1].tolist()
    assert by_node(taught) == {node[0][0]: left, node[0][2]: left, node[1][2]: left}
    assert len(things.taught([0], tree, None).taught(PrefixTree.from_captions(targets[:1])).nodes) == 0
