"""`sightline.score` takes captions in every form that people hold them in, and gives what the command gives."""

import subprocess
import sys

import numpy as np
import pytest

import sightline
from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.evaluation.scores import score_captions

OURS = ["A dog runs in the park.", "two boys, playing", "a red car :)"]
THEIRS = [["A dog runs in the park .", "The dog's running!"], ["Two boys play football"], ["The red car.", "A car :)"]]
EMPTY = np.zeros(0, np.float32)


def recorded(captions):
    return [{"image_id": 1, "caption": caption} for caption in captions]


FORMS = {
    "lists": (OURS, THEIRS),
    "tuples and generators": (iter(OURS), (tuple(captions) for captions in THEIRS)),
    "arrays": (np.array(OURS), [np.array(captions) for captions in THEIRS]),
    "dictionaries": (dict(enumerate(OURS)), dict(enumerate(THEIRS))),
    "pycocoevalcap's, tokenized there": (
        {number: [caption] for number, caption in enumerate(OURS)},
        dict(enumerate(THEIRS)),
    ),
    "pycocoevalcap's records": (
        {number: recorded([caption]) for number, caption in enumerate(OURS)},
        {number: recorded(captions) for number, captions in enumerate(THEIRS)},
    ),
    "one reference as a string": (OURS, [THEIRS[0], THEIRS[1][0], THEIRS[2]]),
    "the captioner's": ([Caption(text, (), EMPTY, EMPTY, 0.0) for text in OURS], THEIRS),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_scores_of_the_command(form):
    scores = sightline.score(*form)
    by_name = dict(enumerate(OURS)), dict(enumerate(THEIRS))
    expected = score_captions(*by_name, metrics=["bleu", "rouge", "cider", "diversity", "endings"])
    assert scores.as_dict(with_intervals=True) == expected.as_dict(with_intervals=True)
    assert scores.photos == (0, 1, 2)
    assert scores.per_photo("CIDEr").tolist() == expected.scores["CIDEr"].per_photo.tolist()
    assert scores["CIDEr"] == pytest.approx(np.mean(scores.per_photo("CIDEr")))
    low, high = scores.intervals()["CIDEr"]
    assert low <= scores["CIDEr"] <= high


def test_the_photos_names_are_the_users_in_the_order_of_the_hypotheses():
    photos, captions = ["b.jpg", 7, ("c", 1)], ["a dog", "two boys", "a red car"]
    references = [[caption + " runs"] for caption in captions]
    ours, theirs = dict(zip(photos, captions, strict=True)), dict(zip(photos[::-1], references[::-1], strict=True))
    scores = sightline.score(ours, theirs)
    assert scores.photos == tuple(photos)
    assert scores.per_photo("BLEU-1") == pytest.approx(sightline.score(captions, references).per_photo("BLEU-1"))


@pytest.mark.parametrize("ids", [["1", "2"], ["0001", "0002"], [1.0, 2.0], [np.int64(1), np.int64(2)]])
def test_a_photo_may_be_a_number_here_and_text_there(ids):
    captions = ["a dog runs", "a cat"]
    for mine, theirs in (([1, 2], ids), (ids, [1, 2])):
        references = dict(zip(reversed(theirs), (["the cat"], ["the dog runs"]), strict=True))
        scores = sightline.score(dict(zip(mine, captions, strict=True)), references, ["BLEU-1"])
        assert scores.photos == tuple(mine) and scores["BLEU-1"] == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    "references", [{"1": ["a dog"], 1: ["a dog"]}, {"01": ["a dog"], "1": ["a dog"]}, {"3": ["a dog"]}]
)
def test_a_number_and_a_text_that_are_not_one_photo_are_refused(references):
    with pytest.raises(sightline.SightlineError, match="references"):
        sightline.score({1: "a dog"}, references, ["BLEU-1"])


def test_metrics_are_chosen_by_name():
    assert list(sightline.score(OURS, THEIRS, "CIDEr").scores) == ["CIDEr"]
    assert list(sightline.score(OURS, THEIRS, ["rouge", "BLEU-4"]).scores) == ["ROUGE-L", "BLEU-4"]
    assert sightline.score(OURS, THEIRS, "novel", training_captions=OURS[:1])["novel"] == pytest.approx(2 / 3)


def test_scores_print_as_the_command_s_table():
    scores = sightline.score(OURS, THEIRS, ["bleu", "novel"])
    lines = str(scores).splitlines()
    assert lines[0] == "3 photos" and lines[3].split()[:2] == ["BLEU-1", f"{100 * scores['BLEU-1']:.2f}"]
    assert repr(scores).startswith("Scores(3 photos: BLEU-1 ") and "novel" not in repr(scores)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((OURS, dict(enumerate(THEIRS))), "pass two lists in the same order, or two dictionaries"),
        (("a dog", [["a dog"]]), "hypotheses: 'a dog' is str; pass a list"),
        ((set(OURS), THEIRS), "is set; pass a list"),
        ((None, None), "hypotheses: None is NoneType"),
        ((["a dog"], ["a dog", "the dog"]), "1 hypotheses, but references of 2 photos"),
        ((THEIRS, OURS), "hypothesis of 0: 2 captions; pass one a photo, and hypotheses before references"),
        (([None], [["a dog"]]), "hypothesis of 0: None is not a caption"),
        ((["a dog"], [[]]), "references: 0 has no caption"),
        ((["a dog"], [[{"text": "a dog"}]]), "references of 0: .* is not a caption"),
        (([], []), "no captions; nothing can be scored"),
        ((OURS, THEIRS, "spice"), "no metric is named 'spice'; choose from bleu"),
        ((["a dog <end>"], [["a dog"]]), "<end> is not a word"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(arguments, said):
    with pytest.raises(SightlineError, match=said) as raised:
        sightline.score(*arguments)
    assert "\n" not in str(raised.value)


def test_it_needs_no_torch_and_costs_nothing_until_it_is_asked():
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnxruntime'] = None\n"
        "import sightline; assert 'sightline.metrics' not in sys.modules\n"
        "print(sightline.score(['a dog'], [['a dog']], 'BLEU-1')['BLEU-1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(1)


def test_intervals_do_not_depend_on_the_order_of_photos():
    words = ["dog", "cat", "boy", "car", "red", "runs", "sits", "on", "grass", "sand"]
    random = np.random.default_rng(0)
    captions = [" ".join(random.choice(words, 6)) for _ in range(90)]
    ours = {f"{at}.jpg": caption for at, caption in enumerate(captions[:30])}
    theirs = {f"{at}.jpg": captions[at : at + 90 : 30] for at in range(30)}
    theirs = {name: [*each[1:], each[0][:20]] for name, each in theirs.items()}
    shuffled = random.permutation(list(ours)).tolist()
    expected = sightline.score(ours, theirs).intervals()
    assert sightline.score({name: ours[name] for name in shuffled}, theirs).intervals() == expected
    lists = [ours[name] for name in shuffled], [theirs[name] for name in shuffled]
    assert sightline.score(*lists).intervals() == expected
