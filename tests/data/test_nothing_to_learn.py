"""What leaves nothing to learn from is said before a training begins."""

from __future__ import annotations

import re

import pytest

from sightline.data.check import BATCH_SIZE, MAX_WORDS, MIN_COUNT, check_dataset, find_nothing_to_learn

ENOUGH = ["a dog"] * 40


@pytest.mark.parametrize(
    ("captions", "photos", "said"),
    [
        ([], 0, "no caption"),
        (["", " "], 2, "no caption"),
        (["...", "!?"] * 20, 40, "punctuation only"),
        (["a dog", "a cat"] * 2, 40, "5 times, and the most frequent does 4 times; .* vocabulary.min_count to 4"),
        (ENOUGH, 1, "one training photo"),
    ],
)
def test_nothing_to_learn(captions, photos, said):
    finding = find_nothing_to_learn(iter(captions), photos)
    assert finding is not None and (finding.kind, finding.level) == ("nothing-to-learn", "error")
    assert re.search(said, finding.message)


def test_few_photos_and_enough():
    few = find_nothing_to_learn(ENOUGH, 31)
    assert few is not None and few.level == "warning" and "31 training photos do not fill a batch of 32" in few.message
    assert find_nothing_to_learn(ENOUGH, 32) is None
    assert find_nothing_to_learn(["a cat"], 2, min_count=1, batch_size=2) is None


def test_the_defaults_are_the_recipes():
    recipe = pytest.importorskip("sightline.training.recipe")
    assert recipe.VocabularyRecipe().min_count == MIN_COUNT
    assert recipe.VocabularyRecipe().max_words == MAX_WORDS
    assert recipe.TrainingRecipe().batch_size == BATCH_SIZE


def test_check_says_so(write_dataset):
    captions = {f"{number}.png": ["...", "?"] for number in range(40)}
    report = check_dataset(str(write_dataset("kaggle", captions, {"train": list(captions)[:38], "val": ["39.png"]})))
    assert [f.message for f in report.findings if f.kind == "nothing-to-learn"] and not report.ok


@pytest.mark.parametrize(("words", "found"), [(20, 0), (21, 1)])
def test_captions_longer_than_a_training_reads_are_warned_of(words, found, write_dataset):
    captions = {f"{number}.png": ["a dog", " ".join(["dog"] * words)] for number in range(4)}
    root = write_dataset("kaggle", captions, {"train": list(captions)[:3], "val": ["3.png"]})
    findings = [finding for finding in check_dataset(root).findings if finding.kind == "long-captions"]
    assert [(finding.level, finding.count) for finding in findings] == [("warning", 3)] * found


@pytest.mark.parametrize(("lost", "level"), [(1, "warning"), (2, "error")])
def test_losing_more_than_a_line_in_a_hundred_is_an_error(lost, level, write_dataset):
    captions = {f"{number}.png": ["a dog"] * 4 for number in range(33)}
    root = write_dataset("token_file", captions, {"train": list(captions)[:32], "val": ["32.png"]})
    with (root / "results_20130124.token").open("a") as file:
        file.write("no number here\n" * lost)
    (finding,) = (f for f in check_dataset(root).findings if f.kind == "unread-lines")
    assert (finding.level, finding.count) == (level, lost)
