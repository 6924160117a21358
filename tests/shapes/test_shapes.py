from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sightline.cli.data import app
from sightline.data.check import check_dataset
from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError
from sightline.shapes.captions import COLORS, PLACES, SHAPES, is_true, place_of, pointing_targets
from sightline.shapes.draw import draw_shapes
from sightline.vocabulary import split_words

PHOTOS = 120


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "shapes"
    assert draw_shapes(root, PHOTOS, seed=3) is True
    return root


@pytest.fixture(scope="module")
def objects(root) -> dict[str, list[dict]]:
    return json.loads((root / "objects.json").read_text())


@pytest.fixture(scope="module")
def captions(root) -> list[tuple[str, str]]:
    with (root / "captions.txt").open(newline="") as file:
        return [(row["image"], row["caption"]) for row in csv.DictReader(file)]


def test_is_a_sound_dataset_with_all_splits(root):
    report = check_dataset(root)
    assert report.findings == ()
    assert (report.layout, report.photos, report.captions) == ("kaggle", PHOTOS, 5 * PHOTOS)
    assert report.splits == {"train": 96, "val": 12, "test": 12}
    example = read_dataset(root).split("train")[0]
    with Image.open(example.photo) as image:
        assert (image.mode, image.size) == ("RGB", (64, 64))


def test_every_drawn_caption_is_true(captions, objects):
    assert [caption for image, caption in captions if not is_true(caption, objects[image])] == []
    assert len({caption for _, caption in captions}) > PHOTOS


def swap(caption: str, words: tuple[str, ...]) -> str:
    """The caption with the first of ``words`` replaced by the next in the list."""
    found = next(word for word in sorted(words, key=len, reverse=True) if re.search(rf"\b{word}\b", caption))
    other = words[(words.index(found) + 1) % len(words)]
    swapped = re.sub(rf"\b{found}\b", other, caption, count=1)
    return (
        swapped.replace("an orange", "a orange").replace("a orange", "an orange").replace("an " + other, "a " + other)
    )


OPPOSITES = (("above", "below"), ("to the left of", "to the right of"), ("small", "large"))


def test_altered_captions_are_not_true(captions, objects):
    altered = {"color": 0, "shape": 0, "place": 0, "opposite": 0}
    for image, caption in captions:
        present = {item["color"] for item in objects[image]} | {item["shape"] for item in objects[image]}
        # A word that no object of the photo has, so that the sentence stays well formed and becomes false.
        color = next(word for word in COLORS if word not in present and word != "orange")
        shape = next(word for word in SHAPES if word not in present)
        lies = {
            "color": re.sub(rf"\ban? ((?:small |large )?)({'|'.join(COLORS)})\b", rf"a \g<1>{color}", caption, count=1),
            "shape": re.sub("|".join(SHAPES), shape, caption, count=1),
        }
        if any(place in caption for row in PLACES for place in row):
            lies["place"] = swap(caption, tuple(place for row in PLACES for place in row))
        pair = next((pair for pair in OPPOSITES if any(word in caption for word in pair)), None)
        if pair:
            lies["opposite"] = swap(caption, pair)
        for kind, lie in lies.items():
            assert lie != caption
            assert not is_true(lie, objects[image]), (caption, lie)
            altered[kind] += 1
    assert min(altered.values()) > PHOTOS / 3


SCENE = [
    {"color": "red", "shape": "circle", "size": "large", "place": "in the top left", "box": [4, 4, 24, 24]},
    {"color": "orange", "shape": "star", "size": "small", "place": "at the bottom", "box": [25, 45, 39, 59]},
]


@pytest.mark.parametrize(
    "caption",
    [
        "a red circle above an orange star",
        "an orange star below a red circle",
        "a red circle to the left of an orange star",
        "An orange star is to the right of a red circle.",
        "there is a red circle and an orange star",
        "a red circle in the top left",
        "a large red circle and a small orange star",
        "there is a small orange star at the bottom",
        "a red circle in the top left and an orange star at the bottom",
    ],
)
def test_true_sentences(caption):
    assert is_true(caption, SCENE)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a",
        "red circle",
        "a red star",
        "a red circle below an orange star",
        "an orange star to the left of a red circle",
        "a red circle above a red circle",
        "a red circle and a red circle",
        "a small red circle",
        "a red circle at the bottom",
        "a red circle in the top left and an orange star in the top left",
        "a orange star",
        "a red circle above an orange star above a red circle",
        "there is there is a red circle",
        "a dog runs through the grass",
        "circle a red orange an star above",
    ],
)
def test_false_sentences_and_gibberish(caption):
    assert not is_true(caption, SCENE)


