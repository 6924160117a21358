"""METEOR is the reference program or nothing."""

import shutil

import numpy as np
import pytest

from sightline.cli.evaluate import score as score_command
from sightline.errors import SightlineError
from sightline.metrics import Corpus, Score, meteor

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


GERMAN = ["ein Hund läuft an der Leine durch den Schnee", "zwei Männer sind im Freien in der Nähe vieler Büsche"]
OTHERS = {
    "fr": ["un homme en chemise bleue est sur une échelle", "on a un chien qui joue avec la balle"],
    "es": ["una niña sube a la casa de madera", "dos perros juegan con la pelota en la playa"],
    "pt": ["um homem de camisa azul sobe a escada", "a menina vai a praia com o cão"],
    "nl": ["een man in een blauw shirt staat op een ladder", "twee honden spelen in het gras"],
    "hu": ["a kutya fut a fűben", "egy férfi áll a létrán"],
}


def scored(captions: list[str], language: str | None = None, tokenizer: str = "ptb") -> Score:
    photos = dict(enumerate(captions))
    corpus = Corpus.of_captions(photos, {n: [text] for n, text in photos.items()}, None, tokenizer, language)
    return meteor.compute(corpus)[0]


@pytest.mark.parametrize("captions", [GERMAN, *OTHERS.values()])
def test_no_other_language_is_scored_as_english(captions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor, "_run", lambda *given: pytest.fail("scored as English"))
    score = scored(captions)
    assert score.value is None and "language" in score.note and all(name in score.note for name in meteor.LANGUAGES)


@pytest.mark.parametrize("captions", [["a red circle", "a green square"], ["Two dogs are running.", "Café"]])
def test_english_is_known_by_its_words(captions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor, "_jar", lambda: None)
    assert "pycocoevalcap" in scored(captions).note


@pytest.mark.parametrize("tokenizer", ["ptb", "words"])
def test_a_language_that_is_named_has_its_own_parameters(tokenizer, monkeypatch, tmp_path):
    started = []

    def start(command: list[str], **options: object) -> None:
        started.append(command)
        raise OSError

    monkeypatch.setattr(meteor, "Popen", start)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/java")
    monkeypatch.setattr(meteor, "_jar", lambda: tmp_path / "meteor-1.5.jar")
    score = scored(GERMAN, "de", tokenizer)
    assert score.value is None and f"paraphrase-de.gz of METEOR's own distribution in {tmp_path / 'data'}" in score.note
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "paraphrase-de.gz").touch()
    assert not started and "failed" in scored(GERMAN, "de", tokenizer).note
    assert started[0][started[0].index("-l") + 1] == "de"
    with pytest.raises(SightlineError, match="'nl' is none of METEOR's"):
        scored(OTHERS["nl"], "nl")


def test_the_commands_choices_are_the_languages() -> None:
    (option,) = (each for each in score_command.params if each.name == "language")
    assert list(option.type.choices) == list(meteor.LANGUAGES)
