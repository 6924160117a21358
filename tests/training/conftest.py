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
    root = tmp_path_factory.mktemp("data") / "größe 1"
    draw_shapes(root, photos=80, seed=3)
    return root
