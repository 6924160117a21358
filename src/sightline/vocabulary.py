"""Words and their ids."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from sightline.errors import SightlineError

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL_TOKENS = ("<pad>", "<start>", "<end>", "<unk>")

# A clitic (`'s`, `n't` stays inside its word) is a word of its own, as in the field's tokenizer; hyphens join.
_WORD = re.compile(r"'s\b|\w+(?:-\w+)*(?:'(?!s\b)\w+)*")
_PLAIN_WORD = re.compile(r"\w+")  # the same where there is no sign inside words, and quicker

# Outside ASCII as Unicode rules word boundaries (Unicode Standard Annex 29, WB3 to WB7): a mark belongs to
# the letter before it, as do the joiners of Persian and Indic scripts, Hebrew's geresh and Armenian's signs of tone; a
# middle dot or gershayim joins letters. What only directs how text is set is not part of it.
_MARK, _MIDDLE = "\u0300", "\u00b7"
_LIKE_MARKS = "\u200c\u200d\u05f3\u055b\u055c\u055e"
_LIKE_HYPHENS = "\u2010\u2011"
_LIKE_MIDDLES = "\u0387\u05f4\u2027"
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_LETTERS = rf"\w[\w{_MARK}]*"
_ANY_WORD = re.compile(rf"'s(?![\w{_MARK}])|{_LETTERS}(?:[-{_MIDDLE}]{_LETTERS})*(?:'(?!s(?![\w{_MARK}])){_LETTERS})*")


class _Shapes(dict[int, str]):
    """A table for `str.translate`: a character -> the one that stands for its kind, or itself."""

    def __init__(self) -> None:
        super().__init__((ord(character), _MARK) for character in _LIKE_MARKS)
        self |= {ord(character): "-" for character in _LIKE_HYPHENS}
        self |= {ord(character): _MIDDLE for character in _LIKE_MIDDLES}

    def __missing__(self, code: int) -> str:
        is_mark = unicodedata.category(chr(code)).startswith("M")
        return self.setdefault(code, _MARK if is_mark else chr(code))


_SHAPES = _Shapes()


def split_words(caption: str) -> list[str]:
    """The caption's words: lower case, punctuation dropped, possessive ``'s`` apart (``"The dog's ball."`` -> 4).

    Words of every script that parts them by spaces or signs are whole, in Unicode's composed form. A script that does
    not part its words, such as Chinese or Thai, gives one word from sign to sign.
    """
    text = caption.lower().replace("’", "'")
    if text.isascii():
        return (_WORD if "'" in text or "-" in text else _PLAIN_WORD).findall(text)
    text = unicodedata.normalize("NFC", text.translate(_UNSEEN))
    return [text[match.start() : match.end()] for match in _ANY_WORD.finditer(text.translate(_SHAPES))]


def join_words(words: Iterable[str]) -> str:
    """The sentence a person reads: words joined by spaces, possessive ``'s`` back at its word."""
    return " ".join(words).replace(" 's", "'s")


@dataclass(frozen=True)
class Vocabulary:
    """An immutable list of words; a word's place is its id.

    Attributes:
        words: all V words; the first four are ``<pad>`` (0), ``<start>`` (1), ``<end>`` (2), ``<unk>`` (3).
    """

    words: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise SightlineError(f"a vocabulary must begin with {', '.join(SPECIAL_TOKENS)}; this one does not")
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})

    @classmethod
    def from_captions(cls, captions: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The words that stand at least ``min_count`` times in ``captions``, most frequent first, ties by alphabet."""
        counts = Counter(chain.from_iterable(map(split_words, captions)))
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        return cls((*SPECIAL_TOKENS, *kept))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, caption: str, max_words: int) -> list[int]:
        """The ids of the caption's first ``max_words`` words, then ``<end>`` if none was cut off.

        Unknown words become ``<unk>``. No ``<start>``: the model's input is this list shifted by one.
        """
        words = split_words(caption)
        ids = [self._ids.get(word, UNKNOWN) for word in words[:max_words]]
        return ids if len(words) > max_words else [*ids, END]

    def decode(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The words of ``ids`` up to the first ``<end>`` or ``<pad>``, special tokens left out."""
        words: list[str] = []
        for index in ids:
            if index in (END, PAD):
                break
            if index != START:
                words.append(self.words[index])
        return tuple(words)

    def save(self, path: Path) -> None:
        """Write the words to ``path`` as a JSON list."""
        path.write_text(json.dumps(self.words, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote; a missing or malformed file raises `SightlineError`."""
        try:
            words = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise SightlineError(f"{path}: no readable vocabulary ({error}); export or train the model again") from None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SightlineError(f"{path}: a vocabulary is a JSON list of words; export or train the model again")
        try:
            return cls(tuple(words))
        except SightlineError as error:
            raise SightlineError(f"{path}: {error}; export or train the model again") from None
