import torch

from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.sampling import sample, without_specials
from sightline.vocabulary import END, PAD
from tests.nn.conftest import make_decoder


def test_sentences_come_as_often_as_the_model_says(features):
    decoder = make_decoder("gru")
    torch.manual_seed(5)
    memory = decoder.prepare(features[:1])
    drawn = sample(decoder, memory, 40_000, 2)
    assert drawn.shape == (1, 40_000, 2)
    sentences, counts = drawn[0].unique(dim=0, return_counts=True)
    tree = PrefixTree.from_captions(sentences[None].numpy())
    outputs, _ = decoder.teacher_force(memory, tree)
    log_probs = without_specials(decoder.logits(outputs.flatten(0, 1)[tree.nodes])).log_softmax(1)
    words = tree.targets[0]
    each = log_probs[tree.node_of_word[0], words.clamp(min=0)].masked_fill(words == PAD, 0)
    expected = each.sum(1).exp()
    torch.testing.assert_close(expected.sum(), torch.ones((), dtype=expected.dtype))  # every sentence was met
    torch.testing.assert_close(counts / 40_000, expected.to(torch.float32), atol=0.01, rtol=0)


def test_processes_draw_for_their_photos_what_one_draws_for_all(features):
    decoder = make_decoder("gru")
    photos = torch.cat([features, features.flip(1), features + 1])

    def draw(places, whole):
        generator = torch.Generator().manual_seed(3)
        return sample(decoder, decoder.prepare(photos[places]), 4, 6, generator, places, whole)

    together = draw(slice(None), len(photos))
    for rank in range(2):
        mine = draw(places := slice(rank, len(photos), 2), len(photos))
        assert torch.equal(mine, together[places, :, : mine.shape[2]])


def test_nothing_but_words_is_drawn_and_only_padding_follows_the_end(features):
    torch.manual_seed(0)
    drawn = sample(decoder := make_decoder("gru"), decoder.prepare(features), 200, 12)
    after_end = (drawn == END).cumsum(2) - (drawn == END).long() > 0
    assert bool((drawn[after_end] == PAD).all())
    assert set(drawn[~after_end].unique().tolist()) <= {END, 4, 5, 6, 7, 8}
