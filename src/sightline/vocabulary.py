"""Vocabularies: captions -> words or smaller units -> ids, and back."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, pairwise, takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.scripts import MARK, MIDDLE, SHAPES, characters, closed_up, is_unspaced

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL_TOKENS = ("<pad>", "<start>", "<end>", "<unk>")

Unit: TypeAlias = Literal["words", "characters", "subwords"]
BLANK = "\u2581"  # begins a unit that follows a space; SentencePiece's sign

# The possessive `'s` is a word of its own, as in the PTB tokenizer, `n't` stays in its word; hyphens join words.
_WORD = re.compile(r"'s\b|\w+(?:-\w+)*(?:'(?!s\b)\w+)*")
_PLAIN_WORD = re.compile(r"\w+")  # the same for captions without ' and -, and faster
_BREAK = "\0"  # ends each caption where many are split together
_TOGETHER = 1000
# A table for `bytes.translate`: every ASCII byte that is not part of a word becomes a space.
_BLANKS = re.sub(rb"[^\w\x00'\-\x80-\xff]", b" ", bytes(range(256)))

# Outside ASCII, Unicode's word boundaries (Unicode Standard Annex 29, WB3 to WB7): a mark belongs to the letter before
# it, as do the joiners of Persian and Indic scripts, Hebrew's geresh and Armenian's intonation marks; a middle dot or
# gershayim joins letters. Characters that only control layout are dropped.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_LETTERS = rf"\w[\w{MARK}]*"
_ANY_WORD = re.compile(rf"'s(?![\w{MARK}])|{_LETTERS}(?:[-{MIDDLE}]{_LETTERS})*(?:'(?!s(?![\w{MARK}])){_LETTERS})*")


def split_words(caption: str) -> list[str]:
    """Split a caption into words: lower case, without punctuation, the possessive ``'s`` a word of its own.

    Words are in Unicode's composed form (NFC). In scripts that do not separate words, such as Chinese or Thai, a word
    is everything between two spaces or punctuation marks.

    Example:
        >>> split_words("The dog's ball.")
        ['the', 'dog', "'s", 'ball']
    """
    text = caption.lower().replace("’", "'")
    if text.isascii():
        return (_WORD if "'" in text or "-" in text else _PLAIN_WORD).findall(text)
    text = unicodedata.normalize("NFC", text.translate(_UNSEEN))
    return [text[match.start() : match.end()] for match in _ANY_WORD.finditer(text.translate(SHAPES))]


def _split_many(captions: Iterable[str]) -> Iterator[list[str]]:
    """`split_words` of many captions in a third of the time: one list per thousand captions, `_BREAK` after each."""
    captions = iter(captions)
    while several := list(islice(captions, _TOGETHER)):
        # Unless it holds one of these, an ASCII caption's words are its runs of letters and digits.
        plain = (
            text
            if text.isascii() and "'" not in text and "-" not in text and _BREAK not in text
            else " ".join(split_words(text))
            for text in several
        )
        text = f" {_BREAK} ".join((*plain, "")).lower()
        yield text.encode("utf-8", "surrogatepass").translate(_BLANKS).decode("utf-8", "surrogatepass").split()


def join_words(words: Iterable[str]) -> str:
    """Join words to a sentence: by spaces, the possessive ``'s`` attached to its word."""
    return " ".join(words).replace(" 's", "'s")


def with_blanks(caption: str) -> str:
    """The text that units are cut from: the caption's words, each begun by `BLANK`, unless of an unspaced script."""
    text = closed_up(join_words(split_words(caption))).replace(" ", BLANK)
    return text if not text or is_unspaced(text) else BLANK + text


class Reading(NamedTuple):
    """Decoded ids: the sentence, its W words as printed, the index of each word's first unit, the number of units."""

    text: str
    words: tuple[str, ...]
    starts: tuple[int, ...]
    units: int


