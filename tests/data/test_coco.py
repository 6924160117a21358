"""COCO's own files beside its folders of photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.data.check import check_dataset
from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError

PHOTOS = {"train": [9, 20], "val": [139]}


def write(root: Path, draw_photo, year: str = "2017", annotations: str = "annotations", photos: str = "") -> Path:
    (root / annotations).mkdir(parents=True, exist_ok=True)
    for split, ids in PHOTOS.items():
        images = [{"id": number, "file_name": f"{number:012}.jpg"} for number in ids]
        captions = [{"id": 7, "image_id": number, "caption": f"a dog , {number}\n"} for number in ids * 2]
        path = root / annotations / f"captions_{split}{year}.json"
        path.write_text(json.dumps({"info": {}, "images": images, "annotations": captions}))
        for image in images:
            draw_photo(root / photos / f"{split}{year}" / image["file_name"])
    return root


@pytest.mark.parametrize("year", ["2017", "2014", ""])
@pytest.mark.parametrize(("annotations", "photos"), [("annotations", ""), ("", ""), ("annotations", "images")])
def test_splits_come_from_the_folders(year, annotations, photos, tmp_path, draw_photo):
    dataset = read_dataset(write(tmp_path, draw_photo, year, annotations, photos))
    assert (dataset.layout, dataset.split_source, list(dataset.splits)) == ("coco", "files", ["train", "val"])
    (val,) = dataset.split("val")
    assert (val.name, val.captions) == (f"val{year}/000000000139.jpg", ("a dog , 139",) * 2)
    assert Path(val.photo) == tmp_path / photos / f"val{year}" / "000000000139.jpg"
    assert len(dataset.split("train")) == 2 and dataset.without_photo == 0


def test_files_of_a_year_without_photos_are_left_alone(tmp_path, draw_photo):
    write(tmp_path, draw_photo)
    for split in PHOTOS:
        (tmp_path / "annotations" / f"captions_{split}2014.json").write_text("not read")
    assert len(read_dataset(tmp_path).split("train")) == 2
    (tmp_path / "val2014").mkdir()
    with pytest.raises(SightlineError, match="photos of 2014 and 2017, which share some; keep one"):
        read_dataset(tmp_path)


def test_odd_entries_are_named_and_the_rest_is_kept(tmp_path, draw_photo):
    path = write(tmp_path, draw_photo) / "annotations" / "captions_val2017.json"
    document = json.loads(path.read_text())
    document["annotations"] += [{"image_id": 4, "caption": "of no photo"}, {"image_id": 139, "caption": None}, 7]
    document["images"].append({"id": 3})
    path.write_text(json.dumps(document))
    (finding,) = (f for f in check_dataset(tmp_path).findings if f.kind == "unread-lines")
    places = ("images[1]", "annotations[2]", "annotations[3]", "annotations[4]")
    assert finding.level == "error" and finding.names == tuple(f"captions_val2017.json {place}" for place in places)
    assert len(read_dataset(tmp_path).split("val")[0].captions) == 2


@pytest.mark.parametrize(("text", "said"), [("{", "broken JSON"), ("[]", "not COCO's captions"), ("{}", "not COCO's")])
def test_a_file_that_is_another_is_named(text, said, tmp_path, draw_photo):
    (write(tmp_path, draw_photo) / "annotations" / "captions_val2017.json").write_text(text)
    with pytest.raises(SightlineError, match=rf"captions_val2017\.json: {said}"):
        read_dataset(tmp_path)
