"""`sightline evaluate` and `sightline compare`, from a dataset to a verdict."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.shapes.draw import draw_shapes

FILES = ["hypotheses.json", "references.json", "report.html", "scores.json"]
REFERENCES = {f"{number}.jpg": [f"a dog number {number} runs", "the dog is here"] for number in range(30)}
GOOD = {photo: captions[0] for photo, captions in REFERENCES.items()}
BAD = dict.fromkeys(REFERENCES, "a cat")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes") / "data"
    draw_shapes(root, photos=40, seed=1)
    return root


def report(folder: Path, hypotheses: dict[str, str], references: dict[str, list[str]] = REFERENCES, **facts) -> Path:
    folder.mkdir()
    for name, content in (("hypotheses", hypotheses), ("references", references), ("scores", facts)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_split_becomes_a_report(sightline, tiny_bundle, data, tmp_path):
    out = tmp_path / "new" / "report"
    options = ("--model", tiny_bundle, "--data", data, "--split", "test", "--out", out, "--no-meteor")
    done = sightline("evaluate", *options, "--beam-size", 2, "--length-penalty", 0.5)
    assert done.status == 0
    assert "4 photos" in done.out and "CIDEr" in done.out and done.out.splitlines()[-1] == str(out / "report.html")
    assert "METEOR" not in done.out
    assert [line for line in done.err.splitlines() if "warning: " in line] == [
        "warning: the model has no record of its training photos, so it may know these"
    ]
    assert sorted(path.name for path in out.iterdir()) == FILES
    told = json.loads((out / "scores.json").read_text())
    assert (told["split"], told["beam_size"], told["length_penalty"], told["photos"]) == ("test", 2, 0.5, 4)
    assert (
        json.loads((out / "references.json").read_text()).keys()
        == json.loads((out / "hypotheses.json").read_text()).keys()
    )

    # A second run, of another split, takes the first one's place.
    again = sightline("evaluate", *options, "--split", "val", "--regions", data)
    assert again.status == 0 and "data: boxes of 4 photos from objects.json in " in again.err
    refused = sightline("evaluate", *options, "--regions", tmp_path / "nowhere")
    assert refused.status == 1 and "nowhere: there is no such file or folder" in refused.err
    assert json.loads((out / "scores.json").read_text())["split"] == "val"
    compared = sightline("compare", out, out)
    assert compared.status == 0 and "A and B have the same CIDEr" in compared.out


def test_nothing_is_captioned_where_the_report_could_not_be_written(sightline, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    done = sightline("evaluate", "--model", "none", "--data", "none", "--split", "val", "--out", tmp_path)
    assert done.status == 1 and len(done.err.splitlines()) == 1 and "not a report to replace" in done.err


def test_a_model_that_was_not_exported_is_told_how(sightline, tiny_run, data, tmp_path):
    done = sightline("evaluate", "--model", tiny_run, "--data", data, "--split", "val", "--out", tmp_path / "out")
    assert done.status == 1 and "sightline export" in done.err
    assert not list(tmp_path.iterdir())


def test_evaluating_needs_no_torch(tiny_bundle, data, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sightline.cli.main import main\n"
        f"sys.argv = ['sightline', 'evaluate', '--model', {str(tiny_bundle)!r}, '--data', {str(data)!r},"
        f" '--split', 'val', '--out', {str(tmp_path / 'out')!r}, '--no-meteor']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").exists()


def test_a_real_difference_is_called_one(sightline, tmp_path):
    done = sightline("compare", report(tmp_path / "a", GOOD), report(tmp_path / "b", BAD))
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    assert float(rows["CIDEr"][3]) > 0 and rows["CIDEr"][-1] == "0.002"
    assert "A is better: " in done.out and "more than the choice of these 30 photos explains." in done.out
    assert len(rows["vocabulary"]) == 4
    other = sightline("compare", tmp_path / "b", tmp_path / "a")
    assert "B is better: " in other.out


def test_a_difference_that_chance_explains_is_called_that(sightline, tmp_path):
    mixed = {photo: GOOD[photo] if number % 2 else BAD[photo] for number, photo in enumerate(REFERENCES)}
    other = {
        photo: BAD[photo] if number % 2 and number != 3 else GOOD[photo] for number, photo in enumerate(REFERENCES)
    }
    done = sightline("compare", report(tmp_path / "a", mixed), report(tmp_path / "b", other))
    assert "B is " in done.out and "the difference may be chance." in done.out


def test_a_comparison_as_json(sightline, tmp_path):
    scores = {"scores": {"METEOR": 0.3}}
    a = report(tmp_path / "a", GOOD, beam_size=3, warnings=["both", "only a"], **scores)
    # The order of the photos in the file does not matter.
    b = report(tmp_path / "b", dict(reversed(BAD.items())), beam_size=1, warnings=["both"], scores={"METEOR": 0.2})
    told = json.loads(sightline("compare", a, b, "--json").out)
    assert (told["a"], told["b"], told["photos"]) == (str(a), str(b), 30)
    cider = told["metrics"]["CIDEr"]
    assert cider["difference"] == pytest.approx(cider["a"] - cider["b"])
    assert cider["interval"][0] <= cider["difference"] <= cider["interval"][1] and cider["p_value"] < 0.05
    assert told["metrics"]["METEOR"] == {"a": 0.3, "b": 0.2, "difference": pytest.approx(0.1)}
    assert told["verdict"].startswith("A is better")
    assert told["notes"] == ["beam size is 3 for A and 1 for B", "A and B: both", "A: only a"]


def test_different_photos_or_references_are_refused(sightline, tmp_path):
    a = report(tmp_path / "a", GOOD)
    fewer = {photo: captions for photo, captions in REFERENCES.items() if photo != "7.jpg"}
    others = {**REFERENCES, "5.jpg": ["a dog"]}
    for name, hypotheses, references, said in (
        ("fewer", {photo: "a" for photo in fewer}, fewer, "'7.jpg'"),
        ("others", GOOD, others, "the references of '5.jpg' are not those in"),
    ):
        b = report(tmp_path / name, hypotheses, references)
        for pair in ((a, b), (b, a)):
            done = sightline("compare", *pair)
            assert done.status == 1 and len(done.err.splitlines()) == 1 and said in done.err
    shutil.rmtree(a)
    assert "no report (no hypotheses.json)" in sightline("compare", a, tmp_path / "others").err
