import torch

from sightline.nn.model import DecoderEnsemble
from sightline.nn.prefix_tree import PrefixTree
from sightline.testing.decoders import captions_with_shared_beginnings
from tests.nn.conftest import make_members


def test_probabilities_and_attention_are_the_means_of_the_members(features):
    members = make_members()
    ensemble = DecoderEnsemble(members)
    features, tree = features.float(), PrefixTree.from_captions(captions_with_shared_beginnings(3, 4))
    said = [member(own, tree) for member, own in zip(members, features.split([4, 3], dim=2), strict=True)]
    outputs, attention = ensemble.teacher_force(ensemble.prepare(features), tree)

    expected = sum(each.logits.softmax(1) for each in said) / 2
    found = ensemble.logits(outputs.flatten(0, 1)[tree.nodes]).softmax(1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(attention.flatten(0, 1)[tree.nodes], sum(each.attention for each in said) / 2)
    assert (said[0].logits.softmax(1) - expected).abs().max() > 0.01
