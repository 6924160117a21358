"""Drop words from a trained model that the training captions have too rarely for it ever to say them.

    python tools/drop_rare_words.py MODEL OUT --data FOLDER [--data FOLDER ...] --fewest 10

A word costs a row of the embedding and one of the output layer, in the file and at every step of the search. What is
left is the same model: a softmax over fewer words. Heads are left out; `sightline calibrate` fits others.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from sightline.data.dataset import read_dataset
from sightline.data.large.packed import captions_of
from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, VOCABULARY, WEIGHTS, replacing_folder
from sightline.nn.model_files import build_model, load_model, save_model
from sightline.vocabulary import SPECIAL_TOKENS, Vocabulary


def drop_rare_words(origin: Path, out: Path, folders: list[Path], fewest: int) -> tuple[int, int]:
    """Write to ``out`` the model of ``origin`` with the words that occur ``fewest`` times; how many it had and has."""
    model, config, vocabulary = load_model(origin)
    if config.members or vocabulary.unit != "words":
        raise SightlineError(f"{origin}: words can be dropped from a model of words, and from one alone")
    counts: Counter[str] = Counter()
    for folder in folders:
        for captions in captions_of(read_dataset(folder).split("train")):
            counts.update(word for caption in captions for word in vocabulary.units(caption))
    special = len(SPECIAL_TOKENS)
    kept = [at for at, word in enumerate(vocabulary.words) if at < special or counts[word] >= fewest]
    if len(kept) == special:
        raise SightlineError(f"no word occurs {fewest} times in these captions; lower --fewest")
    fewer = Vocabulary(tuple(vocabulary.words[at] for at in kept), vocabulary.unit)
    nouns = tuple(word for word in config.known_nouns if word in set(fewer.words))
    config, model.heads = replace(config, nouns=nouns, heads={}), None
    smaller = build_model(config, fewer)
    shapes = smaller.state_dict()

    def rows(name: str, tensor: Tensor) -> Tensor:
        return tensor if tensor.shape == shapes[name].shape else tensor[kept]

    smaller.load_state_dict({name: rows(name, tensor) for name, tensor in model.state_dict().items()})
    with replacing_folder(out, {CONFIG, VOCABULARY, WEIGHTS}, "model folder without model.onnx") as new:
        save_model(new, smaller, config, fewer)
    return len(vocabulary), len(fewer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--fewest", type=int, required=True)
    arguments = parser.parse_args()
    try:
        before, after = drop_rare_words(arguments.model, arguments.out, arguments.data, arguments.fewest)
    except SightlineError as error:
        sys.exit(f"drop_rare_words: {error}")
    print(f"{before} words before, {after} after")
