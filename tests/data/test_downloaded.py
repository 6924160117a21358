"""Datasets as they are downloaded, and as people make them: a small one of each is read without being named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sightline.annotations.caption_files import read_hypotheses, read_references
from sightline.data.check import check_dataset
from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError
from sightline.images.columns import CAPTION_COLUMNS, PHOTO_COLUMNS
from sightline.images.source import ParquetSource
from sightline.preprocess import open_photo

NAMES = [f"{1000 + number}.jpg" for number in range(40)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Fotos für alle").mkdir()
    return tmp_path / "Fotos für alle"


def touch(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def karpathy(path: Path, names: list[str]) -> None:
    homes = ["val", "test", *["train"] * len(names)]
    images = [
        {"filename": name, "split": home, "sentences": [{"raw": "of karpathy"}]}
        for name, home in zip(names, homes, strict=False)
    ]
    path.write_text(json.dumps({"images": images}))


def read(root: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Split -> image -> captions."""
    splits = read_dataset(root).splits
    return {split: {each.name: each.captions for each in examples} for split, examples in splits.items()}


def layout(root: Path) -> tuple[str, str, tuple[str, ...]]:
    report = check_dataset(root)
    return report.layout, report.split_source, report.read


@pytest.mark.parametrize("photos", ["flickr30k-images", "flickr30k_images/flickr30k_images", "Images"])
def test_flickr30ks_results_csv_loses_its_broken_row_alone(photos: str, root: Path) -> None:
    touch(root / photos, NAMES)
    rows = [f"{name}| {number}|  a dog , a cat | and {number} .\n" for name in NAMES for number in range(5)]
    rows[7] = f"{NAMES[1]}| 2   A dog runs across the grass .\n"
    (root / "results.csv").write_text("image_name| comment_number| comment\n" + "".join(rows))
    said = {name: texts for part in read(root).values() for name, texts in part.items()}
    assert len(said) == 40 and [len(said[name]) for name in NAMES[:3]] == [5, 4, 5]
    assert said[NAMES[0]][3] == "a dog , a cat | and 3 ."
    (finding,) = (f for f in check_dataset(root).findings if f.kind == "unread-lines")
    assert finding.names == ("results.csv line 9",) and layout(root) == ("table", "derived", ("results.csv",))


def test_flickr30ks_token_takes_its_split_from_karpathy_beside_it(root: Path) -> None:
    touch(root / "flickr30k-images", NAMES)
    lines = [f"{name}#{number}\tof the authors {number}\n" for name in NAMES for number in range(5)]
    (root / "results_20130124.token").write_text("".join(lines))
    assert layout(root) == ("token_file", "derived", ("results_20130124.token",))
    karpathy(root / "dataset_flickr30k.json", NAMES)
    karpathy(root / "dataset_flickr8k.json", ["other.jpg"])
    assert layout(root) == ("token_file", "files", ("results_20130124.token", "dataset_flickr30k.json"))
    said = read(root)
    assert [len(part) for part in said.values()] == [38, 1, 1] and said["val"][NAMES[0]][0] == "of the authors 0"
    (root / "flickr30k_val.txt").write_text("1005\n1006\n")
    (root / "train.txt").write_text("\n".join(name[:-4] for name in NAMES[7:]))
    assert list(read(root)["val"]) == ["1005.jpg", "1006.jpg"]


@pytest.mark.parametrize("number", ["#0", "#4", ""])
def test_kaggles_column_may_number_its_captions(number: str, root: Path) -> None:
    touch(root / "Images", ["1.jpg", "2.jpg"])
    (root / "captions.txt").write_text(f"image,caption\n1.jpg{number},a dog\n2.jpg{number},a cat\n")
    said = {name: texts for part in read(root).values() for name, texts in part.items()}
    assert said == {"1.jpg": ("a dog",), "2.jpg": ("a cat",)}
    assert read_references(root / "captions.txt") == {"1.jpg": ["a dog"], "2.jpg": ["a cat"]}


@pytest.mark.parametrize("mark", ["zhc", "zhm", "zhb", "en"])
@pytest.mark.parametrize("suffix", [".jpg", ""])
@pytest.mark.parametrize("folder", ["", "data"])
def test_flickr8k_cn(mark: str, suffix: str, folder: str, root: Path) -> None:
    touch(root / "Flicker8k_Dataset", ["1000268201_693b08cb0e.jpg", "1001773457_577c3a7d70.jpg"])
    (root / folder).mkdir(exist_ok=True)
    path = root / folder / f"flickr8k{mark}.caption.txt"
    stems = ("1000268201_693b08cb0e", "1001773457_577c3a7d70")
    lines = [f"{stem}{suffix}#{mark}#{number} 狗 在 跑 {number}\n" for stem in stems for number in (0, 1)]
    path.write_text("".join(lines), encoding="utf-8")
    (root / folder / "flickr8ktrain.txt").write_text("1000268201_693b08cb0e\n")
    (root / folder / "flickr8kval.txt").write_text("1001773457_577c3a7d70\n")
    assert read(root) == {
        "train": {f"1000268201_693b08cb0e{suffix}": ("狗 在 跑 0", "狗 在 跑 1")},
        "val": {f"1001773457_577c3a7d70{suffix}": ("狗 在 跑 0", "狗 在 跑 1")},
    }
    assert read_references(path)[f"1000268201_693b08cb0e{suffix}"] == ["狗 在 跑 0", "狗 在 跑 1"]


