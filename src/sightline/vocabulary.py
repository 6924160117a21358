"""Words, the units that they are written in, and the ids of these."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.scripts import MARK, MIDDLE, SHAPES, characters, closed_up, is_unspaced

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL_TOKENS = ("<pad>", "<start>", "<end>", "<unk>")

Split: TypeAlias = Literal["words", "characters", "subwords"]
BLANK = "\u2581"  # begins a unit that stands after a blank; SentencePiece's sign

# A clitic (`'s`, `n't` stays inside its word) is a word of its own, as in the field's tokenizer; hyphens join.
_WORD = re.compile(r"'s\b|\w+(?:-\w+)*(?:'(?!s\b)\w+)*")
_PLAIN_WORD = re.compile(r"\w+")  # the same where there is no sign inside words, and quicker
_BREAK = "\0"  # after each of many captions, which are split together
_TOGETHER = 1000
# A blank for every byte of ASCII that is of no word.
_BLANKS = re.sub(rb"[^\w\x00'\-\x80-\xff]", b" ", bytes(range(256)))

# Outside ASCII as Unicode rules word boundaries (Unicode Standard Annex 29, WB3 to WB7): a mark belongs to
# the letter before it, as do the joiners of Persian and Indic scripts, Hebrew's geresh and Armenian's signs of tone; a
# middle dot or gershayim joins letters. What only directs how text is set is not part of it.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_LETTERS = rf"\w[\w{MARK}]*"
_ANY_WORD = re.compile(rf"'s(?![\w{MARK}])|{_LETTERS}(?:[-{MIDDLE}]{_LETTERS})*(?:'(?!s(?![\w{MARK}])){_LETTERS})*")


def split_words(caption: str) -> list[str]:
    """The caption's words: lower case, punctuation dropped, possessive ``'s`` apart (``"The dog's ball."`` -> 4).

    Words of every script that parts them by spaces or signs are whole, in Unicode's composed form. A script that does
    not part its words, such as Chinese or Thai, gives one word from sign to sign.
    """
    text = caption.lower().replace("’", "'")
    if text.isascii():
        return (_WORD if "'" in text or "-" in text else _PLAIN_WORD).findall(text)
    text = unicodedata.normalize("NFC", text.translate(_UNSEEN))
    return [text[match.start() : match.end()] for match in _ANY_WORD.finditer(text.translate(SHAPES))]


def _split_many(captions: Iterable[str]) -> Iterator[list[str]]:
    """What `split_words` gives, of a thousand captions in a list, `_BREAK` after each; in a third of the time."""
    captions = iter(captions)
    while several := list(islice(captions, _TOGETHER)):
        plain = (caption if _is_plain(caption) else " ".join(split_words(caption)) for caption in several)
        text = f" {_BREAK} ".join((*plain, "")).lower()
        yield text.encode("utf-8", "surrogatepass").translate(_BLANKS).decode("utf-8", "surrogatepass").split()


def _is_plain(caption: str) -> bool:
    """Whether its words are what stands between signs, all of ASCII."""
    return caption.isascii() and "'" not in caption and "-" not in caption and _BREAK not in caption


def join_words(words: Iterable[str]) -> str:
    """The sentence a person reads: words joined by spaces, possessive ``'s`` back at its word."""
    return " ".join(words).replace(" 's", "'s")


def with_blanks(caption: str) -> str:
    """The caption as units are cut from it: its words as they are joined, `BLANK` for blanks and at the beginning.

    Scripts that set no blanks have none, and none at the beginning.
    """
    text = closed_up(join_words(split_words(caption))).replace(" ", BLANK)
    return text if not text or is_unspaced(text) else BLANK + text


class Reading(NamedTuple):
    """What a person reads of ids.

    Attributes:
        text: the sentence.
        words: its W words as they are printed: what stands between blanks; of a script without blanks, each unit.
        starts: for each word the place of its first unit; the first is 0.
        units: how many units there are.
    """

    text: str
    words: tuple[str, ...]
    starts: tuple[int, ...]
    units: int


