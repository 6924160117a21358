"""A tiny model with random weights, exported once a session for every test that captions."""

from __future__ import annotations

import copy
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

from sightline.model_folder import ModelConfig
from sightline.vocabulary import Vocabulary

if TYPE_CHECKING:  # torch takes seconds to import: only the tests that use these fixtures wait for it
    import onnx

    from sightline.nn.model import CaptionModel

CAPTIONS = ("a dog runs over the green grass", "two people sit on a red bench", "one black cat's ball lies here")
OPTIONS = {
    "gru": {"hidden_size": 16, "embedding_size": 8, "attention_size": 12},
    "lstm": {"hidden_size": 16, "embedding_size": 8, "attention_size": 12},
    "transformer": {"hidden_size": 16, "layers": 2, "heads": 2},
}


# Files and folders whose tests start browsers, servers, commands and exports, or wait for time to pass: all are `slow`.
SLOW = (
    *("tests/cli/test_streams.py", "tests/export/test_export.py", "tests/export/test_trace.py", "tests/serve/page/"),
    *("tests/metrics/test_meteor.py", "tests/metrics/test_against_pycocoevalcap.py", "tests/serve/test_connections.py"),
    *("tests/serve/test_description.py", "tests/serve/test_stopping.py", "tests/serve/test_workers.py"),
    *("tests/test_light_tier.py", "tests/training/test_train.py", "tests/training/test_resume.py"),
    *("tests/cli/test_caption_to_file.py", "tests/training/test_cpu.py", "tests/training/test_features.py"),
    "tests/training/test_calibration.py",
)
# The files that take longest, and those after them that take more than five seconds: begun last, one would run alone.
LONGEST = (
    *("tests/export/test_ensemble.py", "tests/training/test_devices.py", "tests/export/test_export.py"),
    *(
        "tests/bulk/test_ray.py",
        "tests/test_research.py",
        "tests/test_tour.py",
        "tests/serve/page/",
        "tests/training/test_failures.py",
    ),
    *("tests/cli/test_streams.py", "tests/serve/test_stopping.py", "tests/cli/test_caption_to_file.py"),
    *("tests/metrics/test_meteor.py", "tests/training/test_objectives.py", "tests/training/test_languages.py"),
    "tests/docs/test_commands.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(part in item.path.as_posix() for part in SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: [part not in item.path.as_posix() for part in LONGEST])


class Tiny(NamedTuple):
    """A model that writes various sentences of various lengths about various photos."""

    model: CaptionModel
    config: ModelConfig
    vocabulary: Vocabulary


def make_tiny(encoder: str = "small_cnn", decoder: str = "gru", **options: object) -> Tiny:
    import torch

    from sightline.export.agreement import random_photos
    from sightline.nn.library_encoders import make_encoder
    from sightline.nn.model_files import build_model

    kind = make_encoder(encoder)
    options = OPTIONS.get(decoder, {}) | options
    config = ModelConfig(encoder, 16, decoder, options, kind.grid, 9, kind.preprocessing, {"data": "nothing"})
    vocabulary = Vocabulary.from_captions(CAPTIONS)
    torch.manual_seed(3)
    model = build_model(config, vocabulary)
    with torch.no_grad():
        # Statistics of real activations, without which an untrained encoder's features all but vanish.
        for module in model.encoder.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.encoder.train()(torch.from_numpy(random_photos(kind.preprocessing.size)))
        # Large weights, so that what is said depends on the photo, and words are far from equally likely.
        model.projection.weight.mul_(4)
        for parameter in model.decoder.parameters():
            parameter.mul_(3 if decoder == "gru" else 1.5)  # layer upon layer, more would magnify rounding alone
    return Tiny(model.eval(), config, vocabulary)


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return make_tiny()


@pytest.fixture(scope="session")
def tiny_run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a training leaves it. Copy it before changing it."""
    from sightline.nn.model_files import save_model

    folder = tmp_path_factory.mktemp("tiny") / "run"
    save_model(folder, *tiny)
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Has a path made by one of the processes that run the tests; the others wait for it."""
    from filelock import FileLock

    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, maker: Callable[[Path], object]) -> Path:
        path = root / name
        with FileLock(root / f"{name}.lock"):
            if not path.exists():
                maker(path)
        return path

    return make


