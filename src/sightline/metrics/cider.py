"""CIDEr-D (Vedantam et al. 2015), as a score and as the reward of self-critical training (Rennie et al. 2017).

The paper's CIDEr (its equation 2) compares tf-idf vectors by their cosine. CIDEr-D (equation 3) guards against gaming:
a word counts at most as often as in the reference, and a Gaussian of the difference in length is a factor. **What the
field reports as "CIDEr" is CIDEr-D**, as pycocoevalcap 1.2 computes it under the name ``Cider``. So the rows ``CIDEr``
and ``CIDEr-D`` of a report are equal, and both are given because papers ask for either name. They differ only where
document frequencies come from elsewhere, as in training: from the references of the training photos, see `CiderD`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.metrics.ngrams import Caption, Counts, Ints, ReferenceNgrams, firsts, key
from sightline.metrics.registry import Corpus, Score, register

Floats = NDArray[np.float64]
ORDER = 4
FEW = 100  # photos, below which document frequencies, and so the score, depend much on their number
SIGMA = 6.0  # of the Gaussian over the difference in length, in words


@register("cider", "CIDEr", "CIDEr-D")
def compute(corpus: Corpus) -> tuple[Score, ...]:
    """CIDEr and CIDEr-D, in [0, 10], the same number here (see the module): the mean over photos.

    >>> cider, _ = compute(Corpus(["a dog", "two boys"], [["a dog"], ["two boys"]]))
    >>> cider.name, float(round(cider.value, 2)), cider.per_photo.shape
    ('CIDEr', 5.0, (2,))
    """
    photos = len(corpus.hypotheses)
    per_photo = CiderD(corpus.reference_ngrams).score(corpus.hypotheses, np.arange(photos))
    note = ""
    if photos == 1:  # log(P / df) of every n-gram is log(1 / 1)
        note = "0 for a single photo, whatever the caption: words are weighted by how few of the photos have them"
    elif photos < FEW:
        note = f"of {photos} photos only: words are weighted by how few of them have them, so more give another number"
    return Score.mean("CIDEr", per_photo, note), Score.mean("CIDEr-D", per_photo, note)


class CiderD:
    """CIDEr-D against the references of a fixed set of P photos, for any batch of captions of these photos.

    Document frequencies and the references' vectors are computed once, here.

    >>> cider = CiderD([["a dog runs", "the dog runs"], ["two boys play"]])
    >>> cider.score(["two boys play", "a dog"], photos=[1, 0]).round(2).tolist()
    [7.5, 2.38]
    """

    def __init__(self, references: Sequence[Sequence[Caption]] | ReferenceNgrams) -> None:
        """``references``: for each of the P photos its captions, at least one.

        A caption is a string of words separated by spaces (tokenize it first) or a sequence of token ids; hypotheses
        must then be the same. Whether the end token is a word is the caller's choice, but the same for both.

        ``TypeError`` if a photo's captions are one string, which would be taken for captions of a letter each.
        """
        if not isinstance(references, ReferenceNgrams) and any(isinstance(photo, str) for photo in references):
            raise TypeError("references: for each photo a list of captions, not one string")
        self._ngrams = references if isinstance(references, ReferenceNgrams) else ReferenceNgrams(references, ORDER)
        self._idf = [self._inverse_document_frequencies(keys, n) for n, keys in enumerate(self._ngrams.keys)]
        self._weights = [rows.times * idf[rows.ngram] for rows, idf in zip(self._ngrams.rows, self._idf, strict=True)]
        weighted = zip(self._ngrams.rows, self._weights, strict=True)
        self._norms = [_norms(rows, weights, len(self._ngrams.lengths)) for rows, weights in weighted]

    def __len__(self) -> int:
        """P, the number of photos."""
        return len(self._ngrams.first) - 1

    def score(self, hypotheses: Sequence[Caption], photos: Sequence[int] | Ints) -> Floats:
        """CIDEr-D of N captions, float64 ``(N,)`` in [0, 10]; ``photos`` says which of the P photos each describes.

        A photo may come several times: pass the sampled and the greedy captions of a batch in one call.
        Vedantam et al. 2015, equation 3; ``IndexError`` if a photo is not in 0..P-1.
        """
        photos = np.asarray(photos, np.int64)
        if len(photos) != len(hypotheses):
            raise ValueError(f"{len(hypotheses)} hypotheses, but {len(photos)} photos")
        begins, caption, reference = self._ngrams.pairs(photos)
        lengths, counts = self._ngrams.count(hypotheses)
        shift = begins - self._ngrams.first[photos]
        similarity = np.zeros(len(caption))
        for n, rows in enumerate(counts):
            similarity += self._similarity(n, rows, photos, caption, reference, shift)
        # The reference implementations take a caption's bigrams for its length.
        difference = np.maximum(lengths[caption] - 1, 0) - np.maximum(self._ngrams.lengths[reference] - 1, 0)
        similarity *= np.exp(-(difference**2) / (2 * SIGMA**2))
        return 10 * np.bincount(caption, similarity, len(photos)) / ORDER / np.bincount(caption, minlength=len(photos))

    def _inverse_document_frequencies(self, keys: Ints, n: int) -> Floats:
        """log(P / df) of each n-gram, df the photos with it in a reference; last, for all others, that of df = 1."""
        photos_with = np.bincount(keys[firsts(keys)] & 0xFFFFFFFF, minlength=self._ngrams.sizes[n] + 1)
        return np.asarray(np.log(float(len(self))) - np.log(np.maximum(photos_with, 1.0)))

    def _similarity(self, n: int, rows: Counts, photos: Ints, caption: Ints, reference: Ints, shift: Ints) -> Floats:
        """The clipped cosines of pairs, for n-grams of one order; ``shift`` + a reference's index is its pair's."""
        weights = rows.times * self._idf[n][np.minimum(rows.ngram, self._ngrams.sizes[n])]
        keys = key(photos[rows.caption], rows.ngram)
        low = np.searchsorted(self._ngrams.keys[n], keys, "left")
        shared = np.searchsorted(self._ngrams.keys[n], keys, "right") - low
        theirs = np.arange(shared.sum()) + np.repeat(low - (np.cumsum(shared) - shared), shared)
        mine = np.repeat(np.arange(len(keys)), shared)
        their_weights = self._weights[n][theirs]
        products = np.minimum(weights[mine], their_weights) * their_weights
        pairs = self._ngrams.rows[n].caption[theirs] + shift[rows.caption[mine]]
        dot = np.bincount(pairs, products, len(caption))
        norms = _norms(rows, weights, len(photos))[caption] * self._norms[n][reference]
        return np.divide(dot, norms, out=np.zeros(len(caption)), where=norms > 0)


def _norms(rows: Counts, weights: Floats, captions: int) -> Floats:
    return np.sqrt(np.bincount(rows.caption, weights**2, captions))
