"""Nouns by regions: which words of a split name things with boxes, and the boxes of a photo by noun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sightline.data.example import Example
from sightline.vocabulary import split_words

_IRREGULAR = {
    **{"men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth"},
    **{"geese": "goose", "mice": "mouse", "leaves": "leaf", "knives": "knife", "wolves": "wolf", "calves": "calf"},
    **{"scarves": "scarf", "shelves": "shelf", "buses": "bus", "skis": "ski"},
}


def singular(word: str) -> str:
    """The singular of a word, good enough for comparing: "glasses" and "glass" become one."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("children", "women")) or (word.endswith("men") and len(word) > 5):  # firemen, grandchildren
        return f"{word[:-3]}" if word.endswith("ren") else f"{word[:-3]}man"
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "zzes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def words_of(example: Example) -> set[str]:
    """The words of all captions of a photo, in the singular."""
    return {singular(word) for caption in example.captions for word in split_words(caption)}


def nouns_of(examples: Iterable[Example]) -> frozenset[str]:
    """The words that name things with boxes, in the singular.

    A noun is a word that ends at least two phrases, and no fewer phrases than it occurs elsewhere in ("the red shirt"
    names a shirt, though someone may be "in red").
    """
    ends, elsewhere = Counter[str](), Counter[str]()
    for example in examples:
        for caption, regions in zip(example.captions, example.regions, strict=False):
            words = split_words(caption)
            for region in regions:
                *before, last = words[region.start : region.stop]
                ends[singular(last)] += 1
                elsewhere.update(map(singular, before))
    return frozenset(word for word, count in ends.items() if count >= max(2, elsewhere[word]))


def boxes_by_noun(example: Example) -> dict[str, NDArray[np.float32]]:
    """Singular word -> the boxes (B, 4) of all phrases about the photo that end with it.

    A word that ends no phrase has the boxes of the phrases that contain it.
    """
    ending: dict[str, set[tuple[float, ...]]] = {}
    holding: dict[str, set[tuple[float, ...]]] = {}
    for caption, regions in zip(example.captions, example.regions, strict=False):
        words = split_words(caption)
        for region in regions:
            *before, last = map(singular, words[region.start : region.stop])
            ending.setdefault(last, set()).update(region.boxes)
            for word in before:
                holding.setdefault(word, set()).update(region.boxes)
    return {word: np.array(sorted(boxes), np.float32) for word, boxes in {**holding, **ending}.items()}
