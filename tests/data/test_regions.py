"""Regions are read wherever their files lie, and fall on the words they are about."""

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from sightline.data.check import check_dataset
from sightline.data.dataset import read_dataset
from sightline.data.regions import base
from sightline.data.regions.base import read_regions
from sightline.errors import SightlineError
from sightline.shapes.draw import draw_shapes
from sightline.vocabulary import split_words

NAME = "1007_ab.jpg"
CAPTIONS = {
    NAME: ["Two dogs chase a man's T-shirt .", "A man, in red, runs !", "Somebody's day out."],
    "1009_ab.jpg": ["a dog"],
    "11_ab.jpg": ["a cat"],
}
SENTENCES = """[/EN#1/animals Two dogs] chase [/EN#2/people a man] 's [/EN#3/clothing T - shirt] .
[/EN#2/people A man] , in [/EN#9/other red] , runs !
Something else .
"""
# Pixels of a photo 200 wide and 100 high, counted from 1, the last one included.
OBJECTS = {("1",): [(1, 1, 50, 50), (101, 51, 200, 100)], ("2", "3"): [(151, 26, 200, 75)]}


def annotation(objects, width=200, height=100):
    items = "".join(
        f"<object>{''.join(f'<name>{name}</name>' for name in names)}"
        f"<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for names, boxes in objects.items()
        for x0, y0, x1, y1 in boxes
    )
    scene = "<object><name>9</name><scene>1</scene><nobndbox>1</nobndbox></object>"
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>1007.jpg</filename>{size}{items}{scene}</annotation>"


FILES = {
    "Annotations/1007.xml": annotation(OBJECTS),
    "Sentences/1007.txt": SENTENCES,
    "Annotations/1009.xml": "<annotation><size>",
    "Sentences/1009.txt": "[/EN#1/animals a dog]\n",
    "Sentences/11.txt": "[/EN#1/animals a cat]\n",
}


def lay(place, files=FILES):
    """Write Entities' files into a folder, or into a zip file where ``place`` ends so."""
    if place.suffix == ".zip":
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in files.items():
                archive.writestr(f"__MACOSX/release/{name.replace('/', '/._')}", "")
                archive.writestr(f"release/{name}", text)
    else:
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("{root}", None),
        ("{root}/annotations.zip", None),
        ("{root}/Flickr30kEntities", None),
        ("boxes", "boxes"),
        ("release/annotations.zip", "release"),
        ("release/annotations.zip", "release/annotations.zip"),
    ],
)
def test_phrases_are_found_in_the_dataset_and_where_they_are_named(write_dataset, place, named):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    lay(root.parent / place.format(root=root.name))
    said = []
    regions = root.parent / named if named else None
    dogs, plain, bare = read_dataset(root, regions=regions).located_split("train", said.append)
    (line,) = said
    assert line.startswith(f"{root.name}: boxes of 1 photos from Flickr30k Entities in {root.parent}")
    found = [
        [(split_words(caption)[region.start : region.stop], region.boxes) for region in regions]
        for caption, regions in zip(dogs.captions, dogs.regions, strict=True)
    ]
    man = ((0.75, 0.25, 1.0, 0.75),)
    two = ((0.0, 0.0, 0.25, 0.5), (0.5, 0.5, 1.0, 1.0))
    assert found == [[(["two", "dogs"], two), (["a", "man"], man), (["t-shirt"], man)], [(["a", "man"], man)], []]
    assert plain.regions == bare.regions == ()
    assert read_dataset(root).split("train")[0].regions == ()


@pytest.mark.parametrize("place", ["flickr30k-entities", "flickr30k-entities/annotations.zip", "f30kEntities.zip"])
def test_boxes_beside_the_dataset_are_told_of_but_not_used(write_dataset, place):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    (root.parent / "empty entities").mkdir()
    said = []
    assert not any(example.regions for example in read_dataset(root).located_split("train", said.append))
    assert said == []
    lay(root.parent / place)
    assert not any(example.regions for example in read_dataset(root).located_split("train", said.append))
    beside = root.parent / Path(place).parts[0]
    assert len(said) == 1 and f"--regions {beside}" in said[0]
    assert check_dataset(root).regions == said[0]
    assert check_dataset(root, regions=beside).regions.startswith("4 phrases with boxes")


