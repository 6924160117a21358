"""What every registered encoder and decoder promises."""

import numpy as np
import torch

from sightline.nn.decoder import Decoder, select
from sightline.nn.encoder import ENCODERS, fused
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import PAD, START
from tests.nn.conftest import FEATURE_SIZE, LOCATIONS, captions_with_shared_beginnings, make_decoder


def one_caption_at_a_time(decoder, features, targets):
    """The plain meaning of teacher forcing: a loop over photos, captions and words. Yields (p, c, t, logits, alpha)."""
    for p, c in np.ndindex(targets.shape[:2]):
        memory = decoder.prepare(features[p : p + 1])
        state = decoder.initial_state(memory)
        previous = START
        for t, target in enumerate(targets[p, c]):
            if target == PAD:
                break
            output, alpha, state = decoder.step(memory, state, decoder.embed(torch.tensor([[previous]])))
            yield p, c, t, decoder.logits(output)[0, 0], alpha[0, 0]
            previous = int(target)


def test_shared_teacher_forcing_equals_one_caption_at_a_time(decoder, features):
    targets = captions_with_shared_beginnings(3, 4)
    tree = PrefixTree.from_captions(targets)
    outputs, attention = decoder.teacher_force(decoder.prepare(features), tree)
    logits = decoder.logits(outputs.flatten(0, 1)[tree.nodes])
    attention = attention.flatten(0, 1)[tree.nodes]

    words = 0
    for p, c, t, expected_logits, expected_alpha in one_caption_at_a_time(decoder, features, targets):
        node = tree.node_of_word[p, c, t]
        torch.testing.assert_close(logits[node], expected_logits)
        torch.testing.assert_close(attention[node], expected_alpha)
        words += 1
    assert words == (targets != PAD).sum()


def test_gradients_equal_those_of_the_steps(decoder, features):
    """A decoder may write its own way through the tree; the steps decide what is right."""
    tree = PrefixTree.from_captions(captions_with_shared_beginnings(3, 4))
    gradients = []
    for teacher_force in (type(decoder).teacher_force, Decoder.teacher_force):
        decoder.zero_grad()
        inputs = features.clone().requires_grad_()
        outputs, attention = teacher_force(decoder, decoder.prepare(inputs), tree)
        weights = torch.Generator().manual_seed(0)
        loss = (outputs * torch.rand(outputs.shape, generator=weights, dtype=torch.double)).sum()
        loss = loss + (attention * torch.rand(attention.shape, generator=weights, dtype=torch.double)).sum()
        loss.backward()
        named = {name: weight.grad.clone() for name, weight in decoder.named_parameters() if weight.grad is not None}
        gradients.append({"features": inputs.grad, **named})
    assert gradients[0].keys() == gradients[1].keys()
    assert gradients[1]["features"].abs().max() > 0
    for name, expected in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], expected, msg=lambda text, name=name: f"{name}: {text}")


def test_step_shapes_and_attention(decoder, features):
    memory = decoder.prepare(features)
    parents = torch.zeros(3, 5, dtype=torch.int64)
    state = select(decoder.initial_state(memory), parents)
    output, attention, state = decoder.step(memory, state, decoder.embed(torch.full((3, 5), START)))
    assert output.shape == (3, 5, decoder.output_size)
    assert attention.shape == (3, 5, LOCATIONS)
    torch.testing.assert_close(attention.sum(2), torch.ones(3, 5, dtype=torch.double))
    assert all(tensor.shape[:2] == (3, 5) for tensor in state)


def test_words_depend_on_the_photo_and_on_the_words_before(decoder, features):
    tree = PrefixTree.from_captions(captions_with_shared_beginnings(3, 1))
    outputs, _ = decoder.teacher_force(decoder.prepare(features), tree)
    moved, _ = decoder.teacher_force(decoder.prepare(features + torch.randn(1, 1, FEATURE_SIZE)), tree)
    assert not torch.allclose(outputs, moved)
    memory = decoder.prepare(features)
    state = decoder.initial_state(memory)
    one, other = (decoder.step(memory, state, decoder.embed(torch.full((3, 1), word)))[0] for word in (4, 5))
    assert not torch.allclose(one, other)


def test_a_fused_encoder_gives_the_same_features_and_leaves_the_original(encoder):
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
    # In double precision: through so many kinks, rounding alone would send single numbers another way.
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.double)
    quick = fused(encoder.double().train())
    assert encoder.training
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
    with torch.no_grad():
        expected = encoder.eval()(pixels)
        torch.testing.assert_close(quick(pixels), expected, atol=1e-4 * float(expected.abs().max()), rtol=0)


def test_encoder_gives_its_grid_row_by_row(encoder):
    size, (height, width) = encoder.preprocessing.size, encoder.grid
    pixels = torch.randn(2, 3, size, size)
    with torch.no_grad():
        features, feature_map = encoder(pixels), encoder.feature_map(pixels)
    assert features.shape == (2, height * width, encoder.feature_size)
    assert feature_map.shape == (2, encoder.feature_size, height, width)
    torch.testing.assert_close(features[:, 1 * width + 2], feature_map[:, :, 1, 2])


def test_an_annotation_vector_of_the_small_encoder_sees_around_the_middle_of_its_cell():
    encoder = ENCODERS["small_cnn"]().eval()
    size, (height, width) = encoder.preprocessing.size, encoder.grid
    pixels = torch.randn(1, 3, size, size, requires_grad=True)
    row, column = 3, 4  # far enough from the border for all that it sees to lie inside
    encoder.feature_map(pixels)[0, :, row, column].sum().backward()
    seen = pixels.grad.abs().sum((0, 1)).nonzero()
    middle = (seen.amin(0) + seen.amax(0) + 1) / 2
    torch.testing.assert_close(middle, torch.tensor([(row + 0.5) * size / height, (column + 0.5) * size / width]))


def test_attention_by_the_word_depends_on_the_word_and_by_the_hidden_state_alone_does_not(features):
    def looked(decoder, word):
        memory = decoder.prepare(features)
        return decoder.step(memory, decoder.initial_state(memory), decoder.embed(torch.full((3, 1), word)))[1]

    for query, differ in (("hidden", False), ("hidden_and_word", True)):
        decoder = make_decoder("gru", query=query)
        assert torch.allclose(looked(decoder, 4), looked(decoder, 5)) != differ
