"""Penn Treebank tokenization as the captioning field applies it before every metric.

`tokenize` gives what pycocoevalcap's wrapper gives: Stanford CoreNLP 3.4.1's ``PTBTokenizer`` with ``-preserveLines
-lowerCase``, then its list of punctuation removed. Its documentation is at
https://nlp.stanford.edu/software/tokenizer.html; the rules, in `tokenizer_rules`, are held to its answers by tests.

Three differences remain. Two are deliberate:

- What captions of photos do not hold has no rules of its own here: rare emoticons, comments and signs in markup,
  entities that name letters, names of files that begin with a digit, and addresses that open with a sign, stand in
  angle brackets or hold a no-break space.
- A caption stands alone. The reference reads all captions as one text, so there a caption that ends in an initial
  (``"vitamin C."``) changes with the first word of the next one, and a carriage return inside a caption shifts all
  that follow.

The third is the lower case of a capital sigma before a sign inside a Greek word (``"ΑΣ-Β"``), where Java and Python
disagree on whether the word ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cache

from sightline.metrics import tokenizer_characters as characters
from sightline.metrics.tokenizer_rules import (
    DIGIT,
    LETTER,
    MARK,
    PLAIN_RUN,
    ROLES,
    RULES,
    SPACES,
    SYMBOL,
    TAKEN_APART,
    UNKNOWN,
    compiled,
    plain_words,
)

# pycocoevalcap's list. The brackets escape it, because words are lowered before it is asked.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

_LINE_END = re.compile("[\n\r\x0b\x0c\u2028\u2029]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class _Shapes(dict[int, str]):
    """A table for `str.translate`: a character -> itself if the rules know it, else the stand-in for its kind."""

    def __init__(self) -> None:
        super().__init__((code, chr(code)) for code in (*range(127), *map(ord, SPACES + ROLES)))
        edges = {0: UNKNOWN}
        for first, last, kind in _ranges():
            edges |= {first: kind, last + 1: UNKNOWN}
        self._edges, self._kinds = list(edges), list(edges.values())

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self._kinds[bisect_right(self._edges, code) - 1])


def _ranges() -> list[tuple[int, int, str]]:
    """The ranges of `tokenizer_characters` by code point: first, last and what stands for them."""
    tables = (
        (characters.LETTERS, LETTER),
        (characters.MARKS, MARK),
        (characters.DIGITS, DIGIT),
        (characters.SYMBOLS, SYMBOL),
    )
    spans = ((*span.split("-"), kind) for table, kind in tables for span in table.split())
    return sorted((int(span[0], 16), int(span[-2], 16), span[-1]) for span in spans)


_SHAPES = _Shapes()


def tokenize(caption: str) -> str:
    """The caption's words, lower case and without punctuation, one space between them.

    ``"A man's dog, isn't it?"`` becomes ``"a man 's dog is n't it"``. A caption without words becomes ``""``.
    """
    text = _LINE_END.sub(" ", caption) + "\n"
    if text.isascii():
        words = " ".join(_scan(text, text))
    else:
        # The reference counts in UTF-16 units, and some rules ask for two characters.
        units = _split_surrogates(text)
        words = _join_surrogates(" ".join(_scan(units, units.translate(_SHAPES))))
    return " ".join([word for word in words.lower().rstrip().split(" ") if word and word not in PUNCTUATION])


def _scan(text: str, shape: str) -> list[str]:
    """The tokens of ``text``, some empty; the rules look at its ``shape``, which is as long. Both end in a line end."""
    tokens: list[str] = []
    at = 0
    while at < len(shape) - 1:
        end = PLAIN_RUN.match(shape, at).end()  # type: ignore[union-attr]  # it matches the empty string too
        words = plain_words(shape[at:end])
        if end > at and TAKEN_APART.isdisjoint(words):
            tokens += words
        else:
            end, write = _furthest(shape, at)
            tokens.append(write(text[at:end]))
        at = end
    return tokens


def _furthest(shape: str, at: int) -> tuple[int, Callable[[str], str]]:
    """Where the token at ``at`` ends, and how it is written; what no rule takes is one character and vanishes."""
    end, reach = at + 1, at
    write: Callable[[str], str] = _vanish
    for pattern, candidate in _rules_for(shape[at]):
        match = pattern.match(shape, at)
        if match and match.end() > reach:
            end, reach, write = match.end(1), match.end(), candidate
    return end, write


@cache
def _rules_for(start: str) -> tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]:
    return tuple((compiled(rule), rule.write) for rule in RULES if re.match(f"[{rule.starts}]", start))


def _vanish(token: str) -> str:
    return ""


def _split_surrogates(text: str) -> str:
    """Each character beyond the Basic Multilingual Plane as the two halves UTF-16 makes of it."""
    return _ASTRAL.sub(lambda c: chr(0xD7C0 + (ord(c[0]) >> 10)) + chr(0xDC00 + (ord(c[0]) & 0x3FF)), text)


def _join_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