def metadata(folder: Path, kind: str, column: str, rows: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"metadata.{kind}"
    records = [{column: name, "text": text} for name, text in rows]
    if kind == "csv":
        path.write_text(f"{column},text\n" + "".join(f'{name},"{text}"\n' for name, text in rows))
    elif kind == "jsonl":
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(records), path)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("column", ["file_name", "image_file_name"])
@pytest.mark.parametrize("where", ["root", "folders", "data"])
def test_hugging_faces_image_folder(kind: str, column: str, where: str, root: Path) -> None:
    base = root / "data" if where == "data" else root
    rows = {"train": ("0001.png", "a dog, a cat"), "validation": ("0001.png", "a bird"), "test": ("0001.png", "a man")}
    for split, (name, text) in rows.items():
        touch(base / split, [name])
        if where != "root":
            metadata(base / split, kind, column, [(name, text)])
    if where == "root":
        metadata(root, kind, column, [(f"{split}/{name}", text) for split, (name, text) in rows.items()])
    up = "data/" if where == "data" else ""
    assert read(root) == {
        "train": {f"{up}train/0001.png": ("a dog, a cat",)},
        "val": {f"{up}validation/0001.png": ("a bird",)},
        "test": {f"{up}test/0001.png": ("a man",)},
    }
    assert layout(root)[:2] == ("imagefolder", "files")


def test_photos_with_a_text_each(root: Path) -> None:
    touch(root, ["cat.jpg", "dog.PNG", "alone.jpg"])
    (root / "cat.txt").write_text("a cat\n\nthe cat\n")
    (root / "dog.txt").write_text("a dog")
    (root / "gone.txt").write_text("nobody")
    (root / "README.txt").write_text("Photos of mine")
    said = {name: texts for part in read(root).values() for name, texts in part.items()}
    assert said == {"cat.jpg": ("a cat", "the cat"), "dog.PNG": ("a dog",)}
    report = check_dataset(root)
    found = {finding.kind: finding.names for finding in report.findings}
    assert (report.layout, found["missing-photos"], found["photos-without-captions"]) == (
        "pairs",
        ("gone",),
        ("alone.jpg",),
    )


@pytest.mark.parametrize("texts", ["", "captions"])
def test_pairs_in_folders_of_splits(texts: str, root: Path) -> None:
    for split in ("train", "val", "test"):
        touch(root / split, ["1.jpg"])
        (root / texts / split).mkdir(parents=True, exist_ok=True)
        (root / texts / split / "1.txt").write_text(f"of {split}\n")
    assert read(root) == {split: {f"{split}/1.jpg": (f"of {split}",)} for split in ("train", "val", "test")}
    assert layout(root)[:2] == ("pairs", "files")


@pytest.mark.parametrize("kind", ["struct", "binary", "path"])
@pytest.mark.parametrize("folder", ["", "data", "default/train"])
def test_parquet_of_bytes_and_of_paths(kind: str, folder: str, root: Path, draw_photo) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for split in ("train", "validation"):
        name = f"{split}.png"
        draw_photo(root / "photos" / name)
        content = (root / "photos" / name).read_bytes()
        image = {"struct": {"bytes": content, "path": name}, "binary": content, "path": f"x/{name}"}[kind]
        rows = [{"image": image, "caption": ["a dog", "the dog"], "extra": 1.5}]
        name = f"{split}-00000-of-00001-a1b2.parquet" if folder != "default/train" else f"../{split}/0000.parquet"
        (root / folder / name).parent.resolve().mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), (root / folder / name).resolve())
    if kind != "path":
        shutil.rmtree(root / "photos")
    dataset = read_dataset(root)
    assert (dataset.layout, dataset.split_source) == ("parquet", "files")
    for split in ("train", "val"):
        (example,) = dataset.split(split)
        assert example.captions == ("a dog", "the dog") and open_photo(example.photo).size == (8, 8)
        assert isinstance(example.photo, ParquetSource) == (kind != "path")


