"""What all verbs have in common: help, exit statuses, and how mistakes are told."""

from __future__ import annotations

import pytest

from sightline import __version__
from sightline.cli.main import app

VERBS = [
    *(
        "caption",
        "explain",
        "alt",
        "serve",
        "site",
        "evaluate",
        "compare",
        "score",
        "info",
        "train",
        "calibrate",
        "ensemble",
        "export",
        "push",
    ),
    "data",
]


def test_without_a_verb_there_is_help(sightline):
    done = sightline()
    assert done.status == 2 and done.err.startswith("Usage: ")
    asked = sightline("--help")
    assert (asked.status, asked.out, asked.err) == (0, done.err, "")


def test_help_lists_every_verb_with_its_whole_sentence(sightline):
    assert list(app.commands) == VERBS
    listed = " ".join(sightline("--help").out.partition("Commands:")[2].split())
    sentences = [f"{name} {(verb.help or '').partition(chr(10) * 2)[0]}" for name, verb in app.commands.items()]
    assert listed == " ".join(" ".join(sentence.split()) for sentence in sentences)


@pytest.mark.parametrize("verb", [*((verb,) for verb in VERBS), ("data", "check"), ("data", "shapes")])
def test_every_verb_explains_itself(sightline, verb):
    done = sightline(*verb, "--help")
    assert (done.status, done.err) == (0, "")
    assert max(len(line) for line in done.out.splitlines()) <= 100


def test_help_tells_the_defaults(sightline, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    told = sightline("caption", "--help").out
    assert "1 is greedy.  [default: 3; x>=1]" in told and "[default: 1.0]" in told and "[default: 8; x>=1]" in told
    assert told.count("default") == 9
    assert "[default: explained]" in sightline("explain", "--help").out


def test_short_help_and_the_version(sightline):
    for verb in ((), ("caption",), ("data", "check")):
        assert sightline(*verb, "-h") == sightline(*verb, "--help")
    assert sightline("--version") == (0, f"sightline {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("draw",), "No such command 'draw'"),
        (("info", "--size", "3"), "--size"),
        (("caption",), "PHOTO"),
        (("score", "--hypotheses", "a.json"), "Missing option '--references'"),
        (("evaluate", "--data", "d", "--out", "o", "--split", "dev"), "'--split': 'dev' is not one of"),
        (("train", "--data", "d", "--out", "o", "--set"), "--set"),
        (("data", "shapes", "d", "--photos", "ten"), "--photos"),
    ],
)
def test_wrong_usage_is_status_2_and_names_what_is_wrong(sightline, arguments, named):
    done = sightline(*arguments)
    assert (done.status, done.out) == (2, "")
    assert named in done.err.splitlines()[-1]


@pytest.mark.slow
def test_settings_may_be_repeated_and_all_arrive(sightline, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("")
    options = ("--data", tmp_path, "--out", tmp_path / "run", "--recipe", recipe)
    done = sightline("train", *options, "--set", "training.epochs=1", "--set", "nothing=1")
    assert done.status == 1 and done.err.startswith("sightline: --set nothing=1: ") and done.err.count("\n") == 1


def test_an_interruption_is_status_130_and_one_line(sightline, monkeypatch):
    def interrupted(model: object, device: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.captioner.load", interrupted)
    done = sightline("caption", "photo.jpg")
    assert (done.status, done.out, done.err.strip()) == (130, "", "sightline: interrupted")
