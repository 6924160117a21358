"""Words: whole in every script, and English as it ever was."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.scripts import characters, closed_up, words_are_separate
from sightline.vocabulary import BLANK, END, SPECIAL_TOKENS, UNKNOWN, Vocabulary, join_words, split_words, with_blanks


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


SENTENCES = [
    "一只棕色的狗在草地上奔跑",
    "两个孩子在公园里踢足球，旁边有一只狗。",
    "สุนัขสีน้ำตาลวิ่งอยู่บนสนามหญ้า",
    "犬がボールを追いかけている",
    "一个穿红色T恤的男孩 and his dog's ball",
    "एक भूरा कुत्ता घास पर दौड़ रहा है।",
    "كلبٌ بنيٌّ يركض فوق العشب",
]
UNITS = ("一只", "狗", "在草地", "草地上", "สุนัข", "สีน้ำ", "ボール", "▁dog", "▁कुत्ता", "▁दौड़", "▁", "है", "▁بني")
PIECES = Vocabulary(
    (*SPECIAL_TOKENS, *UNITS, *sorted({c for text in SENTENCES for c in characters(with_blanks(text))} - {*UNITS})),
    "subwords",
)


@pytest.mark.parametrize("caption", SENTENCES)
def test_units_read_as_the_caption_without_its_punctuation(caption):
    read = PIECES.read(PIECES.encode(caption, 99))
    assert read.text == closed_up(join_words(split_words(caption)))
    assert "".join(read.words) == read.text.replace(" ", "")
    assert PIECES.read(PIECES.encode(read.text, 99)) == read


@given(st.text(st.characters(categories=["L", "M", "N", "P", "Zs"]), max_size=40))
def test_nothing_is_lost_in_units_of_any_script(caption):
    written = with_blanks(caption)
    every = Vocabulary((*SPECIAL_TOKENS, *dict.fromkeys(characters(written))), "characters")
    ids = every.encode(caption, 999)
    assert UNKNOWN not in ids
    assert every.read(ids).text == closed_up(join_words(split_words(caption)))
    assert "".join(every.units(caption)) == written
    ends = [stop for _, stop in every.spans(caption)]
    assert ends == sorted(ends)
    assert (ends or [0])[-1] == len(ids) - 1


def test_the_longest_unit_is_taken_and_ends_at_no_mark():
    units = Vocabulary((*SPECIAL_TOKENS, "ก", "กิ", "น", "กิน", "▁a", "▁ab", "b", "▁"), "subwords")
    assert units.units("กินก") == ["กิน", "ก"]
    assert units.units("กี่น") == ["กี่", "น"]
    assert units.encode("กี่น", 9) == [UNKNOWN, 6, END]
    assert units.units("abb ba") == ["▁ab", "b", "▁", "b", "a"]


def test_a_printed_word_is_what_stands_between_blanks_or_a_unit_where_there_are_none():
    read = PIECES.read(PIECES.encode("一只狗 dog's ball 在草地上", 99))
    assert read.words == ("一只", "狗", "dog's", "ball", "在草地", "上")
    assert read.text == "一只狗 dog's ball 在草地上"
    assert len(read.starts) == len(read.words) and read.starts[0] == 0


@pytest.mark.parametrize(
    ("parted", "captions"),
    [
        (True, ["a dog", "ein Hund läuft", "", "一只狗"] * 3 + ["a cat"] * 20),
        (True, ["一 只 狗 在 草地 上 奔跑"]),
        (True, ["สุนัข วิ่ง บน สนามหญ้า"]),
        (True, ["एक भूरा कुत्ता घास पर दौड़ रहा है", "كلب يركض", "개가 달린다"]),
        (False, SENTENCES[:4]),
        (False, ["红色的圆"]),
        (False, ["สุนัขสีน้ำตาล วิ่งอยู่บนสนามหญ้า"]),
        (False, ["a dog runs", "一只狗在草地上奔跑"]),
    ],
)
def test_whether_captions_part_their_words(parted, captions):
    assert words_are_separate(captions) is parted


def test_a_vocabulary_of_units_is_kept_and_one_of_a_kind_to_come_is_refused(tmp_path):
    PIECES.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == PIECES
    former = (tmp_path / "v.json").read_text().replace('"unit":', '"split":')
    (tmp_path / "former.json").write_text(former)
    assert '"split"' in former and Vocabulary.load(tmp_path / "former.json") == PIECES
    (tmp_path / "v.json").write_text((tmp_path / "v.json").read_text().replace('"subwords"', '"syllables"'))
    with pytest.raises(SightlineError, match="upgrade"):
        Vocabulary.load(tmp_path / "v.json")


def test_many_captions_are_encoded_as_each_alone():
    drawn = random.Random(0)
    letters = "abZ '-_.,\n\t09éßΣςİ한我\u200dé\u0301’\0\x85\xa0\ud800"
    captions = ["".join(drawn.choices(letters, k=drawn.randrange(14))) for _ in range(5000)]
    whole = Vocabulary.from_captions(captions)
    counts = Counter(chain.from_iterable(map(split_words, captions)))
    assert whole.words[4:] == tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    for vocabulary in (Vocabulary(whole.words[:60]), Vocabulary((*SPECIAL_TOKENS, *"ab 한", "zb", BLANK), "subwords")):
        ids, lengths = map(np.concatenate, zip(*vocabulary.encode_many(captions, 3), strict=True))
        each = [vocabulary.encode(caption, 3) for caption in captions]
        assert ids.tolist() == list(chain.from_iterable(each))
        assert lengths.tolist() == list(map(len, each))
