"""Which words a calibration is about: nouns, whose truth confidence foretells, and keywords."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.captioner import BUNDLED_MODEL
from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of, singular, words_of
from sightline.errors import SightlineError
from sightline.model_folder import CONFIG, ModelConfig
from sightline.vocabulary import split_words

MOST_KEYWORDS, _MOST_OTHERS = 500, 300
_FEWEST_PHOTOS = 20  # a keyword of fewer cannot be learned, nor told apart from chance
_MOST_FIRST = 0.8  # of words before a noun, those that begin the phrase more often are articles and numbers
_LIFT = 3.0  # how much likelier a word must be where somebody else has written it
_SHARE_OF_NOUNS = 0.1  # of the words of captions in English, a third are nouns; in other languages, few look like one


class Words(NamedTuple):
    """``nouns``: words that name things, in the singular, maybe none; ``keywords``; ``others``: nouns that are none."""

    nouns: frozenset[str]
    keywords: tuple[str, ...]
    others: tuple[str, ...]


def choose_words(
    train: Sequence[Example], located: Sequence[Example], known: frozenset[str], say: Callable[[str], None]
) -> Words:
    """The nouns and keywords of ``train``; ``located``: the photos with regions, train and held out, maybe none.

    Nouns are those of the hallucination measure (`nouns_of`). Without regions, they are those ``known`` to the model,
    or else to the model in the package, if they are common in these captions, which then are in English; otherwise
    there are none, and ``say`` is told. Keywords are words that stand in phrases of things at least half of the time,
    nouns and attributes; without regions those of the model in the package, or else words that are three times as
    likely where another of the photo's captions has them.
    """
    counts = Counter(chain.from_iterable(map(words_of, train)))
    nouns = nouns_of(located)
    if nouns:
        worthy = _in_phrases(located)
    else:
        of_package, worth_naming = _of_package(counts)
        nouns, worthy = known or of_package, worth_naming or _agreed_upon(train)
        if not nouns:
            say("no photo has boxes that tell which words name things: captions get no confidence; see --regions")
    common = [word for word, count in counts.most_common() if count >= _FEWEST_PHOTOS]
    keywords = [word for word in common if word in worthy][:MOST_KEYWORDS]
    if not keywords:
        raise SightlineError(
            f"no word is common enough to learn as a keyword, in {_FEWEST_PHOTOS} training photos or more, and agreed"
            " upon by those who describe a photo; add photos or captions"
        )
    others = [word for word in common if word in nouns and word not in keywords][:_MOST_OTHERS]
    return Words(nouns, tuple(keywords), tuple(others))


def presence(examples: Sequence[Example], words: Sequence[str]) -> NDArray[np.bool_]:
    """(N, W): whether any caption of the photo has the word, plural or singular."""
    at = {word: index for index, word in enumerate(words)}
    there = np.zeros((len(examples), len(words)), bool)
    for row, example in enumerate(examples):
        there[row, [at[word] for word in words_of(example) if word in at]] = True
    return there


def _in_phrases(examples: Sequence[Example]) -> set[str]:
    """Words of which at least half stand in phrases with boxes, and that do not as a rule begin them ("a", "two")."""
    everywhere, within, before, first = (Counter[str]() for _ in range(4))
    for example in examples:
        for caption, regions in zip(example.captions, example.regions, strict=False):
            words = [singular(word) for word in split_words(caption)]
            everywhere.update(words)
            for region in regions:
                phrase = words[region.start : region.stop]
                within.update(phrase)
                before.update(phrase[:-1])
                first.update(phrase[:1] if len(phrase) > 1 else [])
    return {
        word
        for word, count in within.items()
        if 2 * count >= everywhere[word] and len(word) > 2 and not first[word] >= _MOST_FIRST * max(1, before[word])
    }


def _agreed_upon(examples: Sequence[Example]) -> set[str]:
    """Words that are `_LIFT` times as likely in a caption where another caption of the photo has them."""
    said, captions = Counter[str](), 0
    again: dict[str, float] = defaultdict(float)
    for example in examples:
        number = len(example.captions)
        captions += number
        times = Counter(chain.from_iterable({singular(w) for w in split_words(c)} for c in example.captions))
        for word, count in times.items():
            said[word] += count
            again[word] += count * (count - 1) / (number - 1) if number > 1 else 0
    return {word for word, count in said.items() if again[word] * captions >= _LIFT * count * count}


def _of_package(counts: Counter[str]) -> tuple[frozenset[str], set[str]]:
    """Nouns and keywords of the model in the package; none where it has none, or these captions hardly have them."""
    if not (BUNDLED_MODEL / CONFIG).is_file():
        return frozenset(), set()
    heads = ModelConfig.load(BUNDLED_MODEL / CONFIG).heads
    nouns = frozenset(map(singular, heads.get("nouns", ())))
    share = sum(count for word, count in counts.items() if word in nouns) / max(1, counts.total())
    return (nouns, set(heads["keywords"])) if share >= _SHARE_OF_NOUNS else (frozenset(), set())
