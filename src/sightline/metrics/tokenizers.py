"""How captions become words before they are scored: a part of the protocol, as other words give other scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from sightline.errors import SightlineError
from sightline.metrics.tokenizer import tokenize_corpus
from sightline.scripts import are_parted, characters, is_latin
from sightline.vocabulary import split_words

_LOOKED_AT = 1000


class Tokenizer(NamedTuple):
    """A way to make words of captions.

    Attributes:
        told: what reports call it.
        apply: captions that are scored together -> each one's words, one blank between them.
    """

    told: str
    apply: Callable[[Iterable[str]], list[str]]


def _words(captions: Iterable[str]) -> list[str]:
    return [" ".join(split_words(caption)) for caption in captions]


def _characters(captions: Iterable[str]) -> list[str]:
    return [" ".join(chain.from_iterable(map(characters, split_words(caption)))) for caption in captions]


def _as_they_are(captions: Iterable[str]) -> list[str]:
    return [" ".join(caption.split()) for caption in captions]


TOKENIZERS = {
    "ptb": Tokenizer("PTB, as pycocoevalcap", tokenize_corpus),
    "words": Tokenizer("Unicode's words, lower case, no punctuation", _words),
    "characters": Tokenizer("characters, lower case, no punctuation", _characters),
    "none": Tokenizer("none: words as blanks part them", _as_they_are),
}


def tokenizer_of(name: str) -> Tokenizer:
    """The tokenizer of a name; raises `SightlineError` where there is none."""
    if name not in TOKENIZERS:
        raise SightlineError(f"no tokenizer is named {name!r}; choose from {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]


def fitting(captions: Sequence[str]) -> str:
    """The tokenizer for captions as people write them: ptb, made for English, where they are mostly of Latin letters.

    Of many captions a thousand or so are looked at.
    """
    captions = captions[:: 1 + len(captions) // _LOOKED_AT]
    if is_latin(captions):
        return "ptb"
    return "words" if are_parted(captions) else "characters"


def misfit(tokenizer: str, captions: Sequence[str]) -> str:
    """One line on what a tokenizer makes of captions that it was not made for; empty where it does."""
    fits = fitting(captions)
    if tokenizer in ("ptb", "words") and fits == "characters":
        return f"the {tokenizer} tokenizer finds no words in these captions, which do not part them: --tokenizer {fits}"
    if tokenizer == "ptb" and fits != "ptb":
        return f"the ptb tokenizer is made for English, and most of these captions are not: --tokenizer {fits}"
    return ""
