"""Things that a caption names and that nobody knows of (the idea of CHAIR, Rohrbach et al. 2018).

The words are the nouns of a split (`sightline.data.regions.nouns`). A noun is hallucinated if it stands, plural or
singular, in no caption that people wrote of the photo. Instead of CHAIR's lists of synonyms, the captions themselves
are taken here: a "man" whom one of five people calls a man is there. People themselves name things that no
other of them does; how often stands beside a model's share, each of their captions against the photo's others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption
from sightline.data.example import Example
from sightline.data.regions.nouns import singular
from sightline.evaluation.pointing import share
from sightline.metrics.registry import Score
from sightline.vocabulary import split_words

_NOTHING = "no noun of a known thing was said"


@dataclass(frozen=True)
class Mention:
    """A noun, in the singular, that the caption of ``photo`` says; ``known``: somebody else knows of it."""

    photo: str
    noun: str
    known: bool


def mentions(
    captions: Mapping[str, Caption], examples: Mapping[str, Example], nouns: frozenset[str]
) -> tuple[Mention, ...]:
    """Every noun of every caption."""
    found = []
    for photo, caption in captions.items():
        known = set().union(*map(_words, examples[photo].captions))
        said = filter(nouns.__contains__, map(singular, caption.words))
        found += [Mention(photo, noun, noun in known) for noun in said]
    return tuple(found)


def mentions_of_people(examples: Mapping[str, Example], nouns: frozenset[str]) -> tuple[Mention, ...]:
    """Every noun of every caption that people wrote, known where another caption of the photo has it.

    Photos with one caption are left out.
    """
    found = []
    for photo, example in examples.items():
        written = [_words(caption) for caption in example.captions]
        for index, words in enumerate(written if len(written) > 1 else []):
            known = set().union(*written[:index], *written[index + 1 :])
            found += [Mention(photo, noun, noun in known) for noun in filter(nouns.__contains__, words)]
    return tuple(found)


def hallucination_scores(
    found: Sequence[Mention], people: Sequence[Mention], photos: Sequence[str]
) -> tuple[Score, ...]:
    """The share of nouns that nobody knows of, that share of people's own, and that of captions with such a noun."""
    place = {photo: index for index, photo in enumerate(photos)}
    unknown, owners = _unknown(found, place)
    per_caption = np.zeros(len(photos))
    np.maximum.at(per_caption, owners, unknown)
    return (
        share("hallucinated nouns", unknown, owners, len(photos), _NOTHING),
        share("people's hallucinated nouns", *_unknown(people, place), len(photos), _NOTHING),
        Score.mean("captions with one", per_caption),
    )


def _unknown(said: Sequence[Mention], place: Mapping[str, int]) -> tuple[list[float], NDArray[np.int64]]:
    """Of each noun whether nobody knows of it, 1 or 0, and its photo's index."""
    owners = np.array([place[mention.photo] for mention in said], np.int64)
    return [float(not mention.known) for mention in said], owners


def _words(caption: str) -> list[str]:
    return [singular(word) for word in split_words(caption)]
