from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.shapes.draw import draw_shapes
from sightline.training.recipe import Recipe

TINY = {
    "encoder": {"name": "small_cnn", "weights": "none", "trainable": True},
    "decoder": {"hidden_size": 24, "embedding_size": 16, "attention_size": 16},
    "vocabulary": {"min_count": 1},
    "training": {"batch_size": 8, "epochs": 3, "learning_rate": 0.01},
}


def tiny(**training: object) -> Recipe:
    """A recipe trained in seconds; keyword arguments are keys of ``training``, and ``augmentation`` of the encoder."""
    encoder = {**TINY["encoder"], "augmentation": training.pop("augmentation", False)}
    return Recipe.model_validate({**TINY, "encoder": encoder, "training": {**TINY["training"], **training}})


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos enough to learn something: 64, and 8 held out. Copy it before changing it."""
    draw_shapes(root := tmp_path_factory.mktemp("shapes") / "größe 1", photos=80, seed=3)
    return root


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos enough to train on: 24, and 3 held out. Copy it before changing it."""
    draw_shapes(root := tmp_path_factory.mktemp("data") / "größe 1", photos=30, seed=3)
    return root


@pytest.fixture(autouse=True)
def without_pictures() -> Iterator[None]:
    """A tiny training draws for a third of its time; fixtures of a module's trainings still do."""
    from sightline.training import results

    with pytest.MonkeyPatch.context() as patch:
        for draw in ("draw_epochs", "draw_samples"):
            patch.setattr(results, draw, lambda *described: None)
        yield