@pytest.fixture(scope="session")
def tiny_bundle(tiny_run: Path, made_once: Callable[..., Path]) -> Path:
    """The model exported. Copy it before changing it."""
    from sightline.export.export import export_model

    return made_once("tiny-bundle", lambda path: export_model(tiny_run, path))


@pytest.fixture(scope="session")
def heads_bundle(tiny_bundle: Path, made_once: Callable[..., Path]) -> Path:
    """The model exported, with made-up values of all that `sightline calibrate` teaches. Copy it before changing it."""
    from tests.heads import add_heads

    return made_once("heads-bundle", lambda path: add_heads(tiny_bundle, path))


@pytest.fixture(scope="session")
def tiny_graph(tiny_bundle: Path) -> onnx.ModelProto:
    import onnx

    return onnx.load(tiny_bundle / "model.onnx")


HEADS = {
    "keywords": ("dog", "grass", "red", "bench"),
    "nouns": ("dog", "grass", "people", "bench", "cat", "ball"),
    "kinds": ("photo", "chart", "map"),
}


def add_heads(tiny: Tiny, names: Mapping[str, tuple[str, ...]] = HEADS) -> Tiny:
    """The model with heads of random weights, as a calibration would add them."""
    import torch

    from sightline.nn.heads import Heads

    model, config, vocabulary = copy.deepcopy(tiny.model), replace(tiny.config, heads=names), tiny.vocabulary
    torch.manual_seed(5)
    heads = Heads(model.encoder.feature_size, len(vocabulary), names)
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
        if heads.confidence is not None:
            keywords = names["keywords"]
            for word in names["nouns"]:
                keyword = keywords.index(word) if word in keywords else len(keywords)
                heads.confidence.keyword_of[vocabulary.words.index(word)] = keyword
            heads.confidence.prior.copy_(-torch.rand(len(keywords) + 1))
    model.heads = heads
    return Tiny(model.eval(), config, vocabulary)


@pytest.fixture(scope="session")
def headed(tiny: Tiny) -> Tiny:
    return add_heads(tiny)


@pytest.fixture(scope="session")
def headed_run(headed: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with heads, with model.onnx. Copy it before changing it."""
    from sightline.export.export import export_into
    from sightline.nn.model_files import save_model

    folder = tmp_path_factory.mktemp("headed") / "run"
    save_model(folder, *headed)
    export_into(folder)
    return folder


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model folder for every decoder; the GRU's attention asks by the word, too. Copy them before changing them."""
    from sightline.nn.model_files import DECODERS, save_model

    options = {"gru": {"query": "hidden_and_word"}}
    folders = [tmp_path_factory.mktemp("members") / name for name in DECODERS]
    for folder in folders:
        save_model(folder, *make_tiny(decoder=folder.name, **options.get(folder.name, {})))
    return folders


@pytest.fixture(scope="session")
def every_decoder(members: list[Path], made_once: Callable[..., Path]) -> Path:
    """The ensemble of `members`: its export, which fails unless it is exact, shows that each decoder is exported."""
    from sightline.export.export import make_ensemble

    return made_once("every-decoder", lambda path: make_ensemble(members, path))


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the exported model, to be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seven photos of blurred colours, about which the model says different things."""
    folder = tmp_path_factory.mktemp("photos")
    colours = np.random.default_rng(1).integers(0, 256, (7, 3, 3, 3), np.uint8)
    paths = [folder / f"{number}.png" for number in range(7)]
    for path, small in zip(paths, colours, strict=True):
        Image.fromarray(small).resize((96, 80), Image.Resampling.BICUBIC).save(path)
    return paths


class Finished(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def sightline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Runs the command in this process, as its entry point does."""
    from sightline.cli.main import main

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["sightline", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        return Finished(int(exited.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def disk_full() -> Callable[[int], AbstractContextManager[None]]:
    """``with disk_full(size):`` no file can grow beyond so many bytes, as on a disk that has no more room."""
    resource = pytest.importorskip("resource", reason="limits on files are POSIX's")

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
