"""METEOR is the reference program or nothing."""

import shutil

import numpy as np
import pytest

from sightline.metrics import Corpus, meteor

CORPUS = Corpus(
    ("a brown dog runs through the grass", "two boys are playing", "", "café au lait ||| here"),
    (("a dog is running on grass", "the brown dog runs"), ("children play football",), ("a cat",), ("café au lait",)),
)


# What pycocoevalcap 1.2 gives for it: running both would take twice the many seconds that the program takes to start.
VALUE = 0.3433113009832311
PER_PHOTO = [0.4322802371242765, 0.207601572083682, 0.0, 0.4936714885179634]


@pytest.mark.slow
def test_equals_pycocoevalcap(java: None) -> None:
    pytest.importorskip("pycocoevalcap")
    (score,) = meteor.compute(CORPUS)
    assert score.name == "METEOR" and score.per_photo is not None
    assert score.value == pytest.approx(VALUE, abs=1e-9, rel=0)
    np.testing.assert_allclose(score.per_photo, PER_PHOTO, rtol=0, atol=1e-9)
    assert "METEOR 1.5" in score.note and score.resampled is None


@pytest.mark.parametrize(
    ("java_there", "package_there", "said"),
    [(False, True, "Java"), (True, False, "pycocoevalcap"), (False, False, "Java (`java` on the PATH) and pycocoeval")],
)
def test_says_what_is_missing(
    java_there: bool, package_there: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/java" if java_there else None)
    monkeypatch.setattr(meteor, "_jar", (lambda: meteor.Path("meteor.jar")) if package_there else lambda: None)
    (score,) = meteor.compute(CORPUS)
    assert score.value is None and score.per_photo is None and score.resampled is None
    assert said in score.note
    assert ("Java" in score.note, "pycocoevalcap" in score.note) == (not java_there, not package_there)


def test_a_program_that_fails_gives_no_number(monkeypatch: pytest.MonkeyPatch, java: None) -> None:
    monkeypatch.setattr(meteor, "_jar", lambda: meteor.Path("no-such.jar"))
    (score,) = meteor.compute(CORPUS)
    assert score.value is None and "failed" in score.note
