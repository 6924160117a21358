"""What every decoder promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.nn.decoder import DECODERS, Decoder, select
from sightline.nn.prefix_tree import PrefixTree
from sightline.vocabulary import END, PAD, START

VOCABULARY_SIZE, FEATURE_SIZE, LOCATIONS = 9, 7, 6
"""Of the decoder that `check_decoder` takes: V words, annotation vectors of width D, L locations."""

_PHOTOS = 3


def captions_with_shared_beginnings(photos: int, captions: int, seed: int = 0) -> NDArray[np.int64]:
    """int64 (P, C, 7): few distinct words, so that beginnings repeat; one photo has a caption fewer."""
    random = np.random.default_rng(seed)
    targets = np.zeros((photos, captions, 7), np.int64)
    for index in np.ndindex(photos, captions):
        if captions > 1 and index == (photos - 1, captions - 1):
            continue
        length = int(random.integers(1, 7))
        targets[index][:length] = random.integers(4, 7, length)
        if length < 7:
            targets[index][length] = END
    return targets


def check_decoder(decoder: str | Decoder, **options: Any) -> None:
    """Check a registered decoder, by its name and ``options`` of the recipe, or one of `VOCABULARY_SIZE` and so on.

    - A step gives an output, attention that sums to one over the locations, and a state, for C sentences of P photos.
    - Attention may be kept from locations, of which it then takes nothing.
    - Words depend on the photo and on the words before, not on other photos or sentences beside.
    - Teacher forcing along a tree of captions, which may be written in another way, equals the steps one after another,
      and so do its gradients.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such decoder.
    """
    torch.manual_seed(0)
    if isinstance(decoder, str):
        decoder = DECODERS[decoder](VOCABULARY_SIZE, FEATURE_SIZE, **options)
    decoder = decoder.double().eval()
    features = torch.randn(_PHOTOS, LOCATIONS, FEATURE_SIZE, dtype=torch.double)
    _check_step(decoder, features)
    _check_visible(decoder, features)
    _check_dependence(decoder, features)
    _check_teacher_forcing(decoder, features)
    _check_gradients(decoder, features)


def _first_step(decoder: Decoder, features: Tensor, words: Tensor, visible: Tensor | None = None) -> Any:
    memory = decoder.prepare(features)
    state = select(decoder.initial_state(memory), torch.zeros_like(words))
    return decoder.step(memory, state, decoder.embed(words), visible)


def _check_step(decoder: Decoder, features: Tensor) -> None:
    memory = decoder.prepare(features)
    assert all(len(tensor) == _PHOTOS for tensor in memory), "every tensor of prepare begins with the photos"
    assert memory[0].shape[1] == LOCATIONS, "the first tensor of prepare is (P, L, ...)"
    state = decoder.initial_state(memory)
    assert all(tensor.shape[:2] == (_PHOTOS, 1) for tensor in state), "tensors of initial_state are (P, 1, ...)"
    output, attention, state = _first_step(decoder, features, torch.full((_PHOTOS, 5), START))
    assert output.shape == (_PHOTOS, 5, decoder.output_size), "step gives an output (P, C, output_size)"
    assert attention.shape == (_PHOTOS, 5, LOCATIONS), "step gives attention (P, C, L)"
    ones = torch.ones(_PHOTOS, 5, dtype=torch.double)
    torch.testing.assert_close(attention.sum(2), ones, msg="attention sums to one over the locations")
    assert (attention >= 0).all(), "attention is never below zero"
    assert all(tensor.shape[:2] == (_PHOTOS, 5) for tensor in state), "tensors of the new state are (P, C, ...)"
    assert decoder.logits(output).shape == (_PHOTOS, 5, VOCABULARY_SIZE), "logits are (..., V)"


def _check_visible(decoder: Decoder, features: Tensor) -> None:
    visible = torch.ones(2, LOCATIONS, dtype=torch.bool)
    visible[1, 2:] = False
    _, attention, _ = _first_step(decoder, features, torch.full((_PHOTOS, 2), START), visible)
    hidden = float(attention[:, 1, 2:].detach().abs().max())
    assert hidden < 1e-6, "attention takes nothing of locations that it may not see"
    ones = torch.ones(_PHOTOS, 2, dtype=torch.double)
    torch.testing.assert_close(attention.sum(2), ones, msg="attention sums to one over the locations it may see")


def _check_dependence(decoder: Decoder, features: Tensor) -> None:
    words = torch.tensor([[4, 5]]).expand(_PHOTOS, 2)
    output, _, _ = _first_step(decoder, features, words)
    assert not torch.allclose(output[:, 0], output[:, 1]), "the output depends on the word before"
    moved, _, _ = _first_step(decoder, features + torch.randn(1, 1, FEATURE_SIZE, dtype=torch.double), words)
    assert not torch.allclose(output, moved), "the output depends on the photo"
    alone, _, _ = _first_step(decoder, features[1:2], words[1:2, 1:])
    torch.testing.assert_close(output[1:2, 1:], alone, msg="the output depends on photos or sentences beside it")


def one_caption_at_a_time(
    decoder: Decoder, features: Tensor, targets: NDArray[np.int64]
) -> Iterator[tuple[int, int, int, Tensor, Tensor]]:
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


def _check_teacher_forcing(decoder: Decoder, features: Tensor) -> None:
    targets = captions_with_shared_beginnings(_PHOTOS, 4)
    tree = PrefixTree.from_captions(targets)
    outputs, attention = decoder.teacher_force(decoder.prepare(features), tree)
    logits = decoder.logits(outputs.flatten(0, 1)[tree.nodes])
    attention = attention.flatten(0, 1)[tree.nodes]
    words = 0
    for p, c, t, expected_logits, expected_alpha in one_caption_at_a_time(decoder, features, targets):
        node, where = tree.node_of_word[p, c, t], f"teacher_force is not what step gives, at word {t}"
        torch.testing.assert_close(logits[node], expected_logits, msg=f"{where}: logits")
        torch.testing.assert_close(attention[node], expected_alpha, msg=f"{where}: attention")
        words += 1
    assert words == (targets != PAD).sum(), "teacher_force covers every word"


def _check_gradients(decoder: Decoder, features: Tensor) -> None:
    """A decoder may write its own way through the tree; the steps decide what is right."""
    tree = PrefixTree.from_captions(captions_with_shared_beginnings(_PHOTOS, 4))
    gradients = []
    for teacher_force in (type(decoder).teacher_force, Decoder.teacher_force):
        decoder.zero_grad()
        inputs = features.clone().requires_grad_()
        outputs, attention = teacher_force(decoder, decoder.prepare(inputs), tree)
        weights = torch.Generator().manual_seed(0)
        loss = (outputs * torch.rand(outputs.shape, generator=weights, dtype=torch.double)).sum()
        loss = loss + (attention * torch.rand(attention.shape, generator=weights, dtype=torch.double)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        named = {name: weight.grad.clone() for name, weight in decoder.named_parameters() if weight.grad is not None}
        gradients.append({"features": inputs.grad, **named})
    quick, plain = gradients
    assert quick.keys() == plain.keys(), "teacher_force and step learn the same weights"
    assert plain["features"] is not None and plain["features"].abs().max() > 0, "gradients reach the features"
    for name, expected in plain.items():
        torch.testing.assert_close(quick[name], expected, msg=f"teacher_force: another gradient of {name} than step's")
