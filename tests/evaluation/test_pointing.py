import json
from dataclasses import replace

import numpy as np
import pytest

from sightline import Caption
from sightline.data.example import Example, Region
from sightline.data.regions.nouns import boxes_by_noun, nouns_of, singular
from sightline.evaluation.hallucination import hallucination_scores, mentions, mentions_of_people
from sightline.evaluation.page import pointing_section
from sightline.evaluation.pointing import looks, pointing_scores, where
from sightline.evaluation.report import write_report
from sightline.images.source import FileSource

from .test_report import evaluate

LEFT, RIGHT, BAND = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.25, 1.0, 0.75)


def example(name, *told):
    """``told``: captions, each with (first word, word after the last, boxes) of its phrases."""
    return Example(
        name,
        FileSource(name),
        tuple(caption for caption, *_ in told),
        tuple(tuple(Region(start, stop, tuple(boxes)) for start, stop, *boxes in found) for _, *found in told),
    )


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("dogs", "dog"), ("people", "person"), ("firemen", "fireman"), ("women", "woman"), ("puppies", "puppy"),
        ("benches", "bench"), ("boxes", "box"), ("buses", "bus"), ("glasses", "glass"), ("children", "child"),
        ("grandchildren", "grandchild"), ("grass", "grass"), ("tennis", "tennis"), ("bus", "bus"), ("tie", "tie"),
        ("horses", "horse"), ("houses", "house"), ("men", "man"), ("omen", "omen"),
    ],
)  # fmt: skip
def test_plurals_become_one(plural, one):
    assert singular(plural) == singular(one) == one


@pytest.fixture
def examples():
    found = (
        example("a", ("two dogs and a red ball", (0, 2, LEFT, BAND), (3, 6, RIGHT)), ("the dog", (0, 2, LEFT))),
        example(
            "b", ("a dog in red by a ball", (0, 2, RIGHT), (3, 4, RIGHT), (5, 7, LEFT)), ("red dog toy", (0, 3, BAND))
        ),
        example("c", ("a ball",), ("one tree",)),
    )
    return {each.name: each for each in found}


def test_nouns_end_phrases_and_know_their_boxes(examples):
    assert nouns_of(examples.values()) == {"dog", "ball"}  # red mostly does not end them, toy only once
    told = boxes_by_noun(examples["a"])
    assert told["dog"].tolist() == [list(LEFT), list(BAND)]
    assert told["red"].tolist() == [list(RIGHT)]
    assert boxes_by_noun(examples["b"])["dog"].tolist() == [list(RIGHT)]


def test_a_map_is_measured_by_its_peak_and_its_share():
    weights = np.array([[0.0, 0.1, 0.4, 0.1], [0.0, 0.0, 0.2, 0.2]], np.float32)
    assert where(weights, np.array([[0.5, 0.0, 1.0, 1.0]], np.float32)) == (1.0, pytest.approx(0.9))
    # A box that covers half of each cell of the second column, and one that overlaps it.
    low = np.array([[0.25, 0.5, 0.75, 0.75], [0.25, 0.5, 0.5, 0.75]], np.float32)
    assert where(weights, low) == (0.0, pytest.approx(0.1))
    assert where(np.zeros((2, 2), np.float32), low) == (0.0, 0.0)


def say(words, *maps, evidence=None):
    words, maps = tuple(words.split()), np.array(maps, np.float32)
    return Caption(" ".join(words), words, np.zeros(len(words), np.float32), maps, 0.0, evidence=evidence)


def test_what_is_said_is_scored_by_what_is_known(examples):
    left, right = [[1.0, 0.0]], [[0.2, 0.8]]
    captions = {
        "a": say("dogs see a ball", left, left, left, left, evidence=np.array([right, right, right, [[-1.0, -3.0]]])),
        "b": say("a dog", left, right, evidence=np.array([left, left])),
        "c": say("a ball", left, left, evidence=np.array([left, left])),  # its boxes are not known
    }
    nouns = nouns_of(examples.values())
    found = looks(captions, examples, nouns)
    assert [(look.photo, look.position, look.noun) for look in found] == [
        ("a", 0, "dog"),
        ("a", 3, "ball"),
        ("b", 1, "dog"),
    ]
    scores = {score.name: score for score in pointing_scores(found, tuple(captions))}
    told = {name: score.value for name, score in scores.items()}
    assert told == pytest.approx(
        {
            "pointing": 2 / 3,  # the ball is not on the left
            "mass": (1 + 0 + 0.8) / 3,
            "evidence pointing": 1 / 3,  # dogs: the band holds the right cell's middle
            "evidence mass": (0.2 + 0.8 * 0.5 + 0 + 0) / 3,  # below zero, nothing speaks for the ball
            "random cell": (1 + 0.5 + 0.5) / 3,
            "middle of photo": (1 + 1 + 1) / 3,
            "uniform mass": (0.75 + 0.5 + 0.5) / 3,
        }
    )
    assert scores["pointing"].resampled(np.array([[0, 1, 0], [2, 0, 1], [0, 0, 3]])).tolist() == [1.0, 0.5, 0.0]
    bare = {name: say(caption.text, *caption.attention) for name, caption in captions.items()}
    assert "evidence pointing" not in {
        score.name for score in pointing_scores(looks(bare, examples, nouns), ("a", "b", "c"))
    }


