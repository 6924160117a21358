"""What every metric promises, those registered later too."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.metrics import METRICS, Corpus, compute, quick_metrics, register
from sightline.metrics.tokenizers import tokenizer_of
from sightline.testing import check_metric
from sightline.testing.metrics import CORPUS
from sightline.vocabulary import SPECIAL_TOKENS

QUICK = quick_metrics()  # METEOR has its own tests; each start takes seconds


@pytest.mark.parametrize("name", QUICK)
def test_metrics_keep_their_promises(name: str) -> None:
    check_metric(name)


def test_names_of_scores_are_unique_among_metrics() -> None:
    names = [score.name for name in QUICK for score in METRICS[name](CORPUS)]
    assert len(names) == len(set(names))


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
@example("The dog.:")  # of which "dog." is left
@example("dogs.,.-!")
def test_whatever_tokenizing_leaves_of_a_caption_is_taken(text: str) -> None:
    if not any(token in text for token in SPECIAL_TOKENS):
        corpus = Corpus.of_captions({1: text}, {1: [text, "a dog"]})
        assert corpus.hypotheses == (tokenizer_of("ptb").apply([text])[0],)
        compute(corpus, ["BLEU-1", "CIDEr"])