@pytest.mark.parametrize("content", [b"PAR1 no more", b""])
def test_parquet_that_is_torn_is_one_line(content: bytes, root: Path) -> None:
    pytest.importorskip("pyarrow")
    (root / "train.parquet").write_bytes(content)
    with pytest.raises(SightlineError, match=r"train\.parquet: not a Parquet file that can be read") as caught:
        read_dataset(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "photo", [name for name in PHOTO_COLUMNS if "*" not in name] + ["left_file_name", "Image Path"]
)
@pytest.mark.parametrize("caption", CAPTION_COLUMNS)
def test_columns_as_people_name_them(photo: str, caption: str, root: Path) -> None:
    touch(root / "photos", ["1.jpg"])
    (root / "mine.tsv").write_text(f"n\t{caption.title()}\t{photo}\n1\ta dog\t1.jpg\n")
    (example,) = (each for examples in read_dataset(root).splits.values() for each in examples)
    assert (example.name, example.captions) == ("1.jpg", ("a dog",))
    assert read_references(root / "mine.tsv") == {"1.jpg": ["a dog"]}
    (root / "mine.jsonl").write_text(f"{json.dumps({photo: '1.jpg', caption: 'a dog'})}\n" * 2)
    assert read_references(root / "mine.jsonl") == {"1.jpg": ["a dog", "a dog"]}


def test_where_no_column_is_found_the_list_is_told(root: Path) -> None:
    (root / "mine.csv").write_text("bild,satz\n1.jpg,ein Hund\n")
    for read_it in (read_dataset, lambda root: read_hypotheses(root / "mine.csv")):
        with pytest.raises(SightlineError) as caught:
            read_it(root)
        assert all(name in str(caught.value) for name in (*PHOTO_COLUMNS, *CAPTION_COLUMNS))


def test_a_table_a_split_numbered_parts_and_lists_of_captions_in_a_cell(root: Path) -> None:
    touch(root / "photos", NAMES)
    (root / "train.csv").write_text('image;raw\n1000.jpg;"[""a dog"", ""the dog""]"\n1001.jpg;[\'a cat\', "it\'s"]\n')
    (root / "val.csv").write_text("image;raw\n1002.jpg;[a bird]\n")
    assert read(root) == {
        "train": {"1000.jpg": ("a dog", "the dog"), "1001.jpg": ("a cat", "it's")},
        "val": {"1002.jpg": ("[a bird]",)},
    }
    for split in ("train", "val"):
        (root / f"{split}.csv").unlink()
    for part in (0, 1):
        rows = [{"image": name, "caption": "a dog"} for name in NAMES[part::2]]
        (root / f"part-{part}.json").write_text(json.dumps(rows))
    assert sum(map(len, read(root).values())) == 40


def test_karpathys_siblings_and_coco_of_another_year(root: Path) -> None:
    touch(root / "Images", NAMES[:10])
    karpathy(root / "dataset_flickr8k.json", NAMES[:10])
    karpathy(root / "dataset_flickr30k.json", [f"9{name}" for name in NAMES])
    assert layout(root) == ("karpathy", "files", ("dataset_flickr8k.json",))
    karpathy(root / "dataset_flickr30k.json", NAMES)
    with pytest.raises(SightlineError, match=r"flickr30k\.json \(10 of whose photos are here\), .*; keep one"):
        read_dataset(root)


@pytest.mark.parametrize("folders", [("train2014", "train2014"), ("images", "images"), ("images/a", "images/b")])
def test_cocos_photos_under_another_folder(folders: tuple[str, str], root: Path) -> None:
    (root / "annotations").mkdir()
    for (split, number), folder in zip((("train", 9), ("val", 139)), folders, strict=True):
        for year in ("2014", "2017"):
            name = f"COCO_{split}2014_{number:012}.jpg" if year == "2014" else f"{number + 1:012}.jpg"
            document = {
                "images": [{"id": number, "file_name": name}],
                "annotations": [{"id": 1, "image_id": number, "caption": f"a dog of {year}"}],
            }
            (root / "annotations" / f"captions_{split}{year}.json").write_text(json.dumps(document))
        touch(root / folder, [f"COCO_{split}2014_{number:012}.jpg"])
    assert read(root) == {
        "train": {"train2014/COCO_train2014_000000000009.jpg": ("a dog of 2014",)},
        "val": {"val2014/COCO_val2014_000000000139.jpg": ("a dog of 2014",)},
    }


def test_the_docs_have_the_columns() -> None:
    docs = Path(__file__).parents[2] / "docs" / "data.md"
    text = " ".join(docs.read_text(encoding="utf-8").split())
    for names in (PHOTO_COLUMNS, CAPTION_COLUMNS):
        assert ", ".join(f"`{name}`" for name in names) in text
