"""The tools that change a trained model without training it: another encoder, fewer words, rare words."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from sightline.data.dataset import read_dataset
from sightline.data.example import Example
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model, save_model
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import preprocess
from sightline.training.batches import encode_captions
from sightline.training.build import new_model
from sightline.training.data import read_data
from sightline.training.recipe import Recipe

from .conftest import TINY

TOOLS = Path(__file__).parents[2] / "tools"


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec and spec.loader
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


@pytest.fixture(scope="module")
def model(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    recipe = Recipe.model_validate({**TINY, "encoder": {**TINY["encoder"], "projection": 12}})
    save_model(
        out := tmp_path_factory.mktemp("model"), *new_model(recipe, read_data([shapes], {}, True, print), None, print)
    )
    return out


def pixels_of(model: Path, examples: Sequence[Example]) -> torch.Tensor:
    preprocessing = load_model(model)[1].preprocessing
    return torch.from_numpy(np.stack([preprocess(example.photo, preprocessing) for example in examples]))


@pytest.fixture(scope="module")
def pixels(shapes: Path, model: Path) -> torch.Tensor:
    return pixels_of(model, read_dataset(shapes).split("val")[:4])


def test_the_map_to_an_encoder_like_the_old_one_changes_nothing(shapes, model, pixels, tmp_path):
    kept = tool("change_encoder").change_encoder(model, "small_cnn", tmp_path, [shapes], str(model), 64)
    before, after = load_model(model)[0], load_model(tmp_path)[0]
    assert kept > 0.99
    with torch.inference_mode():
        old = before.projection(before.features(pixels))
        new = after.projection(after.features(pixels))
    assert (new - old).abs().max() < 0.1 * old.std()


def test_the_map_to_another_encoder_is_better_than_none(shapes, model, pixels, tmp_path):
    torch.manual_seed(1)  # of the other encoder's weights
    kept = tool("change_encoder").change_encoder(model, "small_cnn", tmp_path, [shapes], "none", 64)
    before, after = load_model(model)[0], load_model(tmp_path)[0]
    with torch.inference_mode():
        old = before.projection(before.features(pixels))
        new = after.projection(after.features(pixels))
        unmapped = before.projection(after.features(pixels))
    assert 0.05 < kept < 0.99
    assert (new - old).square().mean() < (unmapped - old).square().mean()


def test_an_encoder_of_another_grid_is_refused(shapes, model, tmp_path):
    with pytest.raises(SightlineError, match="grid"):
        tool("change_encoder").change_encoder(model, "efficientnet_lite0", tmp_path, [shapes], "none", 8)


def test_words_that_are_left_keep_their_scores_in_order(shapes, model, tmp_path):
    before, after = tool("drop_rare_words").drop_rare_words(model, tmp_path, [shapes], 20)
    (old, config, words), (new, smaller, fewer) = load_model(model), load_model(tmp_path)
    assert (before, after) == (len(words), len(fewer)) and 4 < after < before
    assert set(smaller.nouns) == set(config.nouns) & set(fewer.words) != set()
    counts = [
        sum(word in caption.split() for e in read_dataset(shapes).split("train") for caption in e.captions)
        for word in words.words
    ]
    assert {word for word, count in zip(words.words, counts, strict=True) if count >= 20} <= set(fewer.words)
    at = [words.words.index(word) for word in fewer.words]
    read = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(old.decoder.logits(read)[:, at], new.decoder.logits(read))
        assert torch.equal(old.decoder.embed(torch.tensor(at)), new.decoder.embed(torch.arange(after)))


def test_without_a_word_that_is_left_the_tool_says_so(shapes, model, tmp_path):
    with pytest.raises(SightlineError, match="lower --fewest"):
        tool("drop_rare_words").drop_rare_words(model, tmp_path, [shapes], 10**6)


def test_the_output_layer_alone_learns_rare_words(shapes, model, tmp_path, monkeypatch):
    module = tool("teach_rare_words")
    monkeypatch.setattr(module, "cache_folder", lambda what: tmp_path / what)
    monkeypatch.setattr(module, "_RATE", 0.01)  # for so few words
    probabilities = {}
    for exponent in (0.0, 1.0):
        module.teach(model, tmp_path / str(exponent), [shapes], exponent, 20)
        old, (new, config, vocabulary) = load_model(model)[0].state_dict(), load_model(tmp_path / str(exponent))
        changed = {name for name, tensor in new.state_dict().items() if not torch.equal(tensor, old[name])}
        assert changed == {"decoder.output.weight", "decoder.output.bias"}
        targets = encode_captions(read_dataset(shapes).split("train"), vocabulary, config.max_words)[:8]
        tree = PrefixTree.from_captions(targets)
        counts = np.bincount(targets.reshape(-1), minlength=len(vocabulary))
        rare = int(np.where((counts > 0) & (np.arange(len(counts)) > 3), counts, 10**6).argmin())
        with torch.inference_mode():
            forced = new(new.features(pixels_of(model, read_dataset(shapes).split("train")[:8])), tree)
        probabilities[exponent] = float(forced.logits.softmax(1)[:, rare].mean())
    assert probabilities[1.0] > 2 * probabilities[0.0]
