"""Training obeys the equations: a shortcut is taken only where it gives what the plain way gives."""

import numpy as np
import pytest
import torch
from torch import nn

from sightline.nn import attention
from sightline.nn.attention import AdditiveAttention
from sightline.nn.decoder import Decoder
from sightline.nn.encoder import Folding, SmallCNN, StridedConvolution, fused
from sightline.nn.gru_sequence import AttentionGRU
from sightline.nn.lstm import LSTMDecoder
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import DECODERS
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.search import search
from sightline.nn.transformer import TransformerDecoder
from sightline.training.batches import Batch
from sightline.training.module import CaptioningModule
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.recipe import Recipe

TREE = PrefixTree.from_captions(np.array([[[5, 6, 7, 2], [5, 6, 2, 0], [4, 2, 0, 0]]] * 2))
FEATURES = torch.randn(2, 64, 96, generator=torch.Generator().manual_seed(0))
OPTIONS = {"gru": {"attention_size": 16}, "lstm": {"attention_size": 16}, "transformer": {"layers": 2, "heads": 2}}


def make_model(name="gru", encoder=SmallCNN, **options):
    torch.manual_seed(0)
    return CaptionModel(encoder(), DECODERS[name](9, 96, hidden_size=16, **OPTIONS[name], **options)).train()


def lines_at_the_start(model):
    """Which shortcuts a training of ``model`` does not take."""
    return CaptioningModule(model, CrossEntropy(), Recipe()).slower


def loss_and_gradients(model):
    model.zero_grad()
    torch.manual_seed(0)
    loss = CrossEntropy().training(model, FEATURES, Batch(FEATURES, TREE, torch.arange(2), None), 0).loss
    loss.backward()
    return loss.item(), {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


def searched(model):
    with torch.no_grad():
        memory = model.eval().prepare(FEATURES)
        found = search(model.decoder, memory, 2, 5, 1.0)[0].attention[:, :, 1]  # at the second word
    model.train()
    return found


@pytest.mark.parametrize("query", ["hidden", "hidden_and_word"])
def test_an_unedited_gru_takes_the_written_out_gradient_and_the_common_product(query, monkeypatch):
    model, taken = make_model(query=query), []
    plain_loss, plain = loss_and_gradients(model)  # before a training has compared them
    apply = AttentionGRU.apply
    monkeypatch.setattr(AttentionGRU, "apply", lambda *inputs: taken.append(inputs) or apply(*inputs))
    random = torch.get_rng_state()
    assert lines_at_the_start(model) == []
    assert torch.equal(random, torch.get_rng_state()) and model.decoder.training
    taken.clear()
    loss, gradients = loss_and_gradients(model)
    assert len(taken) == 1
    assert loss == pytest.approx(plain_loss)
    for name, gradient in plain.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-6)
    monkeypatch.setattr(AdditiveAttention, "query", None)  # the search does not call it either
    searched(model)


@pytest.mark.parametrize(("name", "options"), [("gru", {"attention": "once"}), ("lstm", {}), ("transformer", {})])
def test_other_unedited_decoders_take_every_shortcut(name, options):
    model = make_model(name, **options)
    assert lines_at_the_start(model) == []
    assert all(part.quick for part in model.modules() if hasattr(part, "quick"))


def sharper(self, keys, query, visible=None):
    return attention.softmax_over(3 * attention.energies(attention.layer(keys, query), self.v), visible)


def flat(self, keys, query, visible=None):
    return attention.softmax_over(0 * attention.energies(attention.layer(keys, query), self.v), visible)


def with_dropout(self, keys, query, visible=None):
    alpha = attention.softmax_over(attention.energies(attention.layer(keys, query), self.v), visible)
    return nn.functional.dropout(alpha, 0.5, self.training)


def sharper_when_generating(self, keys, query, visible=None):
    return (
        sharper(self, keys, query if self.training else 2 * query, visible)
        if not self.training
        else PLAIN(self, keys, query, visible)
    )


PLAIN = AdditiveAttention.forward


@pytest.mark.parametrize("name", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("owner", "function", "edit"),
    [
        (AdditiveAttention, "forward", flat),
        (AdditiveAttention, "forward", sharper),
        (AdditiveAttention, "query", lambda self, hidden: 5 * self.W_h(hidden) + 1),
        (attention, "energies", lambda layer, v: layer @ (4 * v)),
        (attention, "layer", lambda keys, query: (keys.unsqueeze(1) + query.unsqueeze(2)).relu()),
        (attention, "softmax_over", lambda energies, visible: energies.sigmoid() / 64),
    ],
)
def test_an_edited_equation_changes_training_and_search_alike(name, owner, function, edit, monkeypatch):
    model = make_model(name)
    assert lines_at_the_start(model) == []
    before, gradients, found = *loss_and_gradients(model), searched(model)
    monkeypatch.setattr(owner, function, edit)
    lines = lines_at_the_start(model)
    assert ["GRUDecoder" in line and "1.2 times as long" in line for line in lines] == [True] * (name == "gru")
    after, edited = loss_and_gradients(model)
    assert after != before
    assert not torch.allclose(edited["decoder.attention.v"], gradients["decoder.attention.v"], rtol=1e-2, atol=0)
    assert not torch.allclose(searched(model), found, rtol=1e-3)
    memory = model.prepare(FEATURES)
    for ours, steps in zip(
        model.decoder.teacher_force(memory, TREE), Decoder.teacher_force(model.decoder, memory, TREE), strict=True
    ):
        assert torch.equal(ours, steps)
    monkeypatch.undo()
    assert lines_at_the_start(model) == []


