"""The scripts of examples/: what they write is read by the programs it is for, and comes back as a dataset."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from sightline.data.dataset import read_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def library(tmp_path: Path, photos: list[Path], sightline) -> Path:
    """A folder with photos, in it and below it, their captions beside it, and one photo that cannot be read."""
    (folder := tmp_path / "Ünï côde" / "photos").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b #1.png", "sub/c.png")):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(photos[number], folder / name)
    (folder / "broken.png").write_text("no photo")
    captioned = sightline("caption", folder, "--out", folder.parent / "captions.jsonl")
    assert captioned.status == 1 and "broken.png" in (folder.parent / "captions.jsonl").read_text("utf-8")
    return folder


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, encoding="utf-8")


def make_tasks(library: Path) -> list[dict]:
    captions, out = library.parent / "captions.jsonl", library.parent / "tasks.json"
    assert run("label_studio_captions", captions, library, out).stdout == f"{out}: 3 tasks\n"
    return json.loads(out.read_text("utf-8"))


def test_label_studios_tasks_name_photos_that_its_server_finds_and_fit_the_interface(library):
    interface = ElementTree.parse(EXAMPLES / "label_studio.xml").getroot()
    image, text = interface.find("Image"), interface.find("TextArea")
    for task in make_tasks(library):
        address = urlsplit(task["data"][image.get("value").removeprefix("$")])
        assert address.path == "/data/local-files/" and not address.fragment
        assert (library.parent / parse_qs(address.query)["d"][0]).is_file()  # relative to its document root
        assert (library / task["data"]["file_name"]).is_file()
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        assert result["to_name"] == text.get("toName") == image.get("name")
        assert (result["from_name"], result["type"]) == (text.get("name"), text.tag.lower())
        assert len(result["value"]["text"]) == 1 and 0 <= prediction["score"] < 1  # 0: drawn, no photo


def test_the_confidence_that_a_model_has_learned_counts(library):
    tasks = script("label_studio_captions").tasks
    row = {"photo": str(library / "a.png"), "caption": "a dog", "log_probs": [-1.0, -3.0], "error": None}
    scores = [
        task["predictions"][0]["score"] for each in ({}, {"confidence": 0.25}) for task in tasks([row | each], library)
    ]
    assert scores == [pytest.approx(0.1353), 0.25]


def test_label_studio_accepts_the_tasks(library):
    sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="needs label-studio-sdk")
    interface = sdk.LabelInterface((EXAMPLES / "label_studio.xml").read_text())
    interface.validate()
    for task in make_tasks(library):
        assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []
        task["predictions"][0]["result"][0]["from_name"] = "another"
        assert interface.validate_prediction(task["predictions"][0], return_errors=True)


def test_label_studios_export_is_a_dataset_in_the_folder_of_the_photos(library):
    """As Label Studio 1.23 exports JSON-MIN: an entry an annotation; several texts of one are an object."""
    first, second, _ = (task["data"] for task in make_tasks(library))
    entries = [
        first | {"id": 1, "caption": 'a "red" hut', "annotator": 1, "annotation_id": 1, "lead_time": 8.4},
        second | {"id": 2, "caption": "a dog", "annotator": 1, "annotation_id": 3, "lead_time": None},
        second | {"id": 2, "caption": {"text": ["a dog sits", "a pet"]}, "annotator": 2, "annotation_id": 2},
    ]
    (library / "captions.json").write_text(json.dumps(entries, indent=2).replace("/", r"\/"), "utf-8")
    assert captions_in(library) == {"a.png": {'a "red" hut'}, "b #1.png": {"a dog", "a dog sits", "a pet"}}


def captions_in(folder: Path) -> dict[str, set[str]]:
    splits = read_dataset(folder).splits.values()
    return {example.name: set(example.captions) for examples in splits for example in examples}


def test_mistakes_are_one_line(library, tmp_path):
    captions = library.parent / "captions.jsonl"
    for arguments in ([captions], [tmp_path / "none.jsonl", library, "out"], [captions, library / "sub", "out"]):
        ran = run("label_studio_captions", *arguments)
        assert ran.returncode == 1 and ran.stderr.count("\n") == 1 and "Traceback" not in ran.stderr


@pytest.mark.slow
def test_fiftyone_takes_the_captions_and_gives_back_those_that_were_reviewed(library, monkeypatch, tmp_path):
    monkeypatch.setenv("FIFTYONE_DATABASE_DIR", str(tmp_path / "database"))
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "1")
    fiftyone = pytest.importorskip("fiftyone", reason="needs fiftyone and its MongoDB")
    example = script("fiftyone_captions")
    try:
        dataset = example.load(library.parent / "captions.jsonl", "captions")
    except fiftyone.core.service.ServiceListenTimeout:
        pytest.skip("FiftyOne's MongoDB does not start here")
    assert sorted(Path(sample.filepath).name for sample in dataset) == ["a.png", "b #1.png", "c.png"]
    assert all(0 < sample.confidence < 1 for sample in dataset)
    with pytest.raises(ValueError, match="no sample has the tag"):
        example.export("captions", library / "captions.csv")
    kept = next(sample for sample in dataset if sample.filepath.endswith("c.png"))
    kept.tags, kept.caption = [example.REVIEWED], 'a hut, "red"'
    kept.save()
    assert example.export("captions", library / "captions.csv") == 1
    with (library / "captions.csv").open(newline="", encoding="utf-8") as table:
        assert list(csv.reader(table)) == [["file_name", "caption"], [str(Path("sub", "c.png")), 'a hut, "red"']]
    assert captions_in(library) == {"sub/c.png": {'a hut, "red"'}}
