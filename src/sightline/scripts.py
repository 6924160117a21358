"""Unicode properties that splitting into words depends on: signs inside words, scripts without spaces, direction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Representatives of two kinds of signs, so that a regular expression for words can name the kind.
MARK, MIDDLE = "\u0300", "\u00b7"
_LIKE_MARKS = dict.fromkeys("\u200c\u200d\u05f3\u055b\u055c\u055e", MARK)
_LIKE_MIDDLES = dict.fromkeys("\u0387\u05f4\u2027", MIDDLE)

# Ranges, as inside a regular expression's brackets, of scripts without spaces between words: Thai, Lao, Burmese,
# Khmer and the Tai scripts (line-breaking class SA of Unicode Standard Annex 14); kana, bopomofo, the Han characters.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f\U00020000-\U000323af"
)
_BETWEEN_UNSPACED = re.compile(f"(?<=[{UNSPACED}]) (?=[{UNSPACED}])")
_UNSPACED, _RUN = re.compile(f"[{UNSPACED}]"), re.compile(f"[{UNSPACED}]+")
_CLUSTER = re.compile(f".{MARK}*", re.DOTALL)


class _Shapes(dict[int, str]):
    """A table for `str.translate`: a character -> the representative of its kind, or itself."""

    def __missing__(self, code: int) -> str:
        is_mark = unicodedata.category(chr(code)).startswith("M")
        return self.setdefault(code, MARK if is_mark else chr(code))


SHAPES = _Shapes(str.maketrans({"\u2010": "-", "\u2011": "-", **_LIKE_MARKS, **_LIKE_MIDDLES}))


def characters(text: str) -> list[str]:
    """The text's characters as people count them, each with its combining marks; joined, they are the text again."""
    if text.isascii():
        return list(text)
    return [text[match.start() : match.end()] for match in _CLUSTER.finditer(text.translate(SHAPES))]


def is_unspaced(character: str) -> bool:
    """Whether a string's first character is of a script written without spaces between words."""
    return _UNSPACED.match(character) is not None


def closed_up(text: str) -> str:
    """The text without spaces between two characters of scripts written without spaces."""
    return text if text.isascii() else _BETWEEN_UNSPACED.sub("", text)


def words_are_separate(captions: Iterable[str]) -> bool:
    """Whether spaces or punctuation separate the captions' words, so that a vocabulary of words can be learned.

    They do not where more than a tenth of the captions are of a script written without spaces and have not been
    segmented: a caption is then a single run of letters, or the runs are longer than words are.
    """
    number = unspaced = runs = letters = 0
    for caption in captions:
        number += 1
        if not caption.isascii() and _UNSPACED.search(caption):
            here = _RUN.findall(caption)
            unspaced, runs = unspaced + 1, runs + len(here)
            letters += sum(character.isalnum() for run in here for character in run)
    return unspaced <= number / 10 or (runs >= 2 * unspaced and letters <= 5 * runs)


def is_latin(captions: Iterable[str]) -> bool:
    """Whether at least half of the captions consist mostly of Latin letters, or have no letters."""
    number = others = 0
    for caption in captions:
        number += 1
        if not caption.isascii():
            foreign = [not unicodedata.name(letter, "").startswith("LATIN") for letter in caption if letter.isalpha()]
            others += 2 * sum(foreign) > len(foreign)
    return 2 * others <= number


def is_right_to_left(text: str) -> bool:
    """Whether a text is read right to left, by its first letter with a direction (Unicode Standard Annex 9, P2)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"