def test_an_edit_after_the_model_was_loaded_changes_teacher_forcing(monkeypatch):
    model = make_model().eval()
    before = model(FEATURES, TREE).attention
    monkeypatch.setattr(AdditiveAttention, "forward", flat)
    torch.testing.assert_close(model(FEATURES, TREE).attention, torch.full_like(before, 1 / 64))


@pytest.mark.parametrize("edit", [with_dropout, sharper_when_generating])
def test_edits_for_training_or_for_generating_alone_are_noticed(edit, monkeypatch):
    monkeypatch.setattr(AdditiveAttention, "forward", edit)
    assert len(lines_at_the_start(make_model())) == 1


class DotProduct(nn.Module):
    def __init__(self):
        super().__init__()
        self.of_photo, self.of_words = nn.Linear(96, 8), nn.Linear(16, 8)

    def keys(self, features):
        return self.of_photo(features)

    def query(self, hidden):
        return self.of_words(hidden)

    def forward(self, keys, query, visible=None):
        return attention.softmax_over(query @ keys.transpose(1, 2), visible)


class Sharper(AdditiveAttention):
    forward = sharper


@pytest.mark.parametrize("replacement", [DotProduct, lambda: Sharper(96, 16, 16)])
def test_a_replaced_attention_trains_and_searches(replacement):
    model = make_model()
    model.decoder.attention = replacement()
    assert len(lines_at_the_start(model)) == 1
    _, gradients = loss_and_gradients(model)
    of_attention = [grad for name, grad in gradients.items() if name.startswith("decoder.attention")]
    assert of_attention and all(float(grad.abs().max()) > 0 for grad in of_attention[:1])
    assert searched(model).shape[:2] == (2, 2)


def edited_step(mixes):
    def edit(plain):
        def step(self, memory, state, words, visible=None):
            output, alpha, state = plain(self, memory, state, words, visible)
            return output + output.mean(1, keepdim=True) if mixes else 2 * output, alpha, state

        return step

    return edit


@pytest.mark.parametrize(
    ("name", "kind", "mixes", "off"),
    [("transformer", TransformerDecoder, False, "TransformerDecoder"), ("lstm", LSTMDecoder, True, "CaptionModel")],
)
def test_an_edited_step_changes_training(name, kind, mixes, off, monkeypatch):
    model = make_model(name, dropout=0.0)
    lines_at_the_start(model)
    before, _ = loss_and_gradients(model)
    monkeypatch.setattr(kind, "step", edited_step(mixes)(kind.step))
    (line,) = lines_at_the_start(model)
    assert off in line and "times as long" in line
    assert loss_and_gradients(model)[0] != before


class Standardised(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight / self.weight.std(), self.bias)


def with_standardised():
    encoder = SmallCNN()
    encoder.layers[0] = Standardised(3, 32, 4, 2, padding=1, bias=False)
    return encoder


def test_a_replaced_convolution_is_computed_as_written():
    model = make_model(encoder=with_standardised)
    (line,) = lines_at_the_start(model)
    assert "layers" in line and "times as long" in line
    model.eval()
    pixels = torch.randn(2, 3, 64, 64)
    expected = nn.Sequential(*model.encoder.layers)(pixels)
    assert torch.equal(model.encoder.feature_map(pixels), expected)
    with torch.inference_mode():  # as features are cached
        torch.testing.assert_close(fused(model.encoder).feature_map(pixels), expected, rtol=1e-3, atol=1e-5)


class Thinned(SmallCNN):
    """With a depthwise convolution of stride 2 that has no normalisation after it."""

    def __init__(self):
        super().__init__()
        self.layers = Folding(*self.layers[:-3], StridedConvolution(96, 96, 3, stride=2, groups=96), nn.ReLU())


def test_an_edited_strided_convolution_is_computed_as_written(monkeypatch):
    encoder = Thinned()
    assert encoder.take_shortcuts() == []
    norm = next(module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d))
    assert int(norm.num_batches_tracked) == 0 and norm.training
    encoder.layers[-2].padding_mode, encoder.layers[-2]._reversed_padding_repeated_twice = "reflect", [1, 1, 1, 1]
    assert encoder.take_shortcuts() == ["layers.9"]
    assert encoder.layers.quick and not encoder.layers[9].quick
