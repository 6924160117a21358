"""What makes words of captions before they are scored: chosen, told, and warned about where it does not fit."""

from __future__ import annotations

import json
import logging

import pytest

import sightline as package
from sightline.cli.evaluate import score as score_command
from sightline.cli.options import tokenizer_option
from sightline.errors import SightlineError
from sightline.evaluation.scores import score_captions
from sightline.metrics import TOKENIZERS, Corpus, compute, tokenizer_of
from sightline.metrics.tokenizers import fitting, misfit

ENGLISH = ["A man's dog, isn't it?", "a café for dogs"]
CHINESE = ["一只棕色的狗在草地上奔跑。", "两个孩子在踢足球，旁边有一只狗"]
HINDI = ["एक भूरा कुत्ता घास पर दौड़ रहा है।", "दो बच्चे खेल रहे हैं"]


@pytest.mark.parametrize(
    ("name", "caption", "words"),
    [
        ("ptb", ENGLISH[0], "a man 's dog is n't it"),
        ("words", ENGLISH[0], "a man 's dog isn't it"),
        ("words", HINDI[0], "एक भूरा कुत्ता घास पर दौड़ रहा है"),
        ("characters", CHINESE[0], "一 只 棕 色 的 狗 在 草 地 上 奔 跑"),
        ("characters", "วิ่ง ที่ T恤", "วิ่ ง ที่ t 恤"),
        ("none", " A dog ,  一只 狗。", "A dog , 一只 狗。"),
    ],
)
def test_tokenizers(name, caption, words):
    assert tokenizer_of(name).apply([caption]) == [words]


@pytest.mark.parametrize(("captions", "fits"), [(ENGLISH, "ptb"), (HINDI, "words"), (CHINESE, "characters")])
def test_which_fits_and_what_is_said_where_it_does_not(captions, fits):
    assert fitting(captions) == fits
    assert misfit(fits, captions) == misfit("none", captions) == ""
    assert (misfit("ptb", captions) == "") is (fits == "ptb")
    assert f"--tokenizer {fits}" in misfit("ptb", captions) or fits == "ptb"
    assert (misfit("words", captions) == "") is (fits != "characters")


def test_scores_are_of_the_words_that_the_tokenizer_makes(caplog):
    said = ["一只狗在草地上奔跑"]
    with caplog.at_level(logging.WARNING):
        scores = package.score(said, [CHINESE[:1]], tokenizer="characters")
        assert not caplog.records
        assert package.score(said, [CHINESE[:1]])["BLEU-1"] < 1e-6
    (record,) = caplog.records
    assert "tokenizer=characters" in record.getMessage() and "\n" not in record.getMessage()
    spaced = package.score([" ".join(said[0])], [[" ".join(CHINESE[0][:-1])]], tokenizer="none")
    assert scores["CIDEr"] == spaced["CIDEr"] and scores["BLEU-4"] == spaced["BLEU-4"] > 0.3
    assert scores.as_dict()["tokenizer"] == TOKENIZERS["characters"].description
    assert TOKENIZERS["characters"].description in str(scores)
    with pytest.raises(SightlineError, match="choose from ptb"):
        package.score(said, [CHINESE], tokenizer="jieba")


def test_meteor_is_english_only():
    for captions, tokenizer in ((CHINESE, "characters"), (HINDI, "ptb"), (ENGLISH, "words")):
        corpus = Corpus.of_captions({0: captions[0]}, {0: captions}, tokenizer=tokenizer)
        score = compute(corpus, ["METEOR"])["METEOR"]
        assert score.value is None and "English" in score.note


def test_the_commands_choices_are_the_tokenizers(sightline, tmp_path):
    option = tokenizer_option(lambda: None).__click_params__[0]
    assert list(option.type.choices) == list(TOKENIZERS)
    assert any(parameter.name == "tokenizer" for parameter in score_command.params)
    names = {f"{number}.jpg": [caption] for number, caption in enumerate(CHINESE)}
    for name in ("hypotheses", "references"):
        (tmp_path / f"{name}.json").write_text(json.dumps(names))
    files = ("--hypotheses", tmp_path / "hypotheses.json", "--references", tmp_path / "references.json", "--no-meteor")
    warned = sightline("score", *files)
    assert warned.status == 0 and warned.err.count("\n") == 1 and "--tokenizer characters" in warned.err
    told = sightline("score", *files, "--tokenizer", "characters", "--json")
    assert (told.err, json.loads(told.out)["tokenizer"]) == ("", TOKENIZERS["characters"].description)
    assert json.loads(told.out)["scores"]["BLEU-4"] == pytest.approx(1)


def test_the_tokenizer_changes_nothing_for_english():
    texts = {0: ENGLISH[0], 1: ENGLISH[1]}
    references = {0: ENGLISH, 1: ENGLISH}
    scores = score_captions(texts, references, metrics=["cider"])
    assert (scores.tokenizer, scores.warning) == ("ptb", "")
