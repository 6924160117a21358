"""How captions become words before they are scored. It is part of the protocol: other words give other scores.

`tokenize` is the field's own tokenizer: Stanford CoreNLP 3.4.1's ``PTBTokenizer`` with ``-preserveLines -lowerCase``,
then pycocoevalcap's list of punctuation removed. Its documentation is at
https://nlp.stanford.edu/software/tokenizer.html; tests compare with its output. The rules are in `ptb_rules`.

`tokenize` takes one caption, `tokenize_corpus` all that are scored together, as the reference does. Three differences
remain:

- There are no rules for what captions of photos do not contain: rare emoticons, comments and signs in markup, entities
  that name letters, file names that begin with a digit, and addresses that begin with a sign, are in angle brackets or
  contain a no-break space.
- A carriage return inside a caption is a space; in the reference it shifts all following captions.
- Java and Python disagree on the lower case of a capital sigma before a sign inside a Greek word (``"ΑΣ-Β"``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import NamedTuple

from sightline.errors import SightlineError
from sightline.metrics.ptb_rules import PLAIN_RUN, RULES, SHAPES, TAKEN_APART, compiled, nothing, plain_words
from sightline.scripts import characters, is_latin, words_are_separate
from sightline.vocabulary import split_words

# pycocoevalcap's list. Brackets pass it, because words are lower-cased before they are compared with it.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)

# Characters of the next lines that rules look at: a word that begins a sentence, and the blanks around it.
_LOOKAHEAD = 32
_SAMPLE = 1000  # captions that `fitting` looks at
_LINE_END = re.compile("[\n\r\x0b\x0c\u2028\u2029]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def tokenize(caption: str) -> str:
    """The caption's words, lower case and without punctuation, one space between them; "" if there are none.

    >>> tokenize("A man's dog, isn't it?")
    "a man 's dog is n't it"
    """
    return _ptb(_LINE_END.sub(" ", caption), "\n")


def tokenize_corpus(captions: Iterable[str]) -> list[str]:
    """`tokenize` for captions that are scored together, equal to the reference at the captions' ends too.

    The reference reads a corpus as one text, a caption a line, with no line end after the last. So a caption that ends
    in an initial changes with the first word of the next one, and an emoticon at the very end is two signs.

    >>> tokenize_corpus(["Two boys play.", "A red car"])
    ['two boys play', 'a red car']
    """
    lines = [_LINE_END.sub(" ", caption) for caption in captions]
    text = "\n".join(lines)
    ends = accumulate(len(line) + 1 for line in lines)
    return [_ptb(line, text[end - 1 : end + _LOOKAHEAD]) for line, end in zip(lines, ends, strict=True)]


def _ptb(line: str, after: str) -> str:
    """The words of a ``line`` followed by ``after``: a line end and the next lines, or nothing."""
    if line.isascii() and after.isascii():
        text = line + after
        words = " ".join(_scan(text, text, len(line)))
    else:
        # The reference counts in UTF-16 units, and some rules ask for two characters.
        units, more = _split_surrogates(line), _split_surrogates(after)
        words = " ".join(_scan(units + more, (units + more).translate(SHAPES), len(units)))
        words = words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join([word for word in words.lower().rstrip().split(" ") if word and word not in PUNCTUATION])


def _scan(text: str, shape: str, end_of_line: int) -> list[str]:
    """The tokens of ``text`` up to ``end_of_line``, some empty; rules match its ``shape``, which is as long."""
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
    """Where the token at ``at`` ends, and how it is written; a character that no rule matches vanishes."""
    end, reach = at + 1, at
    write: Callable[[str], str] = nothing
    for pattern, candidate in _rules_for(shape[at]):
        match = pattern.match(shape, at)
        if match and match.end() > reach:
            end, reach, write = match.end(1), match.end(), candidate
    return end, write


@cache
def _rules_for(start: str) -> tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]:
    return tuple((compiled(rule), rule.write) for rule in RULES if re.match(f"[{rule.starts}]", start))


def _split_surrogates(text: str) -> str:
    """Characters beyond the Basic Multilingual Plane as their two UTF-16 surrogates."""
    return _ASTRAL.sub(lambda c: chr(0xD7C0 + (ord(c[0]) >> 10)) + chr(0xDC00 + (ord(c[0]) & 0x3FF)), text)


class Tokenizer(NamedTuple):
    """A way to split captions that are scored together into words, one space between them, and its name in reports."""

    description: str
    apply: Callable[[Iterable[str]], list[str]]


def _each(split: Callable[[str], Iterable[str]]) -> Callable[[Iterable[str]], list[str]]:
    return lambda captions: [" ".join(split(caption)) for caption in captions]


def _characters(caption: str) -> Iterable[str]:
    return chain.from_iterable(map(characters, split_words(caption)))


TOKENIZERS = {
    "ptb": Tokenizer("PTB, as pycocoevalcap", tokenize_corpus),
    "words": Tokenizer("Unicode's words, lower case, no punctuation", _each(split_words)),
    "characters": Tokenizer("characters, lower case, no punctuation", _each(_characters)),
    "none": Tokenizer("none: words as blanks part them", _each(str.split)),
}


def tokenizer_of(name: str) -> Tokenizer:
    """The tokenizer of this name; raises `SightlineError` where there is none.

    >>> tokenizer_of("words").apply(["A man's dog, isn't it?"])
    ["a man 's dog isn't it"]
    >>> tokenizer_of("characters").apply(["一只狗。"])
    ['一 只 狗']
    """
    if name not in TOKENIZERS:
        raise SightlineError(f"no tokenizer is named {name!r}; choose from {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]


def fitting(captions: Sequence[str]) -> str:
    """The name of the tokenizer that fits captions: ptb, made for English, if most letters are Latin.

    Scripts that separate words by spaces get "words", others "characters". About a thousand captions are sampled.
    """
    captions = captions[:: 1 + len(captions) // _SAMPLE]
    if is_latin(captions):
        return "ptb"
    return "words" if words_are_separate(captions) else "characters"


def misfit(tokenizer: str, captions: Sequence[str]) -> str:
    """A warning, one line, if the tokenizer does not suit the script of the captions; empty if it does."""
    fits = fitting(captions)
    if tokenizer in ("ptb", "words") and fits == "characters":
        return f"the {tokenizer} tokenizer cannot split captions without spaces between words; use --tokenizer {fits}"
    if tokenizer == "ptb" and fits != "ptb":
        return f"the ptb tokenizer is made for English, and most of these captions are not; use --tokenizer {fits}"
    return ""
