"""Captioning speed, memory and size: the light tier against its own encoder, torch, and a ViT-GPT2 of transformers.

    python benchmarks/runtime.py RUN --photos DIR [--bundle BUNDLE] [--out FILE.json]

RUN is a trained model folder (its encoder is exported alone, as the measure of all the rest); BUNDLE an export of it,
RUN itself by default. Where two sides are compared they take turns, so that a change of the machine's speed meets them
alike, and the ratio is of their medians. Memory is a fresh process's peak. Beam 3 everywhere, 20 words at most.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

BEAM, BATCH = 3, 8
LIGHT_TIER = ("numpy", "pillow", "onnxruntime", "click")


def main() -> None:
    options = parse()
    photos = sorted(options.photos.glob("*.jpg"))[: options.count]
    bundle = options.bundle or options.run
    results: dict[str, Any] = {
        "conditions": conditions(options.run, bundle, len(photos)),
        "installed": installed_size(),
        "cold start": cold_start(bundle, photos[0]),
    }
    with tempfile.TemporaryDirectory() as folder:
        encoder = export_encoder(options.run, Path(folder) / "encoder.onnx")
        results["one photo"] = apart(one_photo, encoder, bundle, photos[:100])
        results["folder"] = apart(folder_of_photos, encoder, bundle, photos)
    results["memory"] = {str(n): apart(stream_many, bundle, photos, n)["peak MB"] for n in (100, options.many)}
    results["sightline"] = apart(sightline_side, bundle, photos[:64])
    results["torch"] = apart(torch_side, options.run, photos[:64])
    results["transformers"] = (
        apart(transformers_side, photos[:16])
        if find_spec("transformers") and find_spec("torch")
        else "left out: transformers is not installed"
    )
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEGs, for instance Flickr8k's")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="photos in the folder that is captioned")
    parser.add_argument("--many", type=int, default=10_000, help="photos of the long stream, the folder over and over")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def conditions(run: Path, bundle: Path, photos: int) -> dict[str, Any]:
    from sightline.captioner import Captioner
    from sightline.sessions import available_cores

    captioner = Captioner(bundle)
    packages = ("numpy", "pillow", "onnxruntime", "torch")
    return {
        "cores": available_cores(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "model": f"{captioner.config.encoder}, {captioner.config.decoder}, {len(captioner.vocabulary)} words",
        "precision": captioner.precision,
        "photos": photos,
    }


def apart(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The function's results in a fresh process, and that process's peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(with_peak, (function, *arguments))


def with_peak(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    results = function(*arguments)
    # getrusage would tell the parent's peak, which a new process inherits.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return {**results, "peak MB": round(int(peak[1]) / 1024) if peak else None}


def export_encoder(run: Path, path: Path) -> Path:
    import torch

    from sightline.nn.model_files import load_model

    model, config, _ = load_model(run)
    pixels = torch.zeros(2, 3, config.preprocessing.size, config.preprocessing.size)
    batch = torch.export.Dim("batch")
    torch.onnx.export(model.encoder, (pixels,), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    return path


def encoder_session(path: Path, threads: int) -> Callable[[np.ndarray], Any]:
    from sightline.sessions import start_session

    session = start_session(path, threads)
    (name,) = (value.name for value in session.get_inputs())
    return lambda pixels: session.run(None, {name: pixels})


def one_photo(encoder: Path, bundle: Path, photos: list[Path]) -> dict[str, Any]:
    """One photo, warm, from its file to its Caption, beside the encoder's forward on the same pixels."""
    from sightline.captioner import Captioner
    from sightline.preprocess import preprocess
    from sightline.sessions import available_cores

    captioner, forward = Captioner(bundle), encoder_session(encoder, available_cores())
    whole, alone = [], []
    for photo in photos[:5] + photos:
        pixels = preprocess(photo, captioner.config.preprocessing)[None]
        alone.append(seconds(forward, pixels))
        whole.append(seconds(captioner, photo, BEAM))
    ratio = statistics.median(whole[5:]) / statistics.median(alone[5:])
    return {"ms": ms(whole[5:]), "encoder ms": ms(alone[5:]), "times the encoder": round(ratio, 2)}


