"""The result of captioning one photo, which everything downstream reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.vocabulary import Vocabulary, join_words


@dataclass(frozen=True, eq=False)
class Caption:
    """A sentence about a photo and, for every word, where the model looked.

    Attributes:
        text: the sentence as a person reads it, e.g. ``"a dog runs through the grass"``.
        words: its T words, without ``<start>`` and ``<end>``.
        log_probs: float32 ``(T,)``, natural logarithm of each word's probability given the words before it, <= 0.
        attention: float32 ``(T, h, w)``, each word's weights over the encoder's grid, row-major, >= 0;
            every word's weights sum to one.
        score: what the search ranks by: ``sum(log p) / length ** length_penalty``, where the sum and the length
            count ``<end>`` if the sentence reached it.
        alternatives: the search's other sentences, best first; theirs are empty.
        evidence: None where it was not asked for; otherwise float32 ``(T, h, w)``, what each word rests on: the
            log-odds, in nats, that it loses where attention may not look at a cell; below zero, the cell spoke
            against the word. See `sightline.nn.evidence`.
    """

    text: str
    words: tuple[str, ...]
    log_probs: NDArray[np.float32]
    attention: NDArray[np.float32]
    score: float
    alternatives: tuple[Caption, ...] = ()
    evidence: NDArray[np.float32] | None = None

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, object]:
        """The caption as plain lists, strings and numbers, ready for JSON; evidence only where it was asked for."""
        evidence = {} if self.evidence is None else {"evidence": np.round(self.evidence.astype(float), 6).tolist()}
        return {
            "caption": self.text,
            "words": list(self.words),
            "log_probs": [round(float(value), 6) for value in self.log_probs],
            "score": round(self.score, 6),
            "attention": np.round(self.attention.astype(float), 6).tolist(),
            **evidence,
            "alternatives": [{"caption": other.text, "score": round(other.score, 6)} for other in self.alternatives],
        }


def read_captions(
    vocabulary: Vocabulary,
    grid: tuple[int, int],
    tokens: NDArray[np.int64],
    log_probs: NDArray[np.float32],
    attention: NDArray[np.float32],
    scores: NDArray[np.float32],
    evidence: NDArray[np.float32] | None = None,
) -> list[Caption]:
    """What a search found, as one `Caption` a photo.

    ``tokens`` and ``log_probs`` (P, K, T), ``attention`` (P, K, T, L), ``scores`` (P, K), best beam first; a beam with
    a word whose ``log_probs`` is near -1e9 holds no sentence and is dropped. ``evidence`` (P, T, L), the best beam's,
    or None.
    """
    captions = []
    whole = (log_probs > -1e8).all(2)
    for number, photo in enumerate(zip(tokens, log_probs, attention, scores, strict=True)):
        best, *others = (
            _sentence(vocabulary, grid, *(values[beam] for values in photo)) for beam in np.flatnonzero(whole[number])
        )
        length = len(best.words)
        of_best = None if evidence is None else evidence[number, :length].reshape(length, *grid)
        captions.append(replace(best, alternatives=tuple(others), evidence=of_best))
    return captions


def _sentence(
    vocabulary: Vocabulary,
    grid: tuple[int, int],
    tokens: NDArray[np.int64],
    log_probs: NDArray[np.float32],
    attention: NDArray[np.float32],
    score: np.float32,
) -> Caption:
    words = vocabulary.decode(tokens.tolist())
    length = len(words)
    return Caption(
        join_words(words), words, log_probs[:length], attention[:length].reshape(length, *grid), float(score)
    )
