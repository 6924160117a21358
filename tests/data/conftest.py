"""A small dataset, written in every registered layout: one writer a layout, so that the same tests cover them all."""

from __future__ import annotations

import csv
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

Captions = Mapping[str, Sequence[str]]
Splits = Mapping[str, Sequence[str]]
Writer = Callable[[Path, Captions, "Splits | None"], Path]


def _draw_photo(path: Path, color: tuple[int, int, int] = (10, 20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path)


def _write_lists(folder: Path, splits: Splits | None) -> None:
    for split, names in (splits or {}).items():
        word = {"train": "train", "val": "dev", "test": "test"}[split]
        (folder / f"Flickr_8k.{word}Images.txt").write_text("".join(f"{n}\n" for n in names), encoding="utf-8")


def write_kaggle(root: Path, captions: Captions, splits: Splits | None) -> Path:
    """As a spreadsheet on Windows saves it: a byte order mark and CRLF line ends."""
    folder = root / "Images"
    folder.mkdir(parents=True)
    with (root / "captions.txt").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(["image", "caption"])
        writer.writerows((name, text) for name, texts in captions.items() for text in texts)
    _write_lists(root, splits)
    return folder


def write_original(root: Path, captions: Captions, splits: Splits | None) -> Path:
    folder, text = root / "Flicker8k_Dataset", root / "Flickr8k_text"
    folder.mkdir(parents=True)
    text.mkdir()
    lines = [f"{name}#{i}\t{line}\r\n" for name, texts in captions.items() for i, line in enumerate(texts)]
    (text / "Flickr8k.token.txt").write_text("".join(lines), encoding="utf-8", newline="")
    _write_lists(text, splits)
    return folder


def write_karpathy(root: Path, captions: Captions, splits: Splits | None) -> Path:
    folder = root / "images"
    folder.mkdir(parents=True)
    homes = {name: split for split, names in (splits or {}).items() for name in names}
    # Half of the training photos carry COCO's name for the rest of its validation photos.
    words = {name: "restval" if i % 2 else "train" for i, name in enumerate((splits or {}).get("train", ()))}
    images = [
        {"filename": name, "sentences": [{"raw": text} for text in captions.get(name, ())]}
        | ({"split": words.get(name, homes[name])} if name in homes else {})
        for name in {**captions, **homes}
    ]
    (root / "dataset_tiny.json").write_text(json.dumps({"images": images}), encoding="utf-8")
    return folder


def _rows(captions: Captions, splits: Splits | None, caption: str) -> list[dict[str, object]]:
    homes = {name: split for split, names in (splits or {}).items() for name in names}
    return [
        {"file_name": name, caption: list(captions.get(name, ()))} | ({"split": homes[name]} if name in homes else {})
        for name in {**captions, **homes}
    ]


def write_table(root: Path, captions: Captions, splits: Splits | None) -> Path:
    folder = root / "my photos"
    folder.mkdir(parents=True)
    rows = _rows(captions, splits, "captions")
    (root / "mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8-sig")
    return folder


def write_imagefolder(root: Path, captions: Captions, splits: Splits | None) -> Path:
    root.mkdir(parents=True)
    rows = _rows(captions, splits, "text")
    (root / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return root


def write_pairs(root: Path, captions: Captions, splits: Splits | None) -> Path:
    root.mkdir(parents=True)
    for name, texts in captions.items():
        (root / f"{name}.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    _write_lists(root, splits)
    return root


def write_parquet(root: Path, captions: Captions, splits: Splits | None) -> Path:
    """Of photos that `pack_parquet` finds in the folder, once they are drawn."""
    pytest.importorskip("pyarrow", reason="Parquet comes with the extra `parquet`")
    folder = root / "photos"
    folder.mkdir(parents=True)
    (root / "facts.json").write_text(json.dumps(_rows(captions, splits, "captions")))
    return folder


def pack_parquet(root: Path) -> None:
    """As Hugging Face writes it, in two parts; the photos that lay beside them go."""
    import pyarrow
    from pyarrow import parquet

    rows = json.loads((root / "facts.json").read_text())
    (root / "facts.json").unlink()
    named = {row["file_name"] for row in rows}
    rows += [{"file_name": p.name, "captions": []} for p in sorted((root / "photos").iterdir()) if p.name not in named]
    for row in rows:
        photo = root / "photos" / row.pop("file_name")
        row["image"] = {"bytes": photo.read_bytes() if photo.exists() else None, "path": photo.name}
        row.setdefault("split", None)
    kinds = {"image": pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})}
    kinds |= {"captions": pyarrow.list_(pyarrow.string()), "split": pyarrow.string()}
    (root / "data").mkdir()
    for number, part in enumerate((rows[::2], rows[1::2])):
        table = pyarrow.Table.from_pylist(part, pyarrow.schema(kinds))
        parquet.write_table(table, root / "data" / f"all-{number:05d}-of-00002.parquet", row_group_size=3)
    shutil.rmtree(root / "photos")


def write_token_file(root: Path, captions: Captions, splits: Splits | None) -> Path:
    folder = root / "flickr30k-images"
    folder.mkdir(parents=True)
    lines = [f"{name}#{i}\t{line}\n" for name, texts in captions.items() for i, line in enumerate(texts)]
    (root / "results_20130124.token").write_text("".join(lines), encoding="utf-8")
    _write_lists(root, splits)
    return folder


def write_shards(root: Path, captions: Captions, splits: Splits | None) -> Path:
    """Of photos that `pack_shards` finds in the folder, once they are drawn."""
    folder = root / "photos"
    folder.mkdir(parents=True)
    homes = {name: split for split, names in (splits or {}).items() for name in names}
    facts = [
        {"file_name": name, "captions": list(captions.get(name, ())), "split": homes.get(name, "")}
        for name in {**homes, **captions}
    ]
    (root / "facts.json").write_text(json.dumps(facts))
    return folder


def pack_shards(root: Path) -> None:
    """A shard or two a split; the photos that lay beside them go."""
    facts = json.loads((root / "facts.json").read_text())
    named = {fact["file_name"] for fact in facts}
    facts += [{"file_name": p.name, "split": ""} for p in (root / "photos").iterdir() if p.name not in named]
    for number, fact in enumerate(facts):
        photo = root / "photos" / fact["file_name"]
        shard = f"{fact['split']}-{number // 3}.tar".lstrip("-")
        (root / "fact").write_text(json.dumps(fact))
        with tarfile.open(root / shard, "a") as tar:
            if photo.exists():
                tar.add(photo, f"{number:05d}{photo.suffix}")
            tar.add(root / "fact", f"{number:05d}.json")
    shutil.rmtree(root / "photos")


WRITERS: dict[str, Writer] = {
    "shards": write_shards,
    "kaggle": write_kaggle,
    "flickr8k_original": write_original,
    "karpathy": write_karpathy,
    "table": write_table,
    "imagefolder": write_imagefolder,
    "pairs": write_pairs,
    "parquet": write_parquet,
    "token_file": write_token_file,
}


PACKERS: dict[str, Callable[[Path], None]] = {"shards": pack_shards, "parquet": pack_parquet}


def write_layout(
    layout: str, root: Path, captions: Captions, splits: Splits | None, photos: Mapping[str, bytes]
) -> None:
    """As `sightline.testing.layouts.Write`: ``photos`` are the bytes of those that are there."""
    root.rmdir()  # the writers make it
    folder = WRITERS[layout](root, captions, splits)
    for name, content in photos.items():
        (folder / name).write_bytes(content)
    if layout in PACKERS:
        PACKERS[layout](root)


@pytest.fixture
def draw_photo() -> Callable[..., None]:
    return _draw_photo


@pytest.fixture
def write_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write captions and split lists in a layout, with a small photo for each of ``photos``; returns the folder."""

    def write(
        layout: str, captions: Captions, splits: Splits | None = None, photos: Sequence[str] | None = None
    ) -> Path:
        assert layout in WRITERS, f"write a small dataset of layout {layout!r} in tests/data/conftest.py"
        root = tmp_path / "Fotos für alle" / layout
        folder = WRITERS[layout](root, captions, splits)
        for number, name in enumerate(captions if photos is None else photos):
            _draw_photo(folder / name, (number, 100, 200))
        if layout in PACKERS:
            PACKERS[layout](root)
        return root

    return write
