"""What every registered encoder and decoder promises, `sightline.testing`, and what only some do."""

import torch

from sightline.nn.encoder import ENCODERS, fused
from sightline.testing import check_decoder, check_encoder
from tests.nn.conftest import make_decoder


def test_decoders_keep_their_promises(decoder):
    check_decoder(decoder)


def test_encoders_keep_their_promises(encoder):
    check_encoder(encoder)


def test_no_batch_normalisation_is_left_in_a_fused_encoder(encoder):
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused(encoder).modules())


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
