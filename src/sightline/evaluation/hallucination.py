"""Object hallucination: nouns of a caption that are in none of the photo's references (CHAIR, Rohrbach et al. 2018).

The words are the nouns of a split (`sightline.data.regions.nouns`). A noun is hallucinated if no reference of the photo
contains it, plural or singular. Instead of CHAIR's lists of synonyms, the references themselves decide: a "man" is
there if one of five people writes "man". People also name things that no other reference has: as a baseline, each
reference is compared with the photo's others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.caption import Caption
from sightline.data.example import Example
from sightline.data.regions.nouns import singular, words_of
from sightline.evaluation.pointing import share
from sightline.metrics.registry import Score
from sightline.vocabulary import split_words

_NOTHING = "no noun of the split's things in any caption"


@dataclass(frozen=True)
class Mention:
    """A noun, in the singular, of a caption of ``photo``; ``known``: another caption of the photo has it."""

    photo: str
    noun: str
    known: bool


def mentions(
    captions: Mapping[str, Caption], examples: Mapping[str, Example], nouns: frozenset[str]
) -> tuple[Mention, ...]:
    """Every noun of every generated caption, known if a reference has it."""
    all_mentions = []
    for photo, caption in captions.items():
        known = words_of(examples[photo])
        named = filter(nouns.__contains__, map(singular, caption.words))
        all_mentions += [Mention(photo, noun, noun in known) for noun in named]
    return tuple(all_mentions)


def mentions_of_people(examples: Mapping[str, Example], nouns: frozenset[str]) -> tuple[Mention, ...]:
    """Every noun of every reference, known if another reference of the photo has it.

    Photos with one reference are left out.
    """
    all_mentions = []
    for photo, example in examples.items():
        references = [_words(caption) for caption in example.captions]
        for index, words in enumerate(references if len(references) > 1 else []):
            known = set().union(*references[:index], *references[index + 1 :])
            all_mentions += [Mention(photo, noun, noun in known) for noun in filter(nouns.__contains__, words)]
    return tuple(all_mentions)


def hallucination_scores(
    model: Sequence[Mention], people: Sequence[Mention], photos: Sequence[str]
) -> tuple[Score, ...]:
    """The share of hallucinated nouns, the same of people's captions, and the share of captions with such a noun."""
    indices = {photo: index for index, photo in enumerate(photos)}
    unknown, owners = _unknown(model, indices)
    per_caption = np.zeros(len(photos))
    np.maximum.at(per_caption, owners, unknown)
    return (
        share("hallucinated nouns", unknown, owners, len(photos), _NOTHING),
        share("people's hallucinated nouns", *_unknown(people, indices), len(photos), _NOTHING),
        Score.mean("captions with a hallucinated noun", per_caption),
    )


def _unknown(mentions: Sequence[Mention], indices: Mapping[str, int]) -> tuple[list[float], NDArray[np.int64]]:
    """For each noun whether it is hallucinated, 1 or 0, and its photo's index."""
    owners = [indices[mention.photo] for mention in mentions]
    return [float(not mention.known) for mention in mentions], np.array(owners, np.int64)


def _words(caption: str) -> list[str]:
    return [singular(word) for word in split_words(caption)]
