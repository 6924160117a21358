"""How much of attention lies on what people name, while a model reads their captions (teacher forcing).

    python benchmarks/attention_correctness.py --model RUN --data flickr8k --regions flickr30k-entities --split val

Attention correctness (Liu et al. 2017, "Attention Correctness in Neural Image Captioning", section 4.1): of a phrase
whose boxes are known, the largest share of attention that lies in them at any of its words; here the mean over phrases,
and beside it that of attention that is the same everywhere. RUN is a model folder of the training tier.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from sightline.data.dataset import read_dataset
from sightline.evaluation.pointing import covered
from sightline.nn.model_files import load_model
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import preprocess
from sightline.training.batches import encode_captions

BATCH = 16


def correctness(attention: np.ndarray, node_of_word: np.ndarray, regions: tuple, length: int) -> list[tuple]:
    """For each region of a caption that is not cut off before its end: correctness, and uniform attention's.

    ``attention`` (N, h, w) at a tree's nodes, ``node_of_word`` (T,), ``length`` words read.
    """
    found = []
    for region in regions:
        if region.stop <= length:
            cells = covered(np.array(region.boxes, np.float32), attention.shape[1:])
            maps = attention[node_of_word[region.start : region.stop]]
            found.append((float((maps * cells).sum((1, 2)).max()), float(cells.mean())))
    return found


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--regions", type=Path, help="where the boxes are, if not in the dataset's folder")
    parser.add_argument("--split", default="val")
    parser.add_argument("--photos", type=int, help="Only the first so many.")
    arguments = parser.parse_args()
    model, config, vocabulary = load_model(arguments.model)
    examples = read_dataset(arguments.data, regions=arguments.regions).located_split(arguments.split)[
        : arguments.photos
    ]
    found = []
    for first in range(0, len(examples), BATCH):
        batch = examples[first : first + BATCH]
        pixels = np.stack([preprocess(example.photo, config.preprocessing) for example in batch])
        tree = PrefixTree.from_captions(encode_captions(batch, vocabulary, config.max_words))
        forced = model(model.features(torch.from_numpy(pixels)), tree)
        attention = forced.attention.float().numpy().reshape(-1, *config.grid)
        for photo, example in enumerate(batch):
            for caption, regions in enumerate(example.regions):
                words = min(int((tree.targets[photo, caption] != 0).sum()), config.max_words)
                found += correctness(attention, tree.node_of_word[photo, caption].numpy(), regions, words)
    told = np.array(found).reshape(-1, 2)
    print(
        json.dumps(
            {
                "photos": len(examples),
                "phrases": len(told),
                "correctness": round(float(told[:, 0].mean()), 4),
                "uniform": round(float(told[:, 1].mean()), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
