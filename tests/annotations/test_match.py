"""Which file a name means: found wherever only one can be meant, and told where not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sightline.annotations.match import find_photos, pair_photos
from sightline.cli.data import app
from sightline.data.check import check_dataset
from sightline.data.dataset import derive_split, read_dataset
from sightline.errors import SightlineError


def lay(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("1.jpg", "1.jpg"),
        ("1.jpg", "photos/1.jpg"),
        ("1.jpg", "archive/Flickr Fotos/über/1.jpg"),
        ("sub/1.jpg", "photos/sub/1.jpg"),
        ("photos/1.jpg", "1.jpg"),
        ("photos\\1.jpg", "photos/1.jpg"),
        ("C:\\Users\\them\\photos\\1.jpg", "photos/1.jpg"),
        ("/home/them/data/photos/1.jpg", "images/1.jpg"),
        ("1.jpg", "1.JPG"),
        ("IMG_1.JPG", "Photos/img_1.jpg"),
        ("1", "photos/1.jpg"),
        ("1.jpg", "photos/1.png"),
        ("u\u0308.jpg", "photos/\u00fc.jpg"),
        ("\u00fc.jpg", "photos/u\u0308.jpg"),
        ("139", "val2017/000000000139.jpg"),
        ("val2014/COCO_val2014_000000000139.jpg", "train2017/000000000139.jpg"),
        ("2.1.jpg", "a.b/2.1.jpg"),
    ],
)
def test_one_file_is_meant(name: str, file: str, tmp_path: Path) -> None:
    found = find_photos(lay(tmp_path, file, "photos/other.jpg", "readme.txt"), [name])
    assert Path(found.photos[name]) == tmp_path / file and not found.unclear


@pytest.mark.parametrize(
    ("name", "files", "told"),
    [
        ("1.jpg", ["a/1.jpg", "b/1.jpg"], "a/1.jpg or b/1.jpg"),
        ("1", ["a/1.jpg", "a/1.png"], "a/1.jpg or a/1.png"),
        ("c/1.jpg", ["a/1.jpg", "b/1.jpg"], "a/1.jpg or b/1.jpg"),
    ],
)
def test_where_several_files_could_be_meant_it_is_told(name: str, files: list[str], told: str, tmp_path: Path) -> None:
    found = find_photos(lay(tmp_path, *files), [name])
    assert name not in found.photos and found.unclear == {name: told}


def test_the_folders_that_agree_decide(tmp_path: Path) -> None:
    lay(tmp_path, "x/train/1.jpg", "x/val/1.jpg", "thumbs/2.jpg", "2.jpg")
    names = ["/home/them/train/1.jpg", "D:\\data\\val\\1.jpg", "2.jpg"]
    found = find_photos(tmp_path, names)
    assert [Path(found.photos[name]).relative_to(tmp_path).as_posix() for name in names] == [
        "x/train/1.jpg",
        "x/val/1.jpg",
        "2.jpg",
    ]


def test_what_one_name_means_surely_another_does_not_mean(tmp_path: Path) -> None:
    lay(tmp_path, "val/1.jpg", "val/2.jpg", "a.jpg")
    found = find_photos(tmp_path, ["other/1.jpg", "val/1.jpg", "train/2.jpg", "a.jpg", "A.jpg", "x/b.jpg"])
    assert {name: Path(photo).name for name, photo in found.photos.items() if name != "val/2.jpg"} == {
        "val/1.jpg": "1.jpg",
        "a.jpg": "a.jpg",
    }
    found = find_photos(tmp_path, ["x/a.png", "y/a.gif"])
    assert not found.photos and found.unclear["x/a.png"] == "a.jpg, as could y/a.gif"


def test_photos_elsewhere_on_this_machine_and_links(tmp_path: Path) -> None:
    far, root = lay(tmp_path / "far", "1.jpg", "2.jpg"), lay(tmp_path / "near", "captions.csv")
    assert Path(find_photos(root, [f"{far}/1.jpg"]).photos[f"{far}/1.jpg"]) == far / "1.jpg"
    assert Path(find_photos(root, ["../far/1.jpg"]).photos["../far/1.jpg"]).resolve() == far / "1.jpg"
    (root / "photos").symlink_to(far)
    (root / "twice").symlink_to(far)
    (root / "again").symlink_to(root)
    assert set(find_photos(root, ["1.jpg"]).photos) == {"1.jpg", "2.jpg"}


def test_what_is_missing_and_unclear_is_counted_with_three_examples(tmp_path: Path) -> None:
    lay(tmp_path, "a/1.jpg", "b/1.jpg")
    names = ["1.jpg", *(f"/mnt/them/{number}.jpg" for number in range(2, 90))]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(f"{name},a dog\n" for name in names))
    with pytest.raises(SightlineError) as caught:
        read_dataset(tmp_path).split("train")
    said = str(caught.value)
    assert "89 named photos" in said and "'1.jpg' (which could be a/1.jpg or b/1.jpg)" in said
    assert "'/mnt/them/2.jpg', '/mnt/them/3.jpg';" in said and "\n" not in said
    found = {finding.kind: finding for finding in check_dataset(tmp_path).findings}
    assert found["missing-photos"].count == 88 and found["unclear-photos"].names == ("1.jpg (a/1.jpg or b/1.jpg)",)
    shown = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert shown.exit_code == 1 and "layout    table (captions.csv)" in shown.stdout
    assert shown.stdout.count("          /mnt/them/") == 3 and "and 85 more" in shown.stdout


def test_a_photos_home_is_by_its_file_name() -> None:
    assert derive_split("C:\\data\\3.jpg") == derive_split("/home/3.jpg") == derive_split("3.jpg") == "val"


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("1.jpg", "1.jpg"),
        ("photos/1.jpg", "1.jpg"),
        ("1.jpg", "Images/1.jpg"),
        ("C:\\photos\\1.jpg", "1.jpg"),
        ("/home/me/Images/1.jpg", "Images/1.jpg"),
        ("1_a", "1_a.jpg"),
        ("photos/1_a.jpg", "1_a"),
        ("000000000139.jpg", "139"),
        ("IMG_1.JPG", "photos/img_1.jpg"),
        ("139", "val2014/COCO_val2014_000000000139.jpg"),
        ("photos/COCO_val2014_000000000139.jpg", "139"),
    ],
)
def test_the_same_photo_by_another_name(name: str, reference: str) -> None:
    assert pair_photos([name], [reference, "other.jpg", "140"]) == {name: reference}


@pytest.mark.parametrize(("name", "reference"), [("1.jpg", "1.png"), ("01.jpg", "1.jpg"), ("2", "1"), ("dog1", "1")])
def test_another_photo_is_not_taken_for_it(name: str, reference: str) -> None:
    assert pair_photos([name], [reference]) == {name: name}


def test_folders_tell_photos_of_one_name_apart() -> None:
    references = ["train/1.jpg", "val/1.jpg"]
    assert pair_photos(["data/val/1.jpg"], references) == {"data/val/1.jpg": "val/1.jpg"}
    with pytest.raises(SightlineError, match=r"'1\.jpg' could be 'train/1\.jpg' or 'val/1\.jpg' of the references"):
        pair_photos(["1.jpg"], references)
    with pytest.raises(SightlineError, match=r"'a/1\.jpg' and 'b/1\.jpg' could both be '1\.jpg' of the references"):
        pair_photos(["a/1.jpg", "b/1.jpg"], ["1.jpg"])


def test_other_names_that_the_file_gives_come_first() -> None:
    assert pair_photos(["x.jpg"], ["7"], {"x.jpg": {"7"}}) == {"x.jpg": "7"}
    with pytest.raises(SightlineError, match="could be '7' or '8'"):
        pair_photos(["x.jpg"], ["7", "8"], {"x.jpg": {"7", "8"}})
