"""Whether the places that a map lights are those that a word needs: cover them up and see what the word loses.

    python benchmarks/faithfulness.py --model RUN --data flickr8k --split val [--photos 200]

The model captions each photo. For up to two content words a caption, a square of the photo, as wide as two and a half
cells, is covered with the mean colour, and the same caption is scored again: how many nats of log-probability did the
word lose? Where the square is centred on the cell at which a map peaks, a faithful map makes the word lose more.
Compared on the same words: attention, evidence, the middle of the photo, a random cell; the interval is that of the
mean difference over words. Needs the training tier, as words are scored under another photo than the one they were
chosen for.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sightline.data.dataset import read_dataset
from sightline.model_folder import ModelConfig
from sightline.nn.encoder import fused
from sightline.nn.evidence import evidence
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import load_model
from sightline.nn.prefix_tree import PrefixTree
from sightline.nn.search import search
from sightline.preprocess import preprocess
from sightline.vocabulary import END, PAD, Vocabulary, split_words

FUNCTION_WORDS = frozenset(
    split_words(
        """a an the and or of in on at to by with is are be being was were has have his her its their it as for from
        into over near up down out off through along across while that who this there one another some each other"""
    )
)
BATCH, WORDS_A_PHOTO, CELLS_WIDE = 50, 2, 2.5


def log_probs(model: CaptionModel, features: Tensor, tokens: Tensor) -> Tensor:
    """Of every word of one sentence a photo, (P, T)."""
    tree = PrefixTree.from_captions(tokens.unsqueeze(1).numpy())
    scores = model(features, tree).logits.log_softmax(dim=1)
    found = torch.zeros(tokens.shape)
    length = tree.targets.shape[2]  # of the longest
    found[:, :length] = scores[tree.node_of_word.clamp(min=0), tree.targets].squeeze(1)
    return found.where(tokens != PAD, 0.0)


def content_words(vocabulary: Vocabulary, tokens: Tensor, random: np.random.Generator) -> list[tuple[int, int]]:
    """(photo, word) of up to two content words of each caption."""
    chosen = []
    for photo, sentence in enumerate(tokens.tolist()):
        words = [
            place
            for place, token in enumerate(sentence)
            if token not in (END, PAD) and vocabulary.words[token] not in FUNCTION_WORDS
        ]
        chosen += [(photo, int(word)) for word in random.permutation(words)[:WORDS_A_PHOTO]]
    return chosen


def covered(pixels: Tensor, cells: Sequence[int], grid: tuple[int, int]) -> Tensor:
    """The photos, each with a square around one cell at the mean colour, which is 0 when standardised."""
    pixels, size = pixels.clone(), pixels.shape[3]
    for photo, cell in zip(pixels, cells, strict=True):
        centre = [(place + 0.5) * size / count for place, count in zip(divmod(cell, grid[1]), grid, strict=True)]
        half = CELLS_WIDE * size / grid[1] / 2
        top, left = (max(0, round(middle - half)) for middle in centre)
        bottom, right = (round(middle + half) for middle in centre)
        photo[:, top:bottom, left:right] = 0
    return pixels


@torch.inference_mode()
def nats_lost(
    model: CaptionModel, config: ModelConfig, vocabulary: Vocabulary, pixels: Tensor
) -> dict[str, np.ndarray]:
    """By where the square lies: float32 (N,), what each of the N content words said of the photos loses."""

    def encode(photos: Tensor) -> Tensor:
        return torch.cat([model.features(batch) for batch in photos.split(BATCH)])

    features = encode(pixels)
    memory = model.prepare(features)
    sentences, _ = search(model.decoder, memory, 3, config.max_words, 0.0)
    tokens = sentences.tokens[:, 0]
    before = log_probs(model, features, tokens)
    random = np.random.default_rng(0)
    words = content_words(vocabulary, tokens, random)
    photos, places = (torch.tensor(indices) for indices in zip(*words, strict=True))
    locations = config.grid[0] * config.grid[1]
    peaks = {
        "attention": sentences.attention[photos, 0, places].argmax(1).tolist(),
        "evidence": evidence(model.decoder, memory, tokens)[photos, places].argmax(1).tolist(),
        "middle": [locations // 2] * len(words),
        "random": random.integers(0, locations, len(words)).tolist(),
    }
    lost = {}
    for name, cells in peaks.items():
        after = log_probs(model, encode(covered(pixels[photos], cells, config.grid)), tokens[photos])
        lost[name] = (before[photos, places] - after[torch.arange(len(words)), places]).numpy()
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--photos", type=int, default=200)
    arguments = parser.parse_args()
    model, config, vocabulary = load_model(arguments.model)
    model.encoder = fused(model.encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.eval()
    examples = read_dataset(arguments.data).split(arguments.split)[: arguments.photos]
    pixels = torch.from_numpy(np.stack([preprocess(example.photo, config.preprocessing) for example in examples]))
    lost = nats_lost(model, config, vocabulary, pixels)
    difference = lost["evidence"] - lost["attention"]
    print(
        json.dumps(
            {
                "photos": len(examples),
                "words": len(difference),
                "nats lost": {name: round(float(values.mean()), 3) for name, values in lost.items()},
                "evidence - attention": round(float(difference.mean()), 3),
                "half of its 95% interval": round(float(1.96 * difference.std() / len(difference) ** 0.5), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
