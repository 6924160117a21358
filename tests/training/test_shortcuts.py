"""Training obeys the equations: a quick way is taken only where it gives what the plain way gives."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from sightline.nn import attention
from sightline.nn.attention import AdditiveAttention
from sightline.nn.decoder import Decoder
from sightline.nn.encoder import Folding, SmallCNN, StridedConvolution
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import DECODERS
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.transformer import TransformerDecoder
from sightline.training.batches import Batch
from sightline.training.objective import CrossEntropy
from sightline.training.shortcuts import check_shortcuts

OPTIONS = {"gru": {"attention_size": 16}, "lstm": {"attention_size": 16}, "transformer": {"layers": 2, "heads": 2}}
TREE = PrefixTree.from_captions(np.array([[[5, 6, 7, 2], [5, 6, 2, 0], [4, 2, 0, 0]]] * 2))


def make_model(name: str = "gru", **options: object) -> CaptionModel:
    torch.manual_seed(0)
    return CaptionModel(SmallCNN(), DECODERS[name](9, 96, hidden_size=16, **OPTIONS[name], **options)).train()


def lines_of(model: CaptionModel) -> list[str]:
    lines: list[str] = []
    check_shortcuts(model, lines.append)
    return lines


def loss_and_gradients(model: CaptionModel) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    features = torch.randn(2, 64, 96, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    loss = CrossEntropy().training(model, features, Batch(features, TREE, torch.arange(2), None), 0).loss
    loss.backward()
    return float(loss), {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


@pytest.mark.parametrize(
    ("name", "options"), [("gru", {}), ("gru", {"attention": "once"}), ("lstm", {}), ("transformer", {})]
)
def test_unedited_decoders_take_the_quick_way_and_say_nothing(name, options):
    model = make_model(name, **options)
    random, modes = torch.get_rng_state(), [module.training for module in model.modules()]
    assert lines_of(model) == []
    assert torch.equal(random, torch.get_rng_state())
    assert modes == [module.training for module in model.modules()]
    assert all(weight.grad is None for weight in model.parameters()) and model.shares_beginnings
    if name != "lstm":
        model.decoder.quick = Mock(wraps=model.decoder.quick)
        loss_and_gradients(model)
        model.decoder.quick.assert_called_once()


def scaled(self, keys, query, visible=None):
    return attention.softmax_over(3 * attention.energies(attention.layer(keys, query), self.v), visible)


def with_dropout(self, keys, query, visible=None):
    alpha = attention.softmax_over(attention.energies(attention.layer(keys, query), self.v), visible)
    return nn.functional.dropout(alpha, 0.5, self.training)


def doubled(layer, v):
    return layer @ (4 * v)


@pytest.mark.parametrize(
    ("owner", "name", "edit"),
    [
        (AdditiveAttention, "forward", scaled),
        (AdditiveAttention, "forward", with_dropout),
        (AdditiveAttention, "query", lambda self, hidden: 5 * self.W_h(hidden) + 1),
        (attention, "energies", doubled),
        (attention, "softmax_over", lambda energies, visible: energies.sigmoid() / 64),
    ],
)
def test_an_edited_equation_changes_training(owner, name, edit, monkeypatch):
    model = make_model()
    before, gradients = loss_and_gradients(model)
    monkeypatch.setattr(owner, name, edit)
    (line,) = lines_of(model)
    assert "step by step" in line and "times as long" in line
    after, edited = loss_and_gradients(model)
    assert after != before
    assert not torch.allclose(edited["decoder.attention.v"], gradients["decoder.attention.v"], rtol=1e-2, atol=0)
    model.eval()
    features = torch.randn(2, 64, 96, generator=torch.Generator().manual_seed(0))
    memory = model.prepare(features)
    for ours, steps in zip(
        model.decoder.teacher_force(memory, TREE), Decoder.teacher_force(model.decoder, memory, TREE), strict=True
    ):
        torch.testing.assert_close(ours, steps)
    monkeypatch.undo()
    assert lines_of(model.train()) == []


class DotProduct(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.of_photo, self.of_words = nn.Linear(96, 8), nn.Linear(16, 8)

    def keys(self, features):
        return self.of_photo(features)

    def query(self, hidden):
        return self.of_words(hidden)

    def forward(self, keys, query, visible=None):
        return attention.softmax_over(query @ keys.transpose(1, 2), visible)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_replaced_attention_trains(name):
    model = make_model(name)
    model.decoder.attention = DotProduct()
    assert [line.partition(":")[2][:22] for line in lines_of(model)] == [" training step by step"] * (name == "gru")
    _, gradients = loss_and_gradients(model)
    assert float(gradients["decoder.attention.of_words.weight"].abs().max()) > 0


def test_an_edited_step_of_the_transformer_changes_training(monkeypatch):
    model = make_model("transformer", dropout=0.0)
    before, _ = loss_and_gradients(model)
    plain = TransformerDecoder.step

    def step(self, memory, state, words, visible=None):
        output, alpha, state = plain(self, memory, state, words, visible)
        return output * 2, alpha, state

    monkeypatch.setattr(TransformerDecoder, "step", step)
    (line,) = lines_of(model)
    assert "step by step" in line
    assert loss_and_gradients(model)[0] != before


def test_a_decoder_that_mixes_captions_reads_each_by_itself(monkeypatch):
    model = make_model("lstm", dropout=0.0)
    before, _ = loss_and_gradients(model)
    plain = type(model.decoder).step

    def step(self, memory, state, words, visible=None):
        output, alpha, state = plain(self, memory, state, words, visible)
        return output + output.mean(1, keepdim=True), alpha, state

    monkeypatch.setattr(type(model.decoder), "step", step)
    (line,) = lines_of(model)
    assert "by itself" in line and not model.shares_beginnings
    assert loss_and_gradients(model)[0] != before


def test_each_caption_by_itself_is_the_tree():
    model = make_model("gru", dropout=0.0)
    together = loss_and_gradients(model)
    model.shares_beginnings = False
    alone = loss_and_gradients(model)
    assert alone[0] == pytest.approx(together[0])
    for name, gradient in together[1].items():
        torch.testing.assert_close(alone[1][name], gradient, rtol=1e-3, atol=1e-6)


class Standardised(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight / self.weight.std(), self.bias)


def test_edited_convolutions_are_computed_as_written(monkeypatch):
    model = make_model()
    model.encoder.layers[0] = Standardised(3, 32, 4, 2, padding=1, bias=False)
    (line,) = lines_of(model)
    assert "encoder's layers layers differ" in line and "times as long" in line
    pixels = torch.randn(2, 3, 64, 64)
    model.eval()
    torch.testing.assert_close(model.encoder.feature_map(pixels), nn.Sequential(*model.encoder.layers)(pixels))

    strided = StridedConvolution(4, 4, 3, stride=2, groups=4)
    assert strided.agrees() and Folding(strided, nn.BatchNorm2d(4)).agrees()
    strided.padding_mode, strided._reversed_padding_repeated_twice = "reflect", [1, 1, 1, 1]
    assert not strided.agrees()
