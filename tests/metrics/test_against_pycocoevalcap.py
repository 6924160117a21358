"""Every metric against pycocoevalcap 1.2: on random corpora in process, and on what it gave for real captions."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline
from sightline.metrics import METRICS, Corpus, tokenize

# Few words, so that n-grams meet; some that tokenizing or counting could trip over, one longer than the rest.
WORDS = ["a", "dog", "runs", "the", "park", "in", "'s", "n't", "é", "日本", "ß", "1\xa01/2", "-lrb-", "x" * 40]
CAPTIONS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
PHOTOS = st.tuples(
    CAPTIONS, st.one_of(st.lists(CAPTIONS, min_size=1, max_size=5), st.lists(CAPTIONS, min_size=20, max_size=20))
)
CORPORA = st.lists(PHOTOS, min_size=1, max_size=8)
Photos = list[tuple[str, list[str]]]

EDGES: dict[str, Photos] = {
    "empty hypothesis": [("", ["a dog"]), ("a dog", ["a dog runs"])],
    "empty reference": [("a dog", [""]), ("a dog", ["a dog runs"])],
    "both empty": [("", [""]), ("a", ["a"])],
    "nothing but empty captions": [("", ["", ""])],
    "one photo": [("a dog runs", ["a dog runs", "the dog runs in the park"])],
    "one word": [("dog", ["dog", "dog runs"]), ("dog", ["dog"]), ("a", ["b"])],
    "one word repeated": [("a a a a a a a", ["a a", "a a a b"]), ("b b", ["b"])],
    "one reference each": [("a b c d e", ["a b c d f"]), ("d c b a", ["a b c d"])],
    "reference lengths equally close": [("a b c", ["a b", "a b c d"]), ("a b c", ["a b c d", "a b"])],
    "twenty references": [("a b c d", [" ".join("abcde"[i % 5 :]) for i in range(20)]), ("c d", ["c"])],
    "hypotheses longer than any reference": [("a b c d e f g h", ["a b"]), ("b c d", ["b"])],
}


def theirs(photos: Photos) -> dict[str, tuple[float, list[float]]]:
    """Corpus score and photos' scores of each of their metrics."""
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references = {str(i): captions for i, (_, captions) in enumerate(photos)}
    hypotheses = {str(i): [caption] for i, (caption, _) in enumerate(photos)}
    corpus, per_photo = Bleu(4).compute_score(references, hypotheses, verbose=0)
    scores = {f"BLEU-{n}": (corpus[n - 1], per_photo[n - 1]) for n in range(1, 5)}
    scores["ROUGE-L"] = Rouge().compute_score(references, hypotheses)
    wordless = not any(caption.split() for captions in references.values() for caption in captions)
    # Theirs fails where no reference has a word; ours is then zero.
    nothing = 0.0, [0.0] * len(photos)
    scores["CIDEr"] = scores["CIDEr-D"] = nothing if wordless else Cider().compute_score(references, hypotheses)
    return scores


def corpus_of(photos: Photos) -> Corpus:
    return Corpus(tuple(hypothesis for hypothesis, _ in photos), tuple(tuple(captions) for _, captions in photos))


def assert_equal(photos: Photos) -> None:
    corpus = corpus_of(photos)
    ours = {score.name: score for name in ("bleu", "rouge", "cider") for score in METRICS[name](corpus)}
    expected = theirs(photos)
    assert ours.keys() == expected.keys()
    for name, (value, per_photo) in expected.items():
        score = ours[name]
        assert score.value == pytest.approx(value, abs=1e-9, rel=0), name
        assert score.per_photo is not None and score.per_photo.dtype == np.float64
        np.testing.assert_allclose(score.per_photo, per_photo, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.slow
@given(CORPORA)
@settings(max_examples=50, deadline=None)
def test_equals_on_random_corpora(photos: Photos) -> None:
    assert_equal(photos)


@pytest.mark.parametrize("photos", EDGES.values(), ids=EDGES.keys())
def test_equals_at_the_edges(photos: Photos) -> None:
    assert_equal(photos)


def test_equals_pycocoevalcap_on_what_ends_a_corpus(java: None) -> None:
    """One emoticon more or less is a word more or less: the last caption has no line end after it there."""
    ours = {0: "A dog runs in the park.", 1: "two boys, vitamin C.", 2: "The red car :)"}
    theirs = {
        0: ["A dog runs in the park .", "The dog's running!"],
        1: ["Boys eat vitamin C."],
        2: ["The car.", "red :)"],
    }
    ptb = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer").PTBTokenizer()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    references = ptb.tokenize({photo: [{"caption": c} for c in captions] for photo, captions in theirs.items()})
    hypotheses = ptb.tokenize({photo: [{"caption": caption}] for photo, caption in ours.items()})
    scores = sightline.score(ours, theirs)
    expected = Bleu(4).compute_score(references, hypotheses, verbose=0)[0]
    assert [scores[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx(expected, abs=1e-9, rel=0)
    assert scores["CIDEr"] == pytest.approx(Cider().compute_score(references, hypotheses)[0], abs=1e-9, rel=0)


def test_equals_on_flickr8k(shared: Path) -> None:
    folder = shared / "metrics" / "flickr8k-dev"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    contents = (json.loads((folder / f"{name}.json").read_text()) for name in ("hypotheses", "references", "expected"))
    hypotheses, references, expected = contents
    corpus = Corpus(
        tuple(tokenize(captions[0]) for captions in hypotheses.values()),
        tuple(tuple(map(tokenize, references[photo])) for photo in hypotheses),
    )
    ours = {score.name: score.value for name in METRICS if name != "meteor" for score in METRICS[name](corpus)}
    for name, value in expected["scores"].items():
        if name != "METEOR":
            assert ours[name] == pytest.approx(value, abs=1e-9, rel=0), name
