"""Training speed: this project's model against the method's listing as it stands, in one run.

The listing takes one caption a row, copies every row's features, concatenates [a ; h] and pads each batch to its
longest caption; ``once`` computes one context for the whole caption, ``every step`` attends at every word. Both sides
train on the same captions with the same vocabulary and sizes, features in memory, 32 rows (here: photos, each with all
their captions) a batch. Steps of all sides alternate, so that a change of the machine's speed meets them alike.

    python benchmarks/training.py --data DIR [--out FILE.json]     Flickr8k in any layout; features are random numbers
    python benchmarks/training.py                                  made-up captions of Flickr8k's lengths
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sightline.nn.encoder import MobileNetV2
from sightline.nn.gru import GRUDecoder
from sightline.nn.model import CaptionModel
from sightline.training.batches import Batch, CachedFeatures, encode_captions
from sightline.training.cpu import keep_freed_memory
from sightline.training.module import CaptioningModule
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.recipe import Recipe
from sightline.training.sampler import LengthSampler
from sightline.vocabulary import PAD, START, Vocabulary

LOCATIONS, FEATURES, HIDDEN, EMBEDDING, ROWS = 49, 1280, 512, 256, 32


class Listing(nn.Module):
    """The method's listing."""

    def __init__(self, vocabulary_size: int, every_step: bool) -> None:
        super().__init__()
        self.every_step = every_step
        self.embedding = nn.Embedding(vocabulary_size, EMBEDDING)
        self.W = nn.Linear(FEATURES + HIDDEN, HIDDEN)
        self.v = nn.Linear(HIDDEN, 1, bias=False)
        self.gru = nn.GRU(EMBEDDING + FEATURES, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(HIDDEN, vocabulary_size)

    def context(self, features: Tensor, hidden: Tensor) -> Tensor:
        hidden = hidden.unsqueeze(1).expand(-1, features.shape[1], -1)
        energies = self.v(torch.tanh(self.W(torch.cat([features, hidden], dim=2))))
        return (energies.softmax(1) * features).sum(1)

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        words = self.embedding(tokens)
        hidden = features.new_zeros(1, len(features), HIDDEN)
        if self.every_step:
            outputs = []
            for t in range(tokens.shape[1]):
                context = self.context(features, hidden[0]).unsqueeze(1)
                output, hidden = self.gru(torch.cat([words[:, t : t + 1], context], dim=2), hidden)
                outputs.append(output)
            output = torch.cat(outputs, dim=1)
        else:
            context = self.context(features, hidden[0]).unsqueeze(1).expand(-1, tokens.shape[1], -1)
            output, _ = self.gru(torch.cat([words, context], dim=2), hidden)
        return self.output(self.dropout(output))


def listing_step(every_step: bool, features: Tensor, targets: np.ndarray, words: int) -> Callable[[], int]:
    """A function that trains on one random batch of 32 captions and returns how many captions that were."""
    model = Listing(words, every_step)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    captions = targets.reshape(-1, targets.shape[2])
    random = np.random.default_rng(0)

    def step() -> int:
        rows = random.choice(len(captions), ROWS, replace=False)
        target = captions[rows]
        target = torch.from_numpy(target[:, : int((target != PAD).any(0).sum())])
        tokens = torch.cat([torch.full((ROWS, 1), START), target[:, :-1]], dim=1)
        optimiser.zero_grad()
        logits = model(features[rows // targets.shape[1]], tokens)
        criterion(logits.flatten(0, 1), target.flatten()).backward()
        optimiser.step()
        return ROWS

    return step


def our_step(
    attention: str, features: Tensor, targets: np.ndarray, words: int, precision: str = "float32"
) -> Callable[[], int]:
    """The same for this project's model, its batches and its optimiser; 32 photos with all their captions."""
    model = CaptionModel(MobileNetV2(), GRUDecoder(words, FEATURES, attention=attention))
    module = CaptioningModule(model, CrossEntropy(), Recipe()).train()
    module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    optimiser = module.configure_optimizers()
    data = CachedFeatures(features.to(torch.float16).numpy(), np.arange(len(features)), targets)
    sampler = LengthSampler(targets, ROWS, seed=0)
    batches = iter(sampler)

    def step() -> int:
        nonlocal batches
        draw = next(batches, None)
        if draw is None or len(draw.photos) < ROWS:
            sampler.set_epoch(sampler.epoch + 1)
            batches = iter(sampler)
            draw = next(batches)
        batch: Batch = data[draw]
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = module.training_step(batch, 0)
        loss.backward()
        optimiser.step()
        return int((batch.captions.targets[:, :, 0] != PAD).sum())

    return step


def captions_of(data: Path | None) -> tuple[np.ndarray, int]:
    """Target ids (N, C, T) and the vocabulary's size."""
    if data is None:
        random = np.random.default_rng(0)
        targets = np.full((640, 5, 21), PAD)
        for index in np.ndindex(640, 5):
            length = int(np.clip(random.normal(10.8, 3.7), 3, 20))
            targets[index][:length] = 4 + (random.zipf(1.3, length) - 1) % 2536
            targets[index][length : length + 1] = 2
        return targets, 2540
    from sightline.data.dataset import read_dataset

    examples = read_dataset(data).split("train")
    vocabulary = Vocabulary.from_captions((text for example in examples for text in example.captions), 5)
    return encode_captions(examples[:2000], vocabulary, 20), len(vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    targets, words = captions_of(arguments.data)
    features = torch.rand(len(targets), LOCATIONS, FEATURES)
    sides = {
        "every_step": (our_step("every_step", features, targets, words), 2),
        "every_step_bfloat16": (our_step("every_step", features, targets, words, "bfloat16"), 2),
        "listing_once": (listing_step(False, features, targets, words), 10),
        "listing_every_step": (listing_step(True, features, targets, words), 2),
    }
    for step, _ in sides.values():
        step()
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, (step, times) in sides.items():
            started = time.perf_counter()
            captions = sum(step() for _ in range(times))
            rates[name].append(captions / (time.perf_counter() - started))
    medians = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    ratios = {
        f"{ours}_against": {
            theirs: round(medians[ours] / medians[theirs], 2) for theirs in medians if "listing" in theirs
        }
        for ours in medians
        if "listing" not in ours
    }
    result = {
        "captions_per_second": medians,
        **ratios,
        "conditions": {
            "captions": "Flickr8k" if arguments.data else "made up",
            "vocabulary": words,
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "precision": "float32 but where named otherwise",
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
        },
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
