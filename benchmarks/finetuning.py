"""An encoder's step of fine-tuning, forward and backward: as it trains here, beside torchvision's module as it comes.

    python benchmarks/finetuning.py [--photos 32] [--rounds 8] [--out FILE.json]

EfficientNet-Lite0 trains beside itself with bfloat16 in every convolution, four blocks at rest in both. All keep
batch normalisation's statistics and compute in bfloat16 where the processor does. They take turns, so that
a change of the machine's speed meets them alike; rates are those of the median round. Weights and pixels are random,
which changes no work.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import nn

from sightline.nn.efficientnet_lite import EfficientNetLite0
from sightline.nn.encoder import Encoder, MobileNetV2
from sightline.training.cpu import DepthwiseInFloat32, keep_freed_memory
from sightline.training.module import native_precision

RESTING = 4  # blocks, as in recipes/finetune.yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=32, help="photos a step")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    pixels = torch.randn(options.photos, 3, 224, 224)
    seconds: dict[str, list[float]] = {}
    sides = {
        "torchvision": (plain(), nullcontext),
        "whole": (ours(MobileNetV2(), 0), DepthwiseInFloat32),
        "resting": (ours(MobileNetV2(), RESTING), DepthwiseInFloat32),
        "lite0, bfloat16 throughout": (ours(EfficientNetLite0(), RESTING), nullcontext),
        "lite0": (ours(EfficientNetLite0(), RESTING), DepthwiseInFloat32),
    }
    for number in range(options.rounds + 1):
        for name, (encoder, context) in sides.items():
            taken = step(encoder, pixels, context)
            if number:  # the first round warms up
                seconds.setdefault(name, []).append(taken)
    rates = {name: options.photos / statistics.median(times) for name, times in seconds.items()}
    results = {
        "photos_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "times_torchvision": {name: round(rate / rates["torchvision"], 2) for name, rate in rates.items()},
        "conditions": {
            "photos a step": options.photos,
            "resting blocks": RESTING,
            "precision": native_precision("auto"),
            "threads": torch.get_num_threads(),
            "processor": platform.machine(),
            "torch": torch.__version__,
        },
    }
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def plain() -> nn.Module:
    from torchvision.models import mobilenet_v2

    return mobilenet_v2(weights=None).features.eval()


def ours(encoder: Encoder, resting: int) -> nn.Module:
    encoder.take_shortcuts()
    encoder.eval().to(memory_format=torch.channels_last)
    for block in encoder.blocks()[:resting]:
        block.requires_grad_(False)
    return encoder


def step(encoder: nn.Module, pixels: torch.Tensor, context: Callable[[], AbstractContextManager[object]]) -> float:
    started = time.perf_counter()
    with context(), torch.autocast("cpu", torch.bfloat16, enabled=native_precision("auto") == "bfloat16"):
        features = encoder(pixels)
    features.float().sum().backward()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
