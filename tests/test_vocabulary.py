"""Words: whole in every script, and English as it ever was."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.vocabulary import Vocabulary, join_words, split_words


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("The dog's ball isn't red .", "the dog 's ball isn't red"),
        ("A well-known T-shirt, 3-year-old's!", "a well-known t-shirt 3-year-old 's"),
        ("नीली कमीज़ में लड़कियाँ हँस रही हैं।", "नीली कमीज़ में लड़कियाँ हँस रही हैं"),
        ("একটি কুকুর দৌড়াচ্ছে", "একটি কুকুর দৌড়াচ্ছে"),
        ("ஒரு நாய் ஓடுகிறது", "ஒரு நாய் ஓடுகிறது"),
        ("എന്റെ കുട്ടി, ക്ഷേത്രം", "എന്റെ കുട്ടി ക്ഷേത്രം"),
        ("สุนัข วิ่ง", "สุนัข วิ่ง"),
        ("ခွေး တစ်ကောင်", "ခွေး တစ်ကောင်"),
        ("ශ්‍රී ලංකා", "ශ්‍රී ලංකා"),
        ("می‌خواهم و کِتاب", "می‌خواهم و کِتاب"),
        ("הַכֶּלֶב רץ, צה״ל ג׳ירף", "הַכֶּלֶב רץ צה״ל ג׳ירף"),
        ("كَلْبٌ يَرْكُضُ", "كَلْبٌ يَرْكُضُ"),
        ("L'ÉTÉ à la col·lecció", "l'été à la col·lecció"),
        ("ein nicht‑deutscher Groß-Hund", "ein nicht‑deutscher groß-hund"),
        ("İstanbul", "i̇stanbul"),
        ("Ի՞նչ է", "ի՞նչ է"),
        ("ex\u00adample \u200fdog\u200e", "example dog"),
        ("❤️ a dog 👩‍🚒 runs 🐕", "a dog runs"),
        ("d'où l’homme ; the cat’s", "d'où l'homme the cat 's"),
    ],
)
def test_words_are_whole(caption, words):
    expected = unicodedata.normalize("NFC", words).split(" ")
    for form in ("NFC", "NFD"):
        assert split_words(unicodedata.normalize(form, caption)) == expected
    assert split_words(" ".join(expected)) == expected


@given(st.text(st.characters(max_codepoint=126)))
def test_english_is_as_it_was(caption):
    before = re.findall(r"'s\b|\w+(?:-\w+)*(?:'(?!s\b)\w+)*", caption.lower())
    assert split_words(caption) == before
    # A letter beyond ASCII elsewhere in the caption changes no other word.
    assert split_words(f"{caption} \u00e9") == [*before, "\u00e9"]


@given(st.text(st.characters(categories=["L", "M", "N", "Zs"])))
def test_no_letter_and_no_sign_is_lost(caption):
    """Of letters, marks and spaces, all that is dropped is a mark with no letter before it."""
    text = unicodedata.normalize("NFC", caption.lower())
    text = re.sub(r"\s+", " ", "".join(" " if unicodedata.category(c) == "Zs" else c for c in text))
    pieces = []
    for piece in text.split(" "):
        letters = [unicodedata.category(c)[0] != "M" for c in piece]
        if any(letters):
            pieces.append(piece[letters.index(True) :])
    assert split_words(caption) == pieces


def test_what_was_split_is_joined_and_kept_by_a_vocabulary(tmp_path):
    assert join_words(split_words("The dog's ball")) == "the dog's ball"
    vocabulary = Vocabulary.from_captions(["लड़की हँस रही है"])
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json").words[4:] == tuple(sorted(split_words("लड़की हँस रही है")))
