import dataclasses

import numpy as np
import pytest
import torch

from sightline.data.example import Example, Region
from sightline.images.source import FileSource
from sightline.nn.prefix_tree import PrefixTree
from sightline.training.attention_targets import NounBoxes, PhraseBoxes
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


def by_node(targets, tree):
    """Node -> the sum of the shares of all words that it predicts."""
    nodes, rows = targets.rows(tree)
    return {int(node): targets.shares[rows[nodes == node]].sum(0).numpy().round(3).tolist() for node in nodes.unique()}


def test_every_word_of_a_phrase_has_its_boxes_as_target():
    vocabulary = Vocabulary.from_captions(caption for example in EXAMPLES for caption in example.captions)
    tree = PrefixTree.from_captions(encode_captions(EXAMPLES, vocabulary, 20)[[2, 1, 0]])
    targets = PhraseBoxes(EXAMPLES, (2, 2), vocabulary).targets([2, 1, 0], tree)
    node = tree.node_of_word[1].tolist()
    left, right, both = [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0.5] * 4
    assert node[0][:2] == node[1][:2]
    assert by_node(targets, tree) == {
        **{node[0][word]: both for word in (0, 1)},
        **{node[0][word]: right for word in (3, 4)},
        **{node[1][word]: left for word in (3, 4)},  # a box within another adds nothing
    }
    assert len(targets.nodes) == 8


def test_what_is_cut_off_or_cropped_away_has_no_target():
    vocabulary = Vocabulary.from_captions(caption for example in EXAMPLES for caption in example.captions)
    tree = PrefixTree.from_captions(encode_captions(EXAMPLES, vocabulary, 4)[[1, 0]])
    phrases = PhraseBoxes(EXAMPLES, (1, 2), vocabulary)
    node = tree.node_of_word[0].tolist()
    targets = phrases.targets([1, 0], tree)
    assert set(by_node(targets, tree)) == {node[0][0], node[0][1], node[0][3], node[1][3]}
    boxes = phrases.boxes[1].copy()
    boxes[[0, 3]] = [0.2, 0.0, 0.2, 1.0]
    boxes[2] = [0.25, 0.0, 0.75, 0.5]
    targets = phrases.targets([1, 0], tree, [boxes, phrases.boxes[0]])
    assert by_node(targets, tree) == {
        node[0][0]: pytest.approx([0.5, 0.5]),
        node[0][1]: pytest.approx([0.5, 0.5]),
        node[0][3]: pytest.approx([0, 1]),
        node[1][3]: pytest.approx([1, 0]),
    }


def test_a_batch_without_any_box_has_no_target():
    tree = PrefixTree.from_captions(np.array([[[4, 5, 2]]]))
    vocabulary = Vocabulary.from_captions([])
    assert len(PhraseBoxes(EXAMPLES, (7, 7), vocabulary).targets([0], tree).nodes) == 0


def test_a_phrase_has_a_target_at_every_unit_of_its_words():
    example = dataclasses.replace(EXAMPLES[0], captions=("a red dog's ball",), regions=((Region(1, 3, (LEFT,)),),))
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *["▁a", "▁re", "d", "▁do", "g's", "▁ball"]), "subwords")
    tree = PrefixTree.from_captions(encode_captions([example], vocabulary, 20))
    targets = PhraseBoxes([example], (1, 2), vocabulary).targets([0], tree)
    assert targets.nodes.tolist() == tree.node_of_word[0, 0, 1:5].tolist()  # re d do g's: no unit ends at the dog


def test_a_noun_of_a_sampled_caption_has_its_thing_as_target():
    vocabulary = Vocabulary.from_captions(["a dog sees cats , a cat and red dogs"])
    word = {name: index for index, name in enumerate(vocabulary.words)}
    sampled = [["cat", "sees", "dogs"], ["a", "red", "cats"]]
    captions = np.array([[[word[name] for name in words] + [END, 0] for words in sampled]] * 2)
    tree = PrefixTree.from_captions(captions)
    things = NounBoxes(EXAMPLES, (2, 2), vocabulary)
    targets = things.targets([1, 0], tree)
    node = tree.node_of_word[0].tolist()
    anywhere = [0.25] * 4
    assert by_node(targets, tree) == {node[0][0]: anywhere, node[0][2]: anywhere, node[1][2]: anywhere}
    boxes = things.boxes[1].copy()
    boxes[:, 2] = boxes[:, 2].clip(max=0.5)  # what was on the right is cropped away
    boxes[:, 2] = np.maximum(boxes[:, 0], boxes[:, 2])
    targets = things.targets([0, 1], tree, [things.boxes[0], boxes])
    left = [0.5, 0, 0.5, 0]
    node = tree.node_of_word[1].tolist()
    assert by_node(targets, tree) == {node[0][0]: left, node[0][2]: left, node[1][2]: left}
    alone = PrefixTree.from_captions(captions[:1])
    assert by_node(things.targets([0], alone), alone) == {}


def test_targets_of_phrases_refuse_other_captions_than_the_annotated_ones():
    vocabulary = Vocabulary.from_captions(caption for example in EXAMPLES for caption in example.captions)
    ids = encode_captions(EXAMPLES, vocabulary, 20)[[1]]
    targets = PhraseBoxes(EXAMPLES, (2, 2), vocabulary).targets([1], PrefixTree.from_captions(ids))
    for other in (ids[:, ::-1], ids[:, :1]):
        tree = PrefixTree.from_captions(other)
        with pytest.raises(ValueError, match="NounBoxes"):
            targets.loss(torch.full((len(tree.nodes), 4), 0.25), tree)