@dataclass(frozen=True)
class Vocabulary:
    """An immutable list of words, or of what words are written in; a word's place is its id.

    Attributes:
        words: all V words; the first four are ``<pad>`` (0), ``<start>`` (1), ``<end>`` (2), ``<unk>`` (3).
        split: what they are. ``"words"``, see `split_words`; ``"characters"`` or ``"subwords"``, units that a word is
            put together from: one that begins with `BLANK` stands after a blank, any other close to the one before.
    """

    words: tuple[str, ...]
    split: Split = "words"
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _lengths: dict[str, tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise SightlineError(f"a vocabulary must begin with {', '.join(SPECIAL_TOKENS)}; this one does not")
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})
        object.__setattr__(self, "_lengths", {} if self.split == "words" else _lengths(self.words))

    @classmethod
    def from_captions(cls, captions: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The words that stand at least ``min_count`` times in ``captions``, most frequent first, ties by alphabet."""
        counts: Counter[str] = Counter()
        for words in _split_many(captions):
            counts.update(words)
        del counts[_BREAK]
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        return cls((*SPECIAL_TOKENS, *kept))

    def __len__(self) -> int:
        return len(self.words)

    def units(self, caption: str) -> list[str]:
        """The caption's words, or the units that it is written in, known or not.

        Units are found from left to right, each the longest that the vocabulary knows (WordPiece's rule, Wu et al.
        2016, as BERT applies it); where it knows none, a character stands alone.
        """
        if self.split == "words":
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
        """For each of ``split_words(caption)`` its units: from the first on, up to and without the second number."""
        words = split_words(caption)
        if self.split == "words":
            return [(place, place + 1) for place in range(len(words))]
        text, end, spans = with_blanks(caption), 0, []
        ends = list(accumulate(map(len, self.units(caption))))
        for word in words:
            start = end + text.startswith(BLANK, end)
            end = start + len(word)
            spans.append((bisect_right(ends, start), bisect_left(ends, end) + 1))
        return spans

    def encode(self, caption: str, max_words: int) -> list[int]:
        """The ids of the caption's first ``max_words`` words, or units, then ``<end>`` if none was cut off.

        Unknown words become ``<unk>``. No ``<start>``: the model's input is this list shifted by one.
        """
        units = self.units(caption)
        ids = [self._ids.get(unit, UNKNOWN) for unit in units[:max_words]]
        return ids if len(units) > max_words else [*ids, END]

    def encode_many(self, captions: Iterable[str], max_words: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """The same of many captions, in less time: of some hundred each their ids, one after another, and how many.

        Both are int64, (the sum of the lengths,) and (captions,).
        """
        known = _Known({**self._ids, _BREAK: END})
        for units in _split_many(captions) if self.split == "words" else self._units_of_many(captions):
            ids = np.fromiter(map(known.__getitem__, units), np.int64, len(units))
            ends = np.flatnonzero(ids == END)
            starts = np.concatenate([[0], ends[:-1] + 1])
            place = np.arange(len(ids)) - np.repeat(starts, ends - starts + 1)
            kept = (place < max_words) | ((ids == END) & (place == max_words))
            yield ids[kept], np.add.reduceat(kept, starts, dtype=np.int64)

    def _units_of_many(self, captions: Iterable[str]) -> Iterator[list[str]]:
        return ([*self.units(caption), _BREAK] for caption in captions)

    def read(self, ids: Sequence[int]) -> Reading:
        """What ``ids`` say up to the first ``<end>`` or ``<pad>``, special tokens left out."""
        units: list[str] = []
        for index in ids:
            if index in (END, PAD):
                break
            if index != START:
                units.append(self.words[index])
        if self.split == "words":
            return Reading(join_words(units), tuple(units), tuple(range(len(units))), len(units))
        starts = _starts(units)
        words = ("".join(units[start:stop]) for start, stop in zip(starts, [*starts, len(units)][1:], strict=True))
        text = " ".join("".join(units).replace(BLANK, " ").split())
        return Reading(text, tuple(word.strip(BLANK) for word in words), tuple(starts), len(units))

    def save(self, path: Path) -> None:
        """Write the words to ``path`` as a JSON list; units as a JSON object that also says what they are."""
        content = self.words if self.split == "words" else {"split": self.split, "units": self.words}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote; a missing or malformed file raises `SightlineError`."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise SightlineError(f"{path}: no readable vocabulary ({error}); export or train the model again") from None
        units = isinstance(content, dict)
        words, split = (content.get("units"), content.get("split")) if units else (content, "words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise SightlineError(f"{path}: a vocabulary is a JSON list of words; export or train the model again")
        if split not in get_args(Split):
            raise SightlineError(f"{path}: units of another kind ({split!r}); upgrade sightline or export again")
        try:
            return cls(tuple(words), cast(Split, split))
        except SightlineError as error:
            raise SightlineError(f"{path}: {error}; export or train the model again") from None


class _Known(dict[str, int]):
    def __missing__(self, word: str) -> int:
        return UNKNOWN


def _lengths(units: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Character -> how many characters the units have that begin with it, the longest first."""
    found: dict[str, set[int]] = {}
    for first, *rest in filter(None, map(characters, units)):
        found.setdefault(first, set()).add(1 + len(rest))
    return {first: tuple(sorted(lengths, reverse=True)) for first, lengths in found.items()}


def _starts(units: Sequence[str]) -> list[int]:
    """The places of the units that begin a printed word."""
    starts = [0] if units else []
    for place in range(1, len(units)):
        before, unit = units[place - 1], units[place]
        if before == BLANK or (unit == BLANK and place == len(units) - 1):  # alone, it goes to what comes after it
            continue
        if unit.startswith(BLANK) or is_unspaced(unit) or is_unspaced(before[-1]):
            starts.append(place)
    return starts
