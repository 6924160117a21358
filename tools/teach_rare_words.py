"""Give a rewarded model some of its rare words back, by its output layer alone (Honda et al. 2023, arXiv 2212.03230).

    python tools/teach_rare_words.py MODEL OUT --data FOLDER [--data FOLDER ...] [--exponent 0.25] [--epochs 1]

Self-critical training makes frequent words too likely. Here the output layer alone learns people's captions by teacher
forcing, each word weighing (1 / its frequency) ** EXPONENT; encoder, attention and GRU stay, so that what the layer
reads is computed once. `tools/average_models.py` takes a part of the way.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, cache_folder, replacing_folder
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import load_model, save_model
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.sampling import without_specials
from sightline.training.batches import encode_captions
from sightline.training.data import read_data
from sightline.training.features import FeatureCache
from sightline.vocabulary import PAD, UNKNOWN, Vocabulary

_PHOTOS, _WORDS, _RATE = 64, 1024, 2e-4


def teach(origin: Path, out: Path, folders: list[Path], exponent: float, epochs: int) -> None:
    if epochs < 1 or not 0 <= exponent < math.inf:
        raise SightlineError("--epochs is 1 or more, --exponent 0 or more")
    with replacing_folder(out, {CONFIG, VOCABULARY, WEIGHTS}, "model folder without model.onnx") as new:
        model, config, vocabulary = load_model(origin)
        if not isinstance(layer := getattr(model.decoder, "output", None), torch.nn.Linear):
            raise SightlineError(f"{origin}: its decoder, {config.decoder}, has no output layer of its own")
        model.heads = None
        model.take_shortcuts()
        read, words = _what_is_read(model, vocabulary, config.max_words, folders)
        frequency = torch.bincount(words, minlength=len(vocabulary)).clamp(min=1)
        weight = frequency.float().pow(-exponent)
        weight *= len(words) / (weight * frequency).sum()  # the mean over all words is 1
        layer.requires_grad_(True)
        optimizer = torch.optim.Adam(layer.parameters(), _RATE)
        steps = epochs * -(-len(words) // _WORDS)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        torch.manual_seed(0)
        for epoch in range(epochs):
            total = 0.0
            for some in torch.randperm(len(words)).split(_WORDS):
                logits = without_specials(layer(read[some].float()))
                loss = cross_entropy(logits, words[some], weight, reduction="sum") / len(some)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(some)
            print(f"epoch {epoch + 1} of {epochs}: weighted cross-entropy {total / len(words):.3f}", flush=True)
        training = {**config.training, "rare_words": {"exponent": exponent, "epochs": epochs}}
        save_model(new, model, replace(config, heads={}, training=training), vocabulary)


@torch.no_grad()
def _what_is_read(
    model: CaptionModel, vocabulary: Vocabulary, max_words: int, folders: list[Path]
) -> tuple[Tensor, Tensor]:
    """What the output layer reads before each word of the training captions, float16 (N, H), and the words (N,)."""
    examples = read_data(folders, {}, False, print).examples["train"]
    targets = encode_captions(examples, vocabulary, max_words)
    store = FeatureCache(cache_folder("features"), model.encoder)
    rows, row = store.rows([example.photo for example in examples])
    read, words = [], []
    for start in range(0, len(targets), _PHOTOS):
        features = torch.from_numpy(np.stack([rows[at] for at in row[start : start + _PHOTOS].tolist()])).float()
        tree = PrefixTree.from_captions(targets[start : start + _PHOTOS])
        output, _ = model.teacher_force(model.prepare(features), tree)
        known = (tree.targets != PAD) & (tree.targets != UNKNOWN)
        read.append(output[tree.node_of_word[known]].half())
        words.append(tree.targets[known])
    return torch.cat(read), torch.cat(words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--exponent", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    try:
        teach(arguments.model, arguments.out, arguments.data, arguments.exponent, arguments.epochs)
    except SightlineError as error:
        sys.exit(f"teach_rare_words: {error}")
