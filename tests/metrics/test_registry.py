"""What every metric promises, those registered later too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.metrics import METRICS, Corpus, compute, metric_of, quick_metrics, register, tokenize

CORPUS = Corpus(
    ("a dog runs", "two boys play in the park", "a dog runs", ""),
    (("the dog runs", "a dog"), ("boys play",), ("a dog runs",), ("a cat", "a cat sits")),
    frozenset(["two boys play in the park"]),
)
QUICK = quick_metrics()  # it has its own tests; each start takes seconds


@pytest.mark.parametrize("name", QUICK)
def test_scores_are_numbers_for_the_corpus_and_each_photo(name: str) -> None:
    scores = METRICS[name](CORPUS)
    assert scores and len({score.name for score in scores}) == len(scores)
    for score in scores:
        if score.value is None:  # four photos do not tell; why not is told
            assert score.note
            continue
        assert isinstance(score.value, float) and score.value >= 0
        if score.per_photo is not None:
            assert score.per_photo.shape == (4,) and score.per_photo.dtype == "float64"
        assert (score.resampled is None) == (score.per_photo is None)


@pytest.mark.parametrize("name", QUICK)
def test_scores_do_not_depend_on_the_order_of_photos(name: str) -> None:
    backwards = Corpus(CORPUS.hypotheses[::-1], CORPUS.references[::-1], CORPUS.training_captions)
    for score, again in zip(METRICS[name](CORPUS), METRICS[name](backwards), strict=True):
        assert again.value == pytest.approx(score.value, abs=1e-12)
        if score.per_photo is not None and again.per_photo is not None:
            assert again.per_photo[::-1] == pytest.approx(score.per_photo, abs=1e-12)


def test_names_of_scores_are_unique_among_metrics() -> None:
    names = [score.name for name in QUICK for score in METRICS[name](CORPUS)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", QUICK)
def test_scores_are_found_by_their_own_names(name: str) -> None:
    assert {metric_of(score.name) for score in METRICS[name](CORPUS)} == {name}


def test_scores_are_chosen_one_by_one_or_by_metric() -> None:
    assert list(compute(CORPUS, ["CIDEr", "BLEU-4", "rouge", "bleu"])) == [
        *("CIDEr", "BLEU-4", "ROUGE-L", "BLEU-1", "BLEU-2", "BLEU-3"),
    ]
    with pytest.raises(SightlineError, match="no metric is named 'cider-d'; choose from bleu"):
        compute(CORPUS, ["cider-d"])


def test_one_name_is_one_metric() -> None:
    with pytest.raises(SightlineError, match=r"'bleu' of .*: sightline has one of that name"):
        register("bleu")(lambda corpus: ())


def test_the_usual_metrics_come_first() -> None:
    assert list(METRICS)[:5] == ["bleu", "meteor", "rouge", "cider", "diversity"]


def test_diversity_by_hand() -> None:
    scores = {score.name: score.value for score in METRICS["diversity"](CORPUS)}
    # 12 words, 8 different; 9 pairs of words, of which "a dog" and "dog runs" stand twice.
    assert scores == pytest.approx(
        {"distinct-1": 9 / 12, "distinct-2": 7 / 9, "novel": 3 / 4, "vocabulary": 9, "length": 3.0}
    )


def test_novelty_is_not_guessed() -> None:
    novel = {score.name: score for score in METRICS["diversity"](Corpus(("a",), (("a",),)))}["novel"]
    assert novel.value is None and "training captions" in novel.note


def test_lists_will_do_for_tuples() -> None:
    corpus = Corpus(["a dog"], [["a dog", "the dog 's"]], ["a cat"])  # type: ignore[arg-type]
    assert (corpus.references, corpus.training_captions) == ((("a dog", "the dog 's"),), frozenset(["a cat"]))


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [
        (["A dog"], [["a dog"]], "hypotheses: 'A dog' is not tokenized; pass it through"),
        (["a dog"], [["a dog runs."]], r"references\[0\]: 'a dog runs\.' is not tokenized"),
        (["a dog , a cat"], [["a"]], "not tokenized"),
        (["a dog,  a cat"], [["a"]], "not tokenized"),
        ("a dog", [["a dog"]], "hypotheses: 'a dog' is not a list"),
        (["a dog"], ["a dog"], r"references\[0\]: 'a dog' is not a list"),
        (["a dog"], "a", "references: 'a' is not a list"),
        ([7], [["a"]], "7 is not a caption"),
        (["a"], [], "1 hypotheses, but references of 0 photos"),
        ([], [], "pass one hypothesis a photo"),
        (["a"], [[]], r"references\[0\]: no caption"),
    ],
)
def test_what_would_score_wrongly_in_silence_is_refused(hypotheses, references, said) -> None:
    with pytest.raises(SightlineError, match=said):
        Corpus(hypotheses, references)


@given(st.text(st.sampled_from("abc.,!?;:'\"-() AÉéİΣ1&/#@\n")) | st.text())
def test_what_tokenize_writes_is_taken(text: str) -> None:
    Corpus((tokenize(text),), ((tokenize(text),),))
