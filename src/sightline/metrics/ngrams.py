"""Counts of n-grams as sorted integer arrays, the fast core of BLEU and CIDEr."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Caption = str | Sequence[Hashable]

_HALF = 32  # two ids share one int64: the first in its upper half


class Counts(NamedTuple):
    """Counts, >= 1, of one order's n-grams in captions: int64 ``(M,)`` each, by index of caption, then n-gram id."""

    caption: Ints
    ngram: Ints
    times: Ints


class ReferenceNgrams:
    """The n-grams of the references of P photos, R captions in all, numbered and counted by photo.

    Attributes:
        order: the longest n-gram counted.
        first: int64 ``(P + 1,)``, where each photo's references begin among all R.
        lengths: int64 ``(R,)``, words in each reference.
        sizes: for each order, how many different n-grams there are; their ids are below that.
        keys: for each order, int64 ``(M,)`` ascending: photo and n-gram of a row in one number, see `key`.
        rows: for each order, the `Counts` in the order of ``keys``; ``caption`` is the index among all R references.
    """

    def __init__(self, references: Sequence[Sequence[Caption]], order: int = 4) -> None:
        """Count the n-grams of ``references``: for each photo its captions, strings of words or sequences of ids."""
        self.order = order
        self.first = np.concatenate([[0], np.cumsum([len(captions) for captions in references])]).astype(np.int64)
        self._tables: list[Ints] = []
        captions = [_words(caption) for photo in references for caption in photo]
        words = dict.fromkeys(chain.from_iterable(captions))
        self._words = dict(zip(words, range(len(words)), strict=True))
        self.lengths, counts = self._count(captions, learn=True)
        self.sizes = [len(table) for table in self._tables]
        photo_of = np.repeat(np.arange(len(references)), np.diff(self.first))
        self.keys, self.rows = [], []
        for rows in counts:
            keys = key(photo_of[rows.caption], rows.ngram)
            sort = np.argsort(keys, kind="stable")
            self.keys.append(keys[sort])
            self.rows.append(Counts(*(column[sort] for column in rows)))

    def count(self, captions: Sequence[Caption]) -> tuple[Ints, list[Counts]]:
        """Lengths in words, int64 ``(N,)``, and for each order the counts of any N captions.

        N-grams that are in no reference have ids from ``sizes`` on, the same one throughout ``captions``.
        """
        return self._count([_words(caption) for caption in captions], learn=False)

    def pairs(self, photos: Ints) -> tuple[Ints, Ints, Ints]:
        """N captions of ``photos``, int64 ``(N,)``, each with every reference of its photo, one pair after the other.

        Returns where each caption's pairs begin, int64 ``(N,)``, and each pair's caption and reference, among all N
        and R. ``IndexError`` if a photo is not in 0..P-1.
        """
        if len(photos) and not 0 <= photos.min() <= photos.max() < len(self.first) - 1:
            raise IndexError(f"photos must be in 0..{len(self.first) - 2}")
        first = self.first[photos]
        references = self.first[photos + 1] - first
        begins = np.cumsum(references) - references
        caption = np.repeat(np.arange(len(photos)), references)
        return begins, caption, np.arange(len(caption)) + np.repeat(first - begins, references)

    @cached_property
    def most_in_one_reference(self) -> list[tuple[Ints, Ints]]:
        """For each order, the photo-and-n-gram `key` of all that are there, ascending, and the highest count in one."""
        starts = [firsts(keys) for keys in self.keys]
        return [
            (keys[start], np.maximum.reduceat(rows.times, start) if len(start) else rows.times)
            for keys, rows, start in zip(self.keys, self.rows, starts, strict=True)
        ]

    def _count(self, captions: list[Sequence[Hashable]], learn: bool) -> tuple[Ints, list[Counts]]:
        lengths = np.fromiter(map(len, captions), np.int64, len(captions))
        words = self._ids(list(chain.from_iterable(captions)))
        caption_of = np.repeat(np.arange(len(captions)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words from here to the caption's end
        prefix = np.zeros(len(words), np.int64)  # id of the n-gram that starts at each word, one order shorter
        counts = []
        for n in range(1, self.order + 1):
            starts = np.flatnonzero(left >= n)
            ngrams = key(prefix[starts], words[starts + n - 1])
            if learn:
                table, ids = np.unique(ngrams, return_inverse=True)
                self._tables.append(table)
            else:
                ids = _number(ngrams, self._tables[n - 1])
            prefix[starts] = ids
            rows, times = np.unique(key(caption_of[starts], ids), return_counts=True)
            counts.append(Counts(rows >> _HALF, rows & ((1 << _HALF) - 1), times.astype(np.int64)))
        return lengths, counts

    def _ids(self, words: list[Hashable]) -> Ints:
        """The words' ids; words of no reference are numbered on from the last, for this call only."""
        ids = list(map(self._words.get, words))
        if None in ids:
            size, new = len(self._words), {}  # type: int, dict[Hashable, int]
            ids = [new.setdefault(w, size + len(new)) if i is None else i for i, w in zip(ids, words, strict=True)]
        return np.array(ids, np.int64)


def key(first: Ints, second: Ints) -> Ints:
    """Two ids below 2**31 as one number that sorts by the first, then the second."""
    return (first << _HALF) | second


def firsts(ascending: Ints) -> Ints:
    """The indices at which each value of an ascending array begins."""
    return np.flatnonzero(np.diff(ascending, prepend=-1))


def _words(caption: Caption) -> Sequence[Hashable]:
    return caption.split() if isinstance(caption, str) else caption


def _number(values: Ints, table: Ints) -> Ints:
    """Each value's index in the sorted table; values that are not in it are numbered on from its end."""
    indices = np.searchsorted(table, values)
    known = np.zeros(len(values), bool) if not len(table) else table[np.minimum(indices, len(table) - 1)] == values
    if not known.all():
        indices[~known] = len(table) + np.unique(values[~known], return_inverse=True)[1]
    return indices.astype(np.int64)
