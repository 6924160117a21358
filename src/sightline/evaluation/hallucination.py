"""Things that a caption names and that nobody knows of (the idea of CHAIR, Rohrbach et al. 2018).

The words are the nouns of a split (`sightline.data.nouns`). One is hallucinated if it stands, plural or singular, in no
caption that people wrote of the photo; boxes are known by the captions' own words. CHAIR's lists of synonyms are the
captions themselves here: a "man" whom one of five people calls a man is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.caption import Caption
from sightline.data.dataset import Example
from sightline.data.nouns import singular
from sightline.evaluation.pointing import share
from sightline.metrics.registry import Score
from sightline.vocabulary import split_words


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
        known = {singular(word) for written in examples[photo].captions for word in split_words(written)}
        said = filter(nouns.__contains__, map(singular, caption.words))
        found += [Mention(photo, noun, noun in known) for noun in said]
    return tuple(found)


def hallucination_scores(found: Sequence[Mention], photos: Sequence[str]) -> tuple[Score, ...]:
    """The share of nouns that nobody knows of, and the share of captions with such a noun."""
    place = {photo: index for index, photo in enumerate(photos)}
    owners = np.array([place[mention.photo] for mention in found], np.int64)
    unknown = [float(not mention.known) for mention in found]
    per_caption = np.zeros(len(photos))
    np.maximum.at(per_caption, owners, unknown)
    return (
        share("hallucinated nouns", unknown, owners, len(photos), "no noun of a known thing was said"),
        Score.mean("captions with one", per_caption),
    )
