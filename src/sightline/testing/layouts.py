"""What every layout of a dataset promises."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from PIL import Image

from sightline.data.dataset import LAYOUTS, Dataset, read_dataset
from sightline.errors import SightlineError
from sightline.preprocess import open_photo

Captions: TypeAlias = Mapping[str, Sequence[str]]
Write: TypeAlias = Callable[[Path, Captions, "Mapping[str, Sequence[str]] | None", Mapping[str, bytes]], None]
"""Writes a dataset of the layout into a folder that is there, and empty.

From a photo's name to its captions, a split's name to its photos (None: no split is said), and a photo's name to its
bytes, of those that are to exist.
"""

CAPTIONS = {
    "a.jpg": ['A sign says "stop, please" , and a dog waits .', "Two dogs, one ball"],
    "über.png": ["Ein Hund & ein Ball", "'Quoted' throughout"],
    "c.JPG": ['"Fully quoted"'],
    "d.jpg": ["a cat"],
}
SPLITS = {"train": ["a.jpg", "d.jpg"], "val": ["über.png"], "test": ["c.JPG"]}
# One photo's home is a fact for ever: models trained on older copies must not meet their training photos as test.
HOMES = {"0.jpg": "train", "3.jpg": "val", "10.jpg": "val", "13.jpg": "test", "15.jpg": "test"}


def check_layout(name: str, write: Write, always_splits: bool = False) -> None:
    """Check a registered layout, by its name, on datasets that ``write`` writes in it.

    - Its folder is known as this layout's, and another is not.
    - Photos, captions and splits are read as they were written, quotes, commas and umlauts too; no photo is opened.
    - Photos that do not exist, and those without a caption, are left out and counted.
    - Where the files say nothing of splits, photos are split by their names (unless it ``always_splits``).

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such layout.
    """
    with TemporaryDirectory() as folder:
        _check_nothing(name, Path(folder) / "empty")
        _check_content(_read(name, Path(folder) / "Fotos für alle", write, CAPTIONS, SPLITS))
        _check_left_out(name, Path(folder) / "faults", write)
        if not always_splits:
            _check_derived(name, Path(folder) / "derived", write)


def _read(
    name: str,
    root: Path,
    write: Write,
    captions: Captions,
    splits: Mapping[str, Sequence[str]] | None,
    missing: Sequence[str] = (),
) -> Dataset:
    root.mkdir()
    write(root, captions, splits, {photo: _photo(photo, captions) for photo in captions if photo not in missing})
    dataset = read_dataset(root)
    assert dataset.layout == name, f"{root}: read as {dataset.layout}, whose rank comes first or equal"
    return dataset


def _photo(name: str, captions: Captions) -> bytes:
    content = io.BytesIO()
    colour = (list(captions).index(name) % 256, 100, 200)
    Image.new("RGB", (8, 8), colour).save(content, "PNG" if name.endswith("png") else "JPEG")
    return content.getvalue()


def _check_nothing(name: str, root: Path) -> None:
    root.mkdir()
    try:
        source = LAYOUTS[name].read(root, lambda done, total: None)
    except SightlineError as error:
        raise AssertionError(f"an empty folder is of another layout: return None, and raise no {error!r}") from None
    assert source is None, "an empty folder is of another layout: return None"
    (root / "photo.jpg").write_bytes(_photo("photo.jpg", {"photo.jpg": ()}))
    (root / "notes.md").write_text("# Nothing\n")
    assert LAYOUTS[name].read(root, lambda done, total: None) is None, "a folder without captions is of another layout"


def _check_content(dataset: Dataset) -> None:
    assert dataset.split_source == "files", "the files say which photo is in which split"
    for split, names in SPLITS.items():
        examples = dataset.split(split)
        assert [example.name for example in examples] == names, f"{split}: the photos, in the files' order"
        for example in examples:
            assert list(example.captions) == CAPTIONS[example.name], f"{example.name}: captions as they were written"
            content = example.photo.read()
            assert content == _photo(example.name, CAPTIONS), f"{example.name}: another photo"
            assert example.photo.size() in (None, len(content)), f"{example.name}: its size in bytes, or None"
            assert open_photo(example.photo).size == (8, 8), example.name


def _check_left_out(name: str, root: Path, write: Write) -> None:
    captions = {
        "a.jpg": ["a dog"],
        "gone.jpg": ["a ghost"],
        "bare.jpg": [],
        "blank.jpg": ["", "  "],
        "half.jpg": ["", "b"],
    }
    splits = {"train": list(captions), "val": ["a2.jpg"], "test": ["a3.jpg"]}
    captions |= {"a2.jpg": ["x"], "a3.jpg": ["y"]}
    dataset = _read(name, root, write, captions, splits, missing=["gone.jpg"])
    kept = [(example.name, example.captions) for example in dataset.split("train")]
    assert kept == [("a.jpg", ("a dog",)), ("half.jpg", ("b",))], f"what cannot be used is left out, not {kept}"
    counts = (dataset.without_photo, dataset.without_captions)
    assert counts == (1, 2), f"1 without its photo and 2 without captions are counted, not {counts}"


def _check_derived(name: str, root: Path, write: Write) -> None:
    names = [f"{number}.jpg" for number in range(60)]
    dataset = _read(name, root, write, {photo: ["a dog"] for photo in names}, None)
    assert dataset.split_source == "derived", "files that say nothing of splits: None"
    home = {example.name: split for split, examples in dataset.splits.items() for example in examples}
    assert sorted(home) == sorted(names), "every photo is in one split"
    assert {photo: home[photo] for photo in HOMES} == HOMES, "a photo's name alone decides on its split"