def test_named_regions_that_are_none_are_refused(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    lay(root / "entities.zip")  # which are not used instead
    (root.parent / "photos.zip").write_bytes(b"PK nothing")
    for name, reason in (("missing", "no such"), ("Images", "no regions"), ("photos.zip", "zip")):
        path = root / name if name == "Images" else root.parent / name
        with pytest.raises(SightlineError, match=rf"{name}: .*{reason}"):
            read_dataset(root, regions=path).located_split("train")


def test_named_regions_that_do_not_exist_are_refused_though_nobody_asks_for_boxes(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    with pytest.raises(SightlineError, match="nowhere: there is no such file or folder"):
        read_dataset(root, regions=root / "nowhere")


def test_the_source_of_the_lowest_rank_is_used_whatever_order_they_registered_in(write_dataset, monkeypatch):
    ranks = [reader.rank for reader in base.REGION_READERS.values()]
    assert len(set(ranks)) == len(ranks) == 4
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    lay(root / "entities.zip")
    (root / "instances_train.json").write_text('{"categories": [], "images": [], "annotations": []}')
    for readers in (sorted(base.REGION_READERS.items()), sorted(base.REGION_READERS.items(), reverse=True)):
        monkeypatch.setattr(base, "REGION_READERS", dict(readers))
        assert "Entities" in read_regions(root, read_dataset(root).split("train")).source


def test_what_makes_no_sense_is_told(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    outside = annotation({("1",): [(1, 1, 50, 50), (300, 1, 400, 50)], ("2", "3"): [(151, 26, 230, 75)]})
    lay(root / "entities.zip", {**FILES, "Annotations/1007.xml": outside})
    located = read_regions(root, read_dataset(root).split("train"))
    places = [problem.partition(" (")[0].rpartition("/")[2] for problem in located.problems]
    assert places == ["1007.xml"] * 3 + ["1009.xml"]
    assert "entity 2 lies outside" in located.problems[1]
    dogs, man, _ = located.regions[NAME][0]
    assert dogs.boxes == ((0.0, 0.0, 0.25, 0.5),)
    assert man.boxes == ((0.75, 0.25, 1.0, 0.75),)


def test_other_archives_do_not_matter_and_a_broken_one_is_named(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    (root / "photos.zip").write_bytes(b"PK nothing")
    assert read_regions(root, read_dataset(root).split("train")) is None
    (root / "flickr30k-entities.zip").write_bytes(b"PK nothing")
    with pytest.raises(SightlineError, match=r"entities\.zip: no readable zip file .*fetch it again"):
        read_dataset(root).located_split("train")


def test_check_tells_of_regions(write_dataset):
    root = write_dataset("kaggle", CAPTIONS, {"train": list(CAPTIONS)})
    assert check_dataset(root).regions == ""
    outside = annotation({("1",): [(1, 1, 50, 50)], ("2", "3"): [(151, 26, 230, 75)]})
    lay(root / "entities.zip", {**FILES, "Annotations/1007.xml": outside})
    report = check_dataset(root)
    assert report.regions.startswith("4 phrases with boxes, of 1 of 3 photos, by Flickr30k Entities in ")
    (found,) = [finding for finding in report.findings if finding.kind == "odd-regions"]
    assert (found.level, found.count) == ("warning", 3)


def test_coco_names_things_by_category_and_plural(tmp_path):
    (tmp_path / "Images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "Images/9.jpg")
    (tmp_path / "captions.txt").write_text("image,caption\n9.jpg,Two hot dogs beside a dog .\n9.jpg,People eat\n")
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("9.jpg\n")
    boxes = [(1, [0, 0, 50, 50]), (1, [50, 50, 50, 50]), (2, [20, 0, 20, 100]), (3, [190, 0, 20, 100]), (3, [1, 2])]
    document = {
        "categories": [{"id": 1, "name": "hot dog"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "person"}],
        "images": [{"id": 5, "file_name": "9.jpg", "width": 200, "height": 100}],
        "annotations": [{"image_id": 5, "category_id": category, "bbox": box} for category, box in boxes],
    }
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations/instances_train2017.json"
    path.write_text(json.dumps(document))
    (example,) = read_dataset(tmp_path).located_split("train")
    told = [{(region.start, region.stop): region.boxes for region in regions} for regions in example.regions]
    dog = ((0.1, 0.0, 0.2, 1.0),)
    assert told[0] == {(1, 3): ((0.0, 0.0, 0.25, 0.5), (0.25, 0.5, 0.5, 1.0)), (5, 6): dog}
    assert told[1] == {(0, 1): ((0.95, 0.0, 1.0, 1.0),)}
    problems = read_regions(tmp_path, [example]).problems
    assert [problem.split(" (")[0] for problem in problems] == [f"{path.name} annotations[{index}]" for index in (3, 4)]
    path.write_text("[]")
    with pytest.raises(SightlineError, match="not COCO's instances"):
        read_dataset(tmp_path).located_split("train")


def test_drawn_shapes_know_their_boxes(tmp_path):
    draw_shapes(tmp_path / "shapes", photos=20)
    examples = read_dataset(tmp_path / "shapes").located_split("train")
    for example in examples:
        for caption, regions in zip(example.captions, example.regions, strict=True):
            words = [split_words(caption)[region.start] for region in regions]
            assert 2 <= len(words) <= 4
            assert all(0 <= left < right <= 1 for region in regions for left, _, right, _ in region.boxes)
    (tmp_path / "shapes/objects.json").write_text("[]")
    assert read_dataset(tmp_path / "shapes").located_split("train")[0].regions == ()
    (tmp_path / "shapes/objects.json").write_text("{")
    with pytest.raises(SightlineError, match="draw it again"):
        read_dataset(tmp_path / "shapes").located_split("train")
