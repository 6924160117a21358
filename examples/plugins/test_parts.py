"""Each part keeps the promises of its kind: `pip install -e . pytest`, then `pytest`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from sightline.testing import (
    check_decoder,
    check_encoder,
    check_layout,
    check_metric,
    check_objective,
    check_penalty,
    check_regions,
    check_writer,
)


def test_encoder():
    check_encoder("patches", width=16, layers=1)


def test_decoder():
    check_decoder("bag", hidden_size=12)


def test_objective():
    check_objective("focal", gamma=1.0)


def test_penalty():
    check_penalty("repetition", within=2)


def test_metric():
    check_metric("repetition")


def test_writer():
    check_writer("markdown")


def write(
    root: Path,
    captions: Mapping[str, Sequence[str]],
    splits: Mapping[str, Sequence[str]] | None,
    photos: Mapping[str, bytes],
) -> None:
    """Write a dataset of the layout `pipes`, so that its reader can be tested."""
    homes = {name: split for split, names in (splits or {}).items() for name in names}
    order = [*homes, *(name for name in captions if name not in homes)]
    lines = [f"{homes.get(name, '')} | {name} | {text}" for name in order for text in captions[name] or [""]]
    (root / "captions.psv").write_text("\n".join(lines), encoding="utf-8")
    for name, content in photos.items():
        (root / name).write_bytes(content)


def test_layout():
    check_layout("pipes", write)


def test_regions(tmp_path):
    write(tmp_path, {"a.jpg": ["A dog runs."], "b.jpg": ["A cat."]}, {"train": ["a.jpg", "b.jpg"]}, {})
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "boxes.psv").write_text("a.jpg | dog | 0.1 0.2 0.5 0.9\nnonsense\n")
    check_regions("pipes", tmp_path)
