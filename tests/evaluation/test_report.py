from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Caption, SightlineError, __version__
from sightline.data.example import Example
from sightline.evaluation.meanings import MEANINGS
from sightline.evaluation.protocol import Evaluation, Protocol
from sightline.evaluation.report import read_report, replacing_report, write_report
from sightline.evaluation.scores import score_captions
from sightline.images.source import FileSource
from sightline.metrics import quick_metrics

from ..explain.test_page import Page

FILES = ["hypotheses.json", "references.json", "report.html", "scores.json"]
NAMES = [f"{number}.jpg" for number in range(1, 16)]
HOSTILE = "<b onclick=alert(1)> __TITLE__ \"&amp;'"


def say(text: str) -> Caption:
    words = tuple(text.split())
    attention = np.full((len(words), 2, 2), 0.25, np.float32)
    return Caption(text, words, np.full(len(words), -0.5, np.float32), attention, -1.0)


def evaluate(folder: Path, captions: dict[str, str], references: dict[str, list[str]], warnings=()) -> Evaluation:
    """What an evaluation of made-up captions would be."""
    examples = {}
    for name, written in references.items():
        Image.new("RGB", (30, 20), "teal").save(path := folder / f"{len(examples)}.png")
        examples[name] = Example(name, FileSource(str(path)), tuple(written))
    model = {"name": "tiny", "fingerprint": "sha256:12", "precision": "fp32", "training": {"data": "made up"}}
    data = {"name": "photos", "layout": "table", "split_source": "files", "fingerprint": "sha256:34"}
    quick = quick_metrics()
    return Evaluation(
        Protocol("val", 3, 0.7, model, data, tuple(warnings)),
        score_captions(captions, references, metrics=quick),
        {name: say(text) for name, text in captions.items()},
        examples,
    )


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    """Fifteen photos, whose captions get worse from the first to the last."""
    references = {name: [" ".join(f"{letter}{number}" for letter in "abcdefghij")] for number, name in enumerate(NAMES)}
    captions = {name: " ".join(words.split()[: 10 - n // 2]) for n, (name, [words]) in enumerate(references.items())}
    for written in references.values():
        written.append("a brown dog runs")
    return evaluate(tmp_path, captions, references, ["Too good to be true", "<b>bold</b>"])


@pytest.fixture
def written(evaluation: Evaluation, tmp_path: Path) -> Path:
    with replacing_report(tmp_path / "report") as folder:
        write_report(folder, evaluation)
    return tmp_path / "report"


def test_scores_come_with_intervals_protocol_and_warnings(written, evaluation):
    told = json.loads((written / "scores.json").read_text())
    assert told["scores"]["CIDEr"] == evaluation.scores["CIDEr"]
    low, high = told["intervals"]["CIDEr"]
    assert low <= told["scores"]["CIDEr"] <= high
    assert (told["photos"], told["split"], told["beam_size"], told["length_penalty"]) == (15, "val", 3, 0.7)
    assert told["tokenizer"] == "PTB, as pycocoevalcap" and told["decoding"] == "free-running"
    assert told["warnings"] == ["Too good to be true", "<b>bold</b>"]
    assert told["model"]["fingerprint"] == "sha256:12" and told["data"]["fingerprint"] == "sha256:34"


def test_what_was_written_is_read_back(written, evaluation):
    result = read_report(written)
    assert result.hypotheses == {name: caption.text for name, caption in evaluation.captions.items()}
    assert result.references == evaluation.references
    assert result.facts["split"] == "val"


def test_names_that_are_no_text_and_captions_of_any_script_are_read_back(tmp_path):
    names = [b"caf\xe9.jpg".decode(errors="surrogateescape"), "größe.jpg"]
    evaluation = evaluate(tmp_path, dict.fromkeys(names, "ein Hündchen läuft"), {name: ["犬"] for name in names})
    (tmp_path / "out").mkdir()
    write_report(tmp_path / "out", evaluation)
    assert "Hündchen" in (tmp_path / "out" / "hypotheses.json").read_text(encoding="utf-8")
    assert list(read_report(tmp_path / "out").hypotheses) == names


def test_the_page_shows_scores_facts_and_warnings(written):
    page = Page(written / "report.html")
    assert page.text("h1") == page.text("title")[:1] == ["tiny on photos, val"]
    assert {"BLEU-4", "ROUGE-L", "CIDEr", "distinct-1", "vocabulary"} <= set(page.text("th"))
    signature = f"NO<EOS>+Cider-D[n4,s6.0]+references[2]+photos[15]+ptb+sightline[{__version__}]"
    assert page.text("code") == ["sha256:12", "sha256:34", signature]
    assert json.loads((written / "scores.json").read_text())["signature"] == signature
    warnings = [text for text in page.text("li") if text.endswith(".")]
    assert warnings == ["Too good to be true.", "<b>bold</b>."]
    assert any("free-running, beam size 3, length penalty 0.7" in text for text in page.text("dd"))


def test_the_page_shows_the_best_and_the_worst_by_cider_none_twice(written):
    page = Page(written / "report.html")
    assert page.text("bdi") == [*NAMES[:6], *NAMES[:-7:-1]]
    assert len(page.all("img")) == len(page.all("canvas")) == 12
    assert page.text("li").count("a brown dog runs") == 12
    ciders = [float(text) for text in page.text("b") if re.fullmatch(r"\d+\.\d\d", text)][-12:]
    assert ciders[:6] == sorted(ciders[:6], reverse=True) and ciders[6:] == sorted(ciders[6:])
    assert ciders[5] > ciders[-1]


def test_lengths_are_drawn_as_shares(tmp_path):
    write_report(tmp_path, evaluate(tmp_path, {"1": "a b", "2": "a b c d"}, {"1": ["x y z"], "2": ["x y z", "x"]}))
    told = [text for text in Page(tmp_path / "report.html").text("title") if "words:" in text]
    assert told == [
        "people, 1 words: 33.3%",
        "model, 2 words: 50.0%",
        "people, 3 words: 66.7%",
        "model, 4 words: 50.0%",
    ]


def test_words_are_contrasted_with_peoples(tmp_path):
    write_report(tmp_path, evaluate(tmp_path, {"1": "a cat", "2": "a cat"}, {"1": ["a dog"], "2": ["a dog", "a cow"]}))
    cells = re.findall(
        r"<tr><th>(\w+)</th><td>([\d.]+%)</td><td>([\d.]+%)</td>", (tmp_path / "report.html").read_text()
    )
    assert cells == [("cat", "100.0%", "0.0%"), ("dog", "0.0%", "66.7%"), ("cow", "0.0%", "33.3%")]


@pytest.mark.parametrize("captions", [["a dog"], [""], ["", "a dog"]])
def test_a_page_of_few_and_empty_captions(tmp_path, captions):
    hypotheses = {f"{number}.jpg": caption for number, caption in enumerate(captions)}
    write_report(tmp_path, evaluate(tmp_path, hypotheses, {name: ["a dog", "the dog runs"] for name in hypotheses}))
    assert len(Page(tmp_path / "report.html").all("img")) == len(captions)


def test_nothing_is_fetched_and_all_text_is_text(tmp_path):
    write_report(tmp_path, evaluate(tmp_path, {HOSTILE: HOSTILE}, {HOSTILE: [HOSTILE]}, [HOSTILE]))
    page = Page(tmp_path / "report.html")
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"https?:|//\w|@import|url\(|fetch\(|XMLHttp", (tmp_path / "report.html").read_text())
    assert page.text("bdi") == [HOSTILE]
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies and "default-src 'none'" in policies[0]


def test_a_report_replaces_a_report_as_a_whole(written, evaluation):
    (written / "report.html").write_text("the old page")
    with replacing_report(written) as folder:
        write_report(folder, evaluation)
        assert (written / "report.html").read_text() == "the old page"
    assert sorted(path.name for path in written.iterdir()) == FILES
    assert (written / "report.html").read_text() != "the old page"
    assert not list(written.parent.glob(".*"))


def test_an_interruption_leaves_the_old_report(written):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    with pytest.raises(KeyboardInterrupt), replacing_report(written) as folder:
        (folder / "scores.json").write_text("half")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert not list(written.parent.glob(".*"))


@pytest.mark.parametrize("name", ["photo.jpg", "hypotheses.json"])
def test_what_is_no_report_is_not_replaced(tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("precious")
    with pytest.raises(SightlineError, match=r"not a report to replace"), replacing_report(tmp_path / "mine"):
        pass
    (tmp_path / "mine" / "scores.json").write_text("{}")
    if name == "photo.jpg":
        with pytest.raises(SightlineError, match=r"it holds photo\.jpg"), replacing_report(tmp_path / "mine"):
            pass
    with pytest.raises(SightlineError, match="a file itself"), replacing_report(tmp_path / "mine" / name):
        pass
    with pytest.raises(SightlineError, match="cannot be written"), replacing_report(tmp_path / "mine" / name / "deep"):
        pass
    assert (tmp_path / "mine" / name).read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hypotheses.json", None, "no report (no hypotheses.json)"),
        ("references.json", None, "no report (no references.json)"),
        ("scores.json", "{", "scores.json: damaged"),
        ("scores.json", "[]", "scores.json: damaged (not what an evaluation writes)"),
        ("hypotheses.json", '{"1.jpg": "a dog"}', "hypotheses.json: no '2.jpg' and 13 more"),
    ],
)
def test_a_damaged_report_is_the_persons_to_mend(written, name, text, said):
    (written / name).unlink()
    if text is not None:
        (written / name).write_text(text)
    with pytest.raises(SightlineError, match=re.escape(said)):
        read_report(written)


def test_every_score_says_what_it_counts_and_which_way_is_better(evaluation, tmp_path):
    write_report(tmp_path, evaluation)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in evaluation.scores.scores:
        meaning = MEANINGS[name]
        (head,) = re.findall(rf"<th>{re.escape(name)}(?: <.*?)?<small>.*?</small></th>", text)
        assert html.escape(meaning.text) in head
        assert re.findall('title="(.*?)"', head) == [f"{meaning.better} is better"] * bool(meaning.better)
    assert "broken off: lower is better" in evaluation.scores.table()


def test_people_are_scored_beside_the_model(tmp_path):
    references = {f"{number}.jpg": ["a dog runs fast", "a dog runs fast"] for number in range(3)}
    evaluation = evaluate(tmp_path, dict.fromkeys(references, "a cat"), references)
    write_report(tmp_path, evaluation)
    row = next(row for row in re.findall(r"<tr>.*?</tr>", (tmp_path / "report.html").read_text()) if "ROUGE-L" in row)
    assert re.findall(r"<td>([\d.]+)</td>", row) == ["100.00"]
    alone = evaluate(tmp_path, {"1.jpg": "a cat"}, {"1.jpg": ["a dog"]})
    write_report(tmp_path, alone)
    assert "<td></td>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "training",
    [
        {"data": ["a", "b"], "split_source": ["files", "derived"], "weights": [1.0, 2.0], "init": None},
        {"data": [["a", "b"], "a"], "init": [None, "x"], "averaged": {"with": "x", "share": 0.5}, "epochs": [7, 8]},
    ],
)
def test_a_training_is_told_in_words(evaluation, tmp_path, training):
    model = {**evaluation.protocol.model, "training": training}
    told = replace(evaluation, protocol=replace(evaluation.protocol, model=model))
    write_report(tmp_path, told)
    facts = Page(tmp_path / "report.html").text("dd")
    assert not any(re.search(r"None|[\[\]{}_]", fact) for fact in facts), facts