@dataclass(frozen=True)
class Vocabulary:
    """An immutable list of words, or of units that words are composed of; the index in the list is the id.

    Attributes:
        words: all V words or units; the first four are ``<pad>`` (0), ``<start>`` (1), ``<end>`` (2), ``<unk>`` (3).
        unit: what they are: ``"words"``, see `split_words`; or ``"characters"`` or ``"subwords"``, of which one that
            begins with `BLANK` follows a space, and any other is attached to the one before.
    """

    words: tuple[str, ...]
    unit: Unit = "words"
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _lengths: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise SightlineError(f"a vocabulary must begin with {', '.join(SPECIAL_TOKENS)}; this one does not")
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})
        object.__setattr__(self, "_lengths", {} if self.unit == "words" else _lengths(self.words))

    @classmethod
    def from_captions(cls, captions: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The words that occur at least ``min_count`` times in ``captions``, most frequent first, ties by alphabet."""
        counts = Counter(chain.from_iterable(_split_many(captions)))
        del counts[_BREAK]
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        return cls((*SPECIAL_TOKENS, *kept))

    def __len__(self) -> int:
        return len(self.words)

    def units(self, caption: str) -> list[str]:
        """The caption's words or units, whether they are in the vocabulary or not.

        Units are taken from left to right, each the longest in the vocabulary (WordPiece's rule, Wu et al. 2016, as in
        BERT); where there is none, a single character.
        """
        if self.unit == "words":
            return split_words(caption)
        units: list[str] = []
        text, at = characters(with_blanks(caption)), 0
        while at < len(text):
            for length in self._lengths.get(text[at], ()):
                if (unit := "".join(text[at : at + length])) in self._ids:
                    break
            else:
                unit, length = text[at], 1
            units.append(unit)
            at += length
        return units

    def spans(self, caption: str) -> list[tuple[int, int]]:
        """For each of ``split_words(caption)`` the indices of its units: from the first, up to but not the second."""
        words = split_words(caption)
        if self.unit == "words":
            return [(index, index + 1) for index in range(len(words))]
        text, end, spans = with_blanks(caption), 0, []
        ends = list(accumulate(map(len, self.units(caption))))
        for word in words:
            start = end + text.startswith(BLANK, end)
            end = start + len(word)
            spans.append((bisect_right(ends, start), bisect_left(ends, end) + 1))
        return spans

    def encode(self, caption: str, max_words: int) -> list[int]:
        """The ids of the caption's first ``max_words`` words or units, then ``<end>`` unless it was truncated.

        Unknown words become ``<unk>``. There is no ``<start>``: the model's input is this list shifted by one.
        """
        units = self.units(caption)
        ids = [self._ids.get(unit, UNKNOWN) for unit in units[:max_words]]
        return ids if len(units) > max_words else [*ids, END]

    def encode_many(self, captions: Iterable[str], max_words: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """`encode` many, fast: per thousand or so the int64 ids, concatenated (sum of lengths,), and lengths (N,)."""
        known = _Known({**self._ids, _BREAK: END})
        each = _split_many(captions) if self.unit == "words" else ([*self.units(one), _BREAK] for one in captions)
        for units in each:
            ids = np.fromiter(map(known.__getitem__, units), np.int64, len(units))
            ends = np.flatnonzero(ids == END)
            starts = np.concatenate([[0], ends[:-1] + 1])
            position = np.arange(len(ids)) - np.repeat(starts, ends - starts + 1)
            kept = (position < max_words) | ((ids == END) & (position == max_words))
            yield ids[kept], np.add.reduceat(kept, starts, dtype=np.int64)

    def read(self, ids: Sequence[int]) -> Reading:
        """Decode ``ids`` up to the first ``<end>`` or ``<pad>``; ``<start>`` is left out."""
        before_end = takewhile(lambda index: index not in (END, PAD), ids)
        units = [self.words[index] for index in before_end if index != START]
        if self.unit == "words":
            return Reading(join_words(units), tuple(units), tuple(range(len(units))), len(units))
        starts = _starts(units)
        words = tuple("".join(units[start:stop]).strip(BLANK) for start, stop in pairwise([*starts, len(units)]))
        text = " ".join("".join(units).replace(BLANK, " ").split())
        return Reading(text, words, tuple(starts), len(units))

    def save(self, path: Path) -> None:
        """Write words to ``path`` as a JSON list; units as a JSON object ``{"unit": ..., "units": [...]}``."""
        content = self.words if self.unit == "words" else {"unit": self.unit, "units": self.words}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote; raises `SightlineError` if the file is missing or malformed."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise SightlineError(f"{path}: no readable vocabulary ({error}); export or train the model again") from None
        if not isinstance(content, dict):
            content = {"units": content, "unit": "words"}
        words: Any = content.get("units")
        unit: Any = content.get("unit", content.get("split"))  # "split": its former name
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SightlineError(f"{path}: a vocabulary is a JSON list of words; export or train the model again")
        if unit not in get_args(Unit):
            raise SightlineError(f"{path}: unknown unit {unit!r}; upgrade sightline or export again")
        try:
            return cls(tuple(words), unit)
        except SightlineError as error:
            raise SightlineError(f"{path}: {error}; export or train the model again") from None


class _Known(dict[str, int]):
    def __missing__(self, word: str) -> int:
        return UNKNOWN


def _lengths(units: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Character -> the lengths, in characters, of the units that begin with it, longest first."""
    lengths: dict[str, set[int]] = {}
    for first, *rest in filter(None, map(characters, units)):
        lengths.setdefault(first, set()).add(1 + len(rest))
    return {first: tuple(sorted(each, reverse=True)) for first, each in lengths.items()}


def _starts(units: Sequence[str]) -> list[int]:
    """The indices of the units that begin a printed word."""
    starts = [0] if units else []
    for index, (before, unit) in enumerate(pairwise(units), start=1):
        if before == BLANK or (unit == BLANK and index == len(units) - 1):  # a lone BLANK belongs to the next unit
            continue
        if unit.startswith(BLANK) or is_unspaced(unit) or is_unspaced(before[-1]):
            starts.append(index)
    return starts
