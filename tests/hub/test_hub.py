"""A model goes to the Hub and comes back the same, pinned, and offline too; nothing in it is a pickle."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

import sightline
from sightline.errors import SightlineError
from sightline.hub.fetch import Address, fetch, parse_address

PUSHED = {".gitattributes", "README.md", "config.json", "model.onnx", "model.safetensors", "vocabulary.json"}


@pytest.fixture(scope="module")
def run(tiny_run, tiny_bundle, tmp_path_factory):
    """What a training leaves, checkpoints and pictures of photos with it."""
    folder = tmp_path_factory.mktemp("hub runs") / "run ä"
    shutil.copytree(tiny_run, folder)
    shutil.copy(tiny_bundle / "model.onnx", folder)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"a pickle")
    (folder / "samples.png").write_bytes(b"photos of people")
    return folder


@pytest.fixture(scope="module")
def pushed(hub, run):
    from sightline.hub.push import push

    return push(run, "ada/first", {})


def report(folder: Path) -> Path:
    folder.mkdir()
    facts = {
        "scores": {"CIDEr": 0.5432, "BLEU-4": 0.2, "novel": 0.9},
        "intervals": {"CIDEr": [0.5, 0.58]},
        **{"photos": 2, "split": "test", "beam_size": 3, "data": {"name": "Mine"}, "warnings": ["few photos"]},
    }
    for name, content in (("scores", facts), ("hypotheses", {"1": "a"}), ("references", {"1": ["a"]})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_what_comes_back_captions_as_what_went(hub, run, pushed, photos):
    assert set(hub.commits["ada/first"][pushed.revision]) == PUSHED
    there, here = sightline.load("hf://ada/first"), sightline.load(run)
    assert there(photos[0]).text == here(photos[0]).text
    assert there.folder.name == pushed.revision
    assert not (there.folder / "model.safetensors").exists()  # who captions needs none
    assert (fetch("hf://ada/first", ["model.safetensors"]) / "model.safetensors").read_bytes() == (
        run / "model.safetensors"
    ).read_bytes()


def test_a_revision_is_pinned(hub, run, pushed, tmp_path):
    later = shutil.copytree(run, tmp_path / "later")
    (later / "MODEL_CARD.md").write_text("# Later\n\nIts own card.\n")
    from sightline.hub.push import push

    newest = push(later, "hf://ada/first", {})
    assert newest.revision != pushed.revision
    assert sightline.load("hf://ada/first").folder.name == newest.revision
    assert sightline.load(str(pushed)).folder.name == pushed.revision
    hub.refs["ada/first"]["v1"] = pushed.revision
    assert sightline.load(Path("hf://ada/first@v1")).folder.name == pushed.revision
    assert hub.commits["ada/first"][newest.revision]["README.md"].decode().count("# Later\n") == 1


def test_the_cache_serves_offline_and_asks_nothing_twice(hub, pushed, monkeypatch):
    sightline.load(str(pushed))
    before = len(hub.asked)
    sightline.load(str(pushed))
    assert len(hub.asked) == before  # a commit never changes
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert sightline.load("hf://ada/first").vocabulary
    assert len(hub.asked) == before
    with pytest.raises(SightlineError, match=r"^hf://ada/never: not in the cache, and the Hub cannot be reached"):
        sightline.load("hf://ada/never")


def test_the_command_pushes_with_a_card_of_scores(hub, run, tmp_path, sightline):
    options = ("--report", report(tmp_path / "report"), "--license", "apache-2.0", "--private")
    done = sightline("push", run, "ada/second", *options)
    assert done.status == 0, done.err
    commit = hub.refs["ada/second"]["main"]
    assert done.out.endswith(f" hf://ada/second@{commit}\n") and done.out.count("\n") == 1
    assert hub.private == {"ada/second"}
    _, head, body = hub.commits["ada/second"][commit]["README.md"].decode().split("---\n", 2)
    told = yaml.safe_load(head)
    assert (told["library_name"], told["pipeline_tag"], told["license"]) == ("sightline", "image-to-text", "apache-2.0")
    (result,) = told["model-index"][0]["results"]
    assert {metric["name"]: metric["value"] for metric in result["metrics"]} == {"CIDEr": 54.32, "BLEU-4": 20.0}
    assert (result["dataset"]["name"], result["dataset"]["split"]) == ("Mine", "test")
    assert "| CIDEr | 54.3 | 50.0 to 58.0 |" in body and "few photos" in body and "novel" not in body
    assert "--model hf://ada/second" in body
    assert sightline("info", "--model", "hf://ada/second").status == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "hf://ada/nothing",
            "no such model on the Hub.*hf auth login",
        ),
        ("hf://ada/first@nowhere", "no such revision; name another after @"),
        ("hf://ada/other", r"not a model pushed by sightline \(no config.json\)"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(hub, pushed, sightline, address, said, photos):
    hub.add("ada/other", {"pytorch_model.bin": b"a pickle"})
    done = sightline("caption", photos[0], "--model", address)
    assert done.status == 1 and done.err.startswith(f"sightline: {address}: ") and done.err.count("\n") == 1
    with pytest.raises(SightlineError, match=said):
        fetch(address)


def test_nothing_is_pushed_that_could_not_be_loaded(hub, run, tmp_path, sightline):
    broken = shutil.copytree(run, tmp_path / "broken")
    (broken / "model.onnx").unlink()
    asked = len(hub.asked)
    assert "sightline export" in sightline("push", broken, "ada/third").err
    assert "leave out @v1" in sightline("push", run, "ada/third@v1").err
    assert "third: not a model's address" in sightline("push", run, "third").err
    assert len(hub.asked) == asked and "ada/third" not in hub.commits


def test_who_is_not_logged_in_is_told_how(hub, run, sightline, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    done = sightline("push", run, "ada/fourth")
    assert done.status == 1 and done.err.startswith("sightline: hf://ada/fourth: ") and "Traceback" not in done.err
    monkeypatch.delenv("HF_TOKEN")
    asked = len(hub.asked)
    done = sightline("push", run, "ada/fourth")
    assert done.status == 1 and "not logged in" in done.err and "hf auth login" in done.err
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://a/b", Address("a/b", None)),
        ("hf:/a/b@v1.0", Address("a/b", "v1.0")),
        ("a-b/c_d.e@refs/pr/1", Address("a-b/c_d.e", "refs/pr/1")),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", ["hf://", "hf://a", "hf://a/b/c", "hf://a/b@", "hf://a/b c", "https://a/b"])
def test_what_is_no_address(text):
    with pytest.raises(SightlineError, match="write hf://USER/NAME or hf://USER/NAME@REVISION"):
        parse_address(text)


def test_without_its_library_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SightlineError, match=r'pip install "sightline\[hub\]"$'):
        sightline.load("hf://ada/first")
