"""From hypotheses and references to a report, in Python and on the command line."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sightline import __version__
from sightline.cli.evaluate import score
from sightline.errors import SightlineError
from sightline.evaluation.scores import score_captions
from sightline.metrics import check_photos, quick_metrics

HYPOTHESES = {"1.jpg": "A dog runs in the park.", "2.jpg": "two boys, playing", "3.jpg": "a red car"}
REFERENCES = {
    "3.jpg": ["The red car.", "A red car on a road ."],
    "1.jpg": ["A dog runs in the park .", "The dog's running!"],
    "2.jpg": ["Two boys play football"],
}
QUICK = quick_metrics()


def test_captions_are_tokenized_and_matched_by_photo() -> None:
    scores = score_captions(HYPOTHESES, REFERENCES, metrics=QUICK)
    assert scores.photos == ("1.jpg", "2.jpg", "3.jpg")
    # 6 + 2 + 3 of the 6 + 3 + 3 words are in a reference of the same photo; the closest references have 6 + 4 + 3.
    assert scores["BLEU-1"] == pytest.approx(11 / 12 * math.exp(1 - 13 / 12))
    per_photo = scores.scores["BLEU-1"].per_photo
    assert per_photo is not None and per_photo == pytest.approx([1, 2 / 3 * math.exp(1 - 4 / 3), 1])


def test_a_report_is_ready_for_json_and_tells_what_is_missing() -> None:
    report = score_captions(HYPOTHESES, REFERENCES, metrics=QUICK).as_dict(with_intervals=True)
    again = json.loads(json.dumps(report))
    missing = {
        "novel": "needs the training captions",
        "broken off": "too few references to tell how sentences end",
    }
    assert again == report and again["photos"] == 3 and again["missing"] == missing
    low, high = again["intervals"]["CIDEr"]
    assert 0 <= low <= again["scores"]["CIDEr"] <= high <= 10
    assert "intervals" not in score_captions(HYPOTHESES, REFERENCES, metrics=["bleu"]).as_dict()


def test_novelty_compares_words_not_spelling() -> None:
    scores = score_captions(HYPOTHESES, REFERENCES, training_captions=["A red CAR!", "a boy"], metrics=["diversity"])
    assert scores["novel"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("token", ["<start>", "<end>", "<pad>"])
def test_frame_tokens_are_not_words(token: str) -> None:
    with pytest.raises(SightlineError, match=f"2.jpg: {token} is not a word; strip it"):
        score_captions({**HYPOTHESES, "2.jpg": f"two boys {token}"}, REFERENCES, metrics=["bleu"])


def test_unknown_words_are_words() -> None:
    assert score_captions({"1": "a <unk>"}, {"1": ["a dog"]}, metrics=["bleu"])["BLEU-1"] == pytest.approx(0.5)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(SightlineError, match="no metric is named 'spice'; choose from bleu"):
        score_captions(HYPOTHESES, REFERENCES, metrics=["spice"])


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [
        ({}, REFERENCES, "ours: no captions"),
        (HYPOTHESES, {}, "theirs: no captions"),
        ({"1.jpg": "a"}, REFERENCES, "ours: no '3.jpg' and 1 more, but theirs has it; caption that photo"),
        ({**HYPOTHESES, "4.jpg": "a"}, REFERENCES, "theirs: no '4.jpg', but ours has it; add its references"),
        (HYPOTHESES, {**REFERENCES, "2.jpg": []}, "theirs: '2.jpg' has no caption"),
    ],
)
def test_photos_must_match(hypotheses: dict[str, str], references: dict[str, list[str]], said: str) -> None:
    with pytest.raises(SightlineError, match=said):
        check_photos(hypotheses, references, "ours", "theirs")
    with pytest.raises(SightlineError):
        score_captions(hypotheses, references, metrics=["bleu"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({"1": ["a dog"]}, {"1": ["a dog"]}), r"hypothesis of 1: \['a dog'\] is not a caption"),
        (({"1": "a dog"}, {"1": "a dog"}), "references of 1: 'a dog' is not a list of captions"),
        ((["a dog"], {"1": ["a dog"]}), r"pass \{photo: caption\}"),
        (({"1": "a"}, {"1": ["a"]}, "a dog"), "training_captions: 'a dog' is not a list"),
    ],
)
def test_what_would_be_taken_letter_by_letter_is_refused(arguments: tuple[object, ...], said: str) -> None:
    with pytest.raises(SightlineError, match=said):
        score_captions(*arguments)  # type: ignore[arg-type]


def run(folder: Path, *options: str) -> str:
    ours, theirs = folder / "ours.json", folder / "theirs.json"
    ours.write_text(json.dumps(HYPOTHESES))
    theirs.write_text(json.dumps(REFERENCES))
    result = CliRunner().invoke(
        score, ["--hypotheses", str(ours), "--references", str(theirs), *options], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_a_table(tmp_path: Path) -> None:
    lines = {line.split()[0]: line for line in run(tmp_path, "--no-meteor").splitlines() if line}
    assert lines["BLEU-1"].split()[1] == "84.34" and " to " in lines["BLEU-1"]
    assert lines["vocabulary"].split()[1:] == ["11"]
    assert lines["length"].split()[1] == "4.00"
    assert lines["novel"].split(maxsplit=2)[1:] == ["-", "needs the training captions"]
    assert "METEOR" not in lines


def test_the_command_prints_json(tmp_path: Path) -> None:
    training = tmp_path / "training.csv"
    training.write_text("image,caption\n9.jpg,a red car\n")
    report = json.loads(run(tmp_path, "--no-meteor", "--json", "--training-captions", str(training)))
    assert report["scores"] == pytest.approx(
        score_captions(HYPOTHESES, REFERENCES, ["a red car"], metrics=QUICK).as_dict()["scores"]
    )
    assert set(report["missing"]) == {"broken off"} and "BLEU-4" in report["intervals"]


def test_the_signature_says_what_the_numbers_depend_on(tmp_path: Path) -> None:
    line = f"NO<EOS>+Cider-D[n4,s6.0]+references[1-2]+photos[3]+ptb+sightline[{__version__}]"
    assert f"signature: {line}" in run(tmp_path, "--no-meteor").splitlines()
    report = json.loads(run(tmp_path, "--no-meteor", "--json", "--tokenizer", "words"))
    assert report["signature"] == line.replace("ptb", "words")
    with pytest.raises(SightlineError, match="<end> is not a word"):  # which NO<EOS> rests on
        score_captions({"1": "a dog <end>"}, {"1": ["a dog"]})


def test_scoring_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from sightline.evaluation.scores import score_captions\n"
        "import sightline.cli.evaluate, sightline.annotations.caption_files, sightline.metrics.bootstrap\n"
        "print(score_captions({'1': 'a dog'}, {'1': ['a dog']}, metrics=['bleu', 'cider'])['BLEU-1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(1)