def test_nouns_nobody_knows_of_are_hallucinated(examples):
    cell = [[1.0]]
    captions = {
        "a": say("a dog sees balls", *[cell] * 4),
        "b": say("dog", cell),
        "c": say("a dog by a tree and a dog", *[cell] * 8),  # a tree is no noun here: no box names any
    }
    found = mentions(captions, examples, nouns_of(examples.values()))
    scores = hallucination_scores(found, (), tuple(captions))
    assert {score.name: score.value for score in scores} == {
        "hallucinated nouns": 2 / 5,
        "people's hallucinated nouns": None,
        "captions with a hallucinated noun": pytest.approx(1 / 3),
    }


def test_people_are_held_to_what_the_others_say():
    written = ("two dogs and a ball", "a dog on grass", "a dog, a ball")
    examples = {"a": Example("a", FileSource("a"), written), "b": Example("b", FileSource("b"), ("a ball",))}
    found = mentions_of_people(examples, frozenset({"dog", "ball", "grass"}))
    assert [(mention.noun, mention.known) for mention in found] == [
        *(("dog", True), ("ball", True)),
        *(("dog", True), ("grass", False)),
        *(("dog", True), ("ball", True)),
    ]
    scores = {score.name: score.value for score in hallucination_scores((), found, ("a", "b"))}
    assert scores["people's hallucinated nouns"] == pytest.approx(1 / 6)


def test_where_nothing_is_said_nothing_is_scored(examples):
    nothing = np.zeros((0, 1, 1), np.float32)
    captions = {name: Caption("", (), nothing[:, 0, 0], nothing, 0.0) for name in examples}
    found = looks(captions, examples, frozenset({"dog"}))
    assert [score.value for score in pointing_scores(found, tuple(captions))] == [None] * 7
    assert [score.value for score in hallucination_scores((), (), tuple(captions))] == [None, None, 0.0]


def test_an_evaluation_tells_where_the_model_looked(sightline, tiny_bundle, tmp_path):
    from sightline.shapes.draw import draw_shapes

    draw_shapes(tmp_path / "shapes", photos=40, seed=1)
    told = {}
    for name in ("with", "without"):
        done = sightline(
            "evaluate", "--model", tiny_bundle, "--data", tmp_path / "shapes", "--split", "val", "--out",
            tmp_path / name, "--no-meteor",
        )  # fmt: skip
        assert done.status == 0, done.err
        told[name] = json.loads((tmp_path / name / "scores.json").read_text())
        (tmp_path / "shapes/objects.json").unlink(missing_ok=True)
    assert "pointing" not in told["without"]["scores"] and "nouns" not in told["without"]
    assert {"pointing", "evidence mass", "middle of photo"} <= {*told["with"]["scores"], *told["with"]["missing"]}
    # The tiny model knows no other word of shapes.
    assert set(told["with"]["nouns"]) <= {"red"}
    assert told["without"]["data"]["fingerprint"] == told["with"]["data"]["fingerprint"]


def test_the_page_tells_by_noun_and_draws_the_boxes(examples, tmp_path):
    captions = {"a": say("dogs see a ball", *[[[1.0, 0.0]]] * 4), "b": say("a dog", *[[[1.0, 0.0]]] * 2)}
    evaluation = evaluate(
        tmp_path, {name: caption.text for name, caption in captions.items()}, {"a": ["x"], "b": ["y"]}
    )
    assert "boxes" not in pointing_section(evaluation)
    found = looks(captions, examples, nouns_of(examples.values()))
    evaluation = replace(evaluation, captions=captions, looks=found)
    write_report(tmp_path, evaluation)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    row = "<tr><th>dog</th><td>2</td><td>50.0</td><td>–</td><td>100.0</td><td>75.0</td><td>50.0</td><td>62.5</td></tr>"
    assert row in page
    assert page.count('<svg class="boxes"') == 2  # one of a, whose dogs it looks at, one of b, whose dog it does not
    assert page.count('<rect x="0.0000" y="0.2500" width="1.0000" height="0.5000"/>') == 1
    assert json.loads((tmp_path / "scores.json").read_text())["photos"] == 2
