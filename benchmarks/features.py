"""How fast a frozen encoder's features are cached, JPEG decoding and hashing included, against its bare forward pass.

    python benchmarks/features.py --photos DIR [--number 512] [--out FILE.json]

Both sides run in turns on the same photos, in batches of the same size; medians of the rounds are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch

from sightline.nn.encoder import MobileNetV2
from sightline.training.cpu import keep_freed_memory
from sightline.training.features import _BATCH, FeatureCache


@torch.inference_mode()
def bare(encoder: MobileNetV2, number: int) -> float:
    pixels = torch.randn(_BATCH, 3, 224, 224)
    started = time.perf_counter()
    for _ in range(number // _BATCH):
        encoder(pixels)
    return number / (time.perf_counter() - started)


def cached(encoder: MobileNetV2, photos: list[Path]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder), encoder)
        started = time.perf_counter()
        cache.rows(photos)
        return len(photos) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--number", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    photos = sorted(islice(arguments.photos.glob("*.jpg"), arguments.number))
    encoder = MobileNetV2().eval().to(memory_format=torch.channels_last)
    rates: dict[str, list[float]] = {"cached": [], "bare": []}
    bare(encoder, _BATCH)
    for _ in range(arguments.rounds):
        rates["bare"].append(bare(encoder, len(photos)))
        rates["cached"].append(cached(encoder, photos))
    medians = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    result = {
        "photos_per_second": medians,
        "cached_share_of_bare": round(medians["cached"] / medians["bare"], 3),
        "conditions": {"photos": len(photos), "threads": torch.get_num_threads(), "torch": torch.__version__},
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
