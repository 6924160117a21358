"""Penn Treebank tokenization as the captioning field applies it before every metric.

`tokenize` gives what pycocoevalcap's wrapper gives: Stanford CoreNLP 3.4.1's ``PTBTokenizer`` with ``-preserveLines
-lowerCase``, then its list of punctuation removed. Its documentation is at
https://nlp.stanford.edu/software/tokenizer.html; the rules, in `tokenizer_rules`, are held to its answers by tests.

`tokenize` sees one caption, `tokenize_corpus` many as the reference does that are scored together. Three differences
remain. Two are deliberate:

- What captions of photos do not hold has no rules of its own here: rare emoticons, comments and signs in markup,
  entities that name letters, names of files that begin with a digit, and addresses that open with a sign, stand in
  angle brackets or hold a no-break space.
- A carriage return inside a caption is a space; in the reference it shifts all captions that follow.

The third is the lower case of a capital sigma before a sign inside a Greek word (``"ΑΣ-Β"``), where Java and Python
disagree on whether the word ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache
from itertools import accumulate

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

# What the rules see of the next lines: the longest word that begins a sentence, and the blanks around it.
_LOOKAHEAD = 32
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
    return _words(_LINE_END.sub(" ", caption), "\n")


def tokenize_corpus(captions: Iterable[str]) -> list[str]:
    """`tokenize` for captions that are scored together, equal to the reference's in what it makes of their ends too.

    The reference reads a corpus as one text, a caption a line, with no line end after the last. So a caption that ends
    in an initial changes with the first word of the next one, and an emoticon at the very end is two signs.
    """
    lines = [_LINE_END.sub(" ", caption) for caption in captions]
    text = "\n".join(lines)
    ends = accumulate(len(line) + 1 for line in lines)
    return [_words(line, text[end - 1 : end + _LOOKAHEAD]) for line, end in zip(lines, ends, strict=True)]


def _words(line: str, after: str) -> str:
    """The words of a ``line`` that is followed by ``after``: a line end and perhaps more, or nothing."""
    if line.isascii() and after.isascii():
        text = line + after
        words = " ".join(_scan(text, text, len(line)))
    else:
        # The reference counts in UTF-16 units, and some rules ask for two characters.
        units, more = _split_surrogates(line), _split_surrogates(after)
        words = _join_surrogates(" ".join(_scan(units + more, (units + more).translate(_SHAPES), len(units))))
    return " ".join([word for word in words.lower().rstrip().split(" ") if word and word not in PUNCTUATION])


def _scan(text: str, shape: str, end_of_line: int) -> list[str]:
    """The tokens of ``text`` up to a place, some empty; the rules look at its ``shape``, which is as long."""
    tokens: list[str] = []
    at = 0
    while at < end_of_line:
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