def test_relations_that_are_not_clear_are_not_said(objects):
    level = [SCENE[0], {**SCENE[1], "box": [40, 12, 54, 26]}]
    assert is_true("an orange star to the right of a red circle", level)
    assert not is_true("a red circle above an orange star", level)
    for items in objects.values():
        if len(items) == 2:
            (ax, ay), (bx, by) = (((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (item["box"] for item in items))
            for distance in (abs(ax - bx), abs(ay - by)):
                assert not 7 < distance < 13


def test_words_point_at_the_objects_they_name():
    words = split_words("A red circle above an orange star, and a blue square.")
    first, second = tuple(SCENE[0]["box"]), tuple(SCENE[1]["box"])
    assert pointing_targets(words, SCENE) == {1: first, 2: first, 5: second, 6: second}


def test_boxes_hold_just_the_objects_pixels(root, objects):
    for name, items in objects.items():
        with Image.open(root / "Images" / name) as image:
            pixels = np.asarray(image, dtype=int)
        # Backgrounds are nearly grey, objects are not.
        colourful = pixels.max(axis=2) - pixels.min(axis=2) > 30
        outside = colourful.copy()
        for item in items:
            x0, y0, x1, y1 = item["box"]
            inside = colourful[y0:y1, x0:x1]
            outside[y0:y1, x0:x1] = False
            # Tight, too: colour near every side; a tilted star's tip fades over two pixels.
            assert inside[:3].any() and inside[-3:].any() and inside[:, :3].any() and inside[:, -3:].any()
            assert item["place"] == place_of((x0 + x1) / 2, (y0 + y1) / 2, 64)
            assert (max(x1 - x0, y1 - y0) > 21) == (item["size"] == "large")
        assert not outside.any(), name


def test_objects_are_one_or_two_apart_and_unlike(objects):
    assert {len(items) for items in objects.values()} == {1, 2}
    for items in objects.values():
        if len(items) == 2:
            (a0, b0, a1, b1), (c0, d0, c1, d1) = (item["box"] for item in items)
            assert max(c0 - a1, a0 - c1, d0 - b1, b0 - d1) >= 1
            assert items[0]["color"] != items[1]["color"] and items[0]["shape"] != items[1]["shape"]
    seen = {
        item[trait] for items in objects.values() for item in items for trait in ("color", "shape", "place", "size")
    }
    assert seen == {*COLORS, *SHAPES, "small", "large", *(place for row in PLACES for place in row)}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, again, other, more = tmp_path / "one", tmp_path / "again", tmp_path / "other", tmp_path / "more"
    for folder, photos, seed in ((one, 12, 5), (again, 12, 5), (other, 12, 6), (more, 14, 5)):
        draw_shapes(folder, photos, seed)
    assert contents(one) == contents(again)
    assert contents(one)["Images/shapes-00000.png"] != contents(other)["Images/shapes-00000.png"]
    assert all(contents(more)[name] == data for name, data in contents(one).items() if name.endswith("png"))


def test_a_second_run_leaves_the_folder_alone(tmp_path):
    root = tmp_path / "neu & schön"
    root.mkdir()  # an empty folder is as good as none
    assert draw_shapes(root, 10) is True
    before = contents(root)
    assert draw_shapes(root, 10) is False
    with pytest.raises(SightlineError, match=r"exists already, drawn with .*remove it"):
        draw_shapes(root, 11)
    assert contents(root) == before
    (root / "shapes.json").unlink()
    with pytest.raises(SightlineError, match="exists already and is no shapes dataset"):
        draw_shapes(root, 10)


def test_a_second_run_draws_nothing_and_two_at_once_agree(tmp_path):
    root = tmp_path / "shapes"

    def draw_meanwhile(done: int, total: int) -> None:
        if done == 5:
            assert draw_shapes(root, 10) is True

    assert draw_shapes(root, 10, progress=draw_meanwhile) is False
    drawn: list[int] = []
    draw_shapes(root, 10, progress=lambda done, total: drawn.append(done))
    assert drawn == [] and [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_an_unfinished_run_leaves_nothing(tmp_path):
    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_shapes(tmp_path / "shapes", 10, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("photos", "seed"), [(9, 0), (10, -1)])
def test_impossible_numbers_are_refused(photos, seed, tmp_path):
    with pytest.raises(SightlineError, match="draw 10 photos or more"):
        draw_shapes(tmp_path / "shapes", photos, seed)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SightlineError, match="cannot be written"):
        draw_shapes(tmp_path / "file" / "shapes", 10)


def test_command_draws_and_says_so(tmp_path):
    root = tmp_path / "shapes"
    for message in ("10 photos drawn", "10 photos are there already"):
        result = CliRunner().invoke(app, ["shapes", str(root), "--photos", "10", "--seed", "1"])
        assert (result.exit_code, message in result.stdout) == (0, True)
