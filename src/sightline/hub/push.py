"""A model folder -> the Hub, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.hub.address import Address, parse_address, reaching_the_hub
from sightline.hub.card import model_card
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, WEIGHTS

# What captioning and training on need. Never a checkpoint, which is a pickle; never pictures of somebody's photos.
_PUSHED = (CONFIG, VOCABULARY, ONNX, WEIGHTS, CARD, "recipe.yaml")


def push(run: Path, name: str, facts: Mapping[str, Any], private: bool = False, license: str | None = None) -> Address:
    """Put a model on the Hub as ``USER/NAME``, with its card; returns the address of just this commit.

    Args:
        run: a model folder with a model.onnx, as a training or an export leaves it.
        name: ``USER/NAME``; the model is made there if it is not there yet.
        facts: what scores.json of its evaluation holds, for the card; empty where there is none.
        private: whether a model that is new there is shown to its owner alone.
        license: as the Hub calls it, e.g. ``apache-2.0``.

    Raises:
        SightlineError: ``run`` is no whole bundle, ``name`` no name, or the Hub refuses or cannot be reached; then the
            Hub holds what it held.
    """
    where = parse_address(name)
    if where.revision:
        raise SightlineError(f"{name}: a push makes the revision; leave out @{where.revision}")
    config = Captioner(run).config  # which looks whether all of it goes together
    with reaching_the_hub(where):
        from huggingface_hub import CommitOperationAdd, HfApi

        card = model_card(run, where.name, config, facts, license).encode()
        files = [file for file in _PUSHED if (run / file).is_file()]
        operations = [CommitOperationAdd(file, run / file) for file in files]
        api = HfApi(library_name="sightline")
        api.create_repo(where.name, private=private, exist_ok=True)
        made = api.create_commit(
            where.name, [*operations, CommitOperationAdd("README.md", card)], commit_message="Push from sightline"
        )
    return Address(where.name, made.oid)