def folder_of_photos(encoder: Path, bundle: Path, photos: list[Path]) -> dict[str, Any]:
    """A folder, JPEG decoding included, beside the encoder on decoded pixels, in the faster of two arrangements."""
    from sightline.captioner import Captioner
    from sightline.preprocess import preprocess
    from sightline.sessions import available_cores

    captioner, cores = Captioner(bundle), available_cores()
    together, each = encoder_session(encoder, cores), encoder_session(encoder, 1)
    rates: dict[str, list[float]] = {"captions": [], "encoder, cores together": [], "encoder, a batch a core": []}
    for part in chunks(photos, 25 * BATCH):
        pixels = np.stack([preprocess(photo, captioner.config.preprocessing) for photo in part])
        batches = list(chunks(pixels, BATCH))
        rates["encoder, cores together"].append(len(part) / seconds(lambda b=batches: list(map(together, b))))
        with ThreadPoolExecutor(cores) as pool:
            rates["encoder, a batch a core"].append(len(part) / seconds(lambda b=batches: list(pool.map(each, b))))
        rates["captions"].append(len(part) / seconds(lambda p=part: list(captioner.stream(p, BEAM, batch_size=BATCH))))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    share = medians["captions"] / max(value for name, value in medians.items() if name != "captions")
    photos_a_second = {f"{name}, photos/s": round(value, 1) for name, value in medians.items()}
    return {**photos_a_second, "share of the encoder's rate": round(share, 2)}


def stream_many(bundle: Path, photos: list[Path], count: int) -> dict[str, Any]:
    from sightline.captioner import Captioner

    captions = Captioner(bundle).stream(itertools.islice(itertools.cycle(photos), count), BEAM, batch_size=BATCH)
    return {"captions": sum(1 for _ in captions)}


def sightline_side(bundle: Path, photos: list[Path]) -> dict[str, Any]:
    from sightline.captioner import Captioner

    captioner = Captioner(bundle)
    return timed(lambda photo: captioner(photo, BEAM), lambda batch: list(captioner.stream(batch, BEAM)), photos)


def torch_side(run: Path, photos: list[Path]) -> dict[str, Any]:
    from sightline.nn.model_files import load_model
    from sightline.training.results import generate

    model = load_model(run)
    return timed(
        lambda photo: generate(*model, [photo], BEAM),
        lambda batch: [generate(*model, part, BEAM) for part in chunks(batch, BATCH)],
        photos,
    )


def transformers_side(photos: list[Path]) -> dict[str, Any]:
    """A ViT-GPT2 of the usual size with random weights, as its users caption: processor, generate."""
    import torch
    from transformers import GPT2Config, VisionEncoderDecoderConfig, ViTConfig, ViTImageProcessor
    from transformers import VisionEncoderDecoderModel as Model

    from sightline.preprocess import open_photo

    torch.manual_seed(0)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), GPT2Config())
    model, processor = Model(config).eval(), ViTImageProcessor()
    limits = {"max_new_tokens": 20, "num_beams": BEAM, "decoder_start_token_id": 50256, "pad_token_id": 0}

    def caption(batch: list[Path]) -> Any:
        with torch.inference_mode():
            pixels = processor([open_photo(photo) for photo in batch], return_tensors="pt").pixel_values
            return model.generate(pixels, **limits)

    many = timed(lambda photo: caption([photo]), lambda batch: [caption(p) for p in chunks(batch, BATCH)], photos)
    return {**many, "parameters": sum(weight.numel() for weight in model.parameters())}


def timed(one: Callable[[Path], Any], many: Callable[[list[Path]], Any], photos: list[Path]) -> dict[str, Any]:
    one(photos[0])
    return {
        "one photo, ms": ms([seconds(one, photo) for photo in photos[:16]]),
        "photos/s": round(len(photos) / seconds(many, photos), 1),
    }


def cold_start(bundle: Path, photo: Path) -> dict[str, Any]:
    """`sightline caption PHOTO` as a new process, its files in the page cache."""
    code = "from sightline.cli.main import main; main()"
    command = [sys.executable, "-c", code, "caption", str(photo), "--model", str(bundle)]
    times = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(8)]
    return {"seconds": round(statistics.median(times[1:]), 2)}


def installed_size() -> dict[str, Any]:
    """What the light tier adds to a bare Python: its dependencies and theirs, as installed, without bytecode."""
    waiting, sizes = list(LIGHT_TIER), {}
    while waiting:
        if (name := waiting.pop()) in sizes:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        files = [Path(str(package.locate_file(file))) for file in package.files or ()]
        sizes[name] = sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file()) / 1e6
        needed = [line for line in package.requires or () if "extra ==" not in line]
        waiting += [re.split(r"[^\w.-]", line)[0].lower() for line in needed]
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])
    return {"MB": round(sum(sizes.values()), 1), **{name: round(size, 1) for name, size in largest if size >= 1}}


def chunks(items: Any, size: int) -> Iterator[Any]:
    return (items[start : start + size] for start in range(0, len(items), size))


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def ms(times: list[float]) -> float:
    return round(1000 * statistics.median(times), 1)


if __name__ == "__main__":
    main()
