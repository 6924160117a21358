"""Hypotheses and references that name the same photos in two ways."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sightline.cli.evaluate import score
from sightline.errors import SightlineError
from sightline.evaluation.pairing import read_pair

KARPATHY = {
    "images": [
        {"filepath": "val2014", "filename": f"COCO_val2014_{number:012}.jpg", "cocoid": number, "split": split}
        | {"sentences": [{"raw": f"a dog number {number}"}, {"raw": "a cat"}]}
        for number, split in ((9, "restval"), (42, "test"), (139, "test"), (7, "val"))
    ]
}


def write(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / name


def test_results_by_id_meet_karpathys_json(tmp_path: Path) -> None:
    ours = write(tmp_path, "ours.json", [{"image_id": number, "caption": "a dog"} for number in (139, 42)])
    theirs = write(tmp_path, "dataset_coco.json", KARPATHY)
    pair = read_pair(str(ours), str(theirs))
    assert list(pair.hypotheses) == [f"val2014/COCO_val2014_{number:012}.jpg" for number in (139, 42)]
    assert pair.references.keys() == pair.hypotheses.keys()
    assert pair.remarks[0] == f"references: the test split of {theirs}"
    with pytest.raises(SightlineError, match=r"no photo in common with .*\(val\) \('139' here, 'val2014"):
        read_pair(ours, theirs, split="val")


def test_a_part_is_scored_only_when_asked_and_said(tmp_path: Path) -> None:
    ours = write(tmp_path, "own.jsonl", '{"photo": "photos/2.jpg", "caption": "a dog", "attention": [[[1.0]]]}\n')
    theirs = write(tmp_path, "theirs.token", "".join(f"{number}.jpg#0\ta dog , running\n" for number in range(5)))
    with pytest.raises(SightlineError, match=r"own\.jsonl: captions 1 of the 5 photos of .*theirs\.token.*--subset"):
        read_pair(ours, theirs)
    arguments = ["--hypotheses", str(ours), "--references", str(theirs), "--no-meteor", "--subset"]
    done = CliRunner().invoke(score, arguments, catch_exceptions=False)
    lines = done.output.splitlines()
    assert lines[:2] == ["1 photo", "1 photo goes by two names, e.g. 'photos/2.jpg' and '2.jpg'"]
    assert lines[2].startswith(f"scored: 1 of the 5 photos of {theirs}")
    assert lines[-1].startswith("CIDEr, CIDEr-D: 0 for a single photo")
    report = json.loads(CliRunner().invoke(score, [*arguments, "--json"], catch_exceptions=False).output)
    assert len(report["remarks"]) == 2 and set(report["notes"]) == {"CIDEr", "CIDEr-D"}


def test_what_the_references_lack_is_never_left_out(tmp_path: Path) -> None:
    ours = write(tmp_path, "ours.json", {"1.jpg": "a dog", "9.jpg": "a cat"})
    theirs = write(tmp_path, "theirs.json", {"1.jpg": ["a dog"], "2.jpg": ["a cat"]})
    with pytest.raises(SightlineError):
        read_pair(ours, theirs, subset=True)
    with pytest.raises(SightlineError, match=r"theirs\.json: no '9\.jpg'"):
        read_pair(ours, write(tmp_path, "theirs.json", {"1.jpg": ["a dog"]}), subset=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_photos_that_could_not_be_captioned_are_left_out_and_told(suffix, tmp_path):
    rows = [
        ("in/a.jpg", "a dog", ""),
        ("in/b.jpg", None, "in/b.jpg: not an image, that can be read"),
        ("c.jpg", "x", ""),
    ]
    hypotheses, references = tmp_path / f"out{suffix}", tmp_path / "references.csv"
    with hypotheses.open("w", newline="") as file:
        if suffix == ".csv":
            csv.writer(file).writerows([("photo", "caption", "error"), *rows])
        else:
            names = ("photo", "caption", "error")
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    references.write_text("image,caption\na.jpg,one dog\nb.jpg,a cat\nc.jpg,why\n")
    pair = read_pair(hypotheses, references)
    assert pair.hypotheses == {"a.jpg": "a dog", "c.jpg": "x"}
    assert pair.references == {"a.jpg": ["one dog"], "c.jpg": ["why"]}
    assert (
        "not scored: 1 photo without a caption, e.g. 'in/b.jpg' (in/b.jpg: not an image, that can be read)"
        in pair.remarks
    )
