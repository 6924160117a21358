import numpy as np
import torch

from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import END, PAD, START


def path(tree, p, c, t):
    """The words that were read on the way to the node which foretells word t of caption c."""
    columns = torch.cat(tree.tokens, 1).shape[1]
    starts = np.cumsum([0] + [level.shape[1] for level in tree.tokens])
    flat = int(tree.nodes[tree.node_of_word[p, c, t]])
    photo, column = divmod(flat, columns)
    assert photo == p
    level = int(np.searchsorted(starts, column, side="right")) - 1
    node = column - starts[level]
    words = []
    for depth in range(level, -1, -1):
        words.append(int(tree.tokens[depth][p, node]))
        node = int(tree.parents[depth][p, node])
    return words[::-1]


def test_every_word_is_foretold_from_exactly_the_words_before_it():
    random = np.random.default_rng(0)
    targets = np.zeros((4, 5, 9), np.int64)
    for index in np.ndindex(4, 5):
        length = int(random.integers(1, 9))
        targets[index][:length] = random.integers(4, 6, length)
        targets[index][length] = END
    targets[2, 3:] = PAD
    tree = PrefixTree.from_captions(targets)
    for p, c in np.ndindex(4, 5):
        for t in range(int((targets[p, c] != PAD).sum())):
            assert path(tree, p, c, t) == [START, *targets[p, c, :t]]


def test_a_shared_beginning_is_one_node():
    targets = np.array([[[4, 5, 6, END], [4, 5, 7, END], [4, 8, END, PAD]]])
    tree = PrefixTree.from_captions(targets)
    assert [level.shape[1] for level in tree.tokens] == [1, 1, 2, 2]
    assert len(tree.nodes) == 1 + 1 + 2 + 2
    assert tree.node_of_word[0, 0, 2] == tree.node_of_word[0, 1, 2] != tree.node_of_word[0, 2, 2]
