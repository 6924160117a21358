"""The result of captioning one photo, which everything downstream reads."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.vocabulary import Reading, Vocabulary

if TYPE_CHECKING:
    from PIL import Image

    from sightline.preprocess import Photo


@dataclass(frozen=True, eq=False)
class Caption:
    """A sentence about a photo and, for every word, where the model looked.

    Attributes:
        text: the sentence as a person reads it, e.g. ``"a dog runs through the grass"``.
        words: its T words as they are printed, without ``<start>`` and ``<end>``; of a script without blanks, the
            model's own units.
        log_probs: float32 ``(T,)``, natural logarithm of each word's probability given the words before it, <= 0.
        attention: float32 ``(T, h, w)``, each word's weights over the encoder's grid, row-major, >= 0;
            every word's weights sum to one. Of a word that is written in several units, their mean.
        score: what the search ranks by: ``sum(log p) / length ** length_penalty``, where the sum and the length
            count units, and ``<end>`` if the sentence reached it.
        alternatives: the search's other sentences, best first; theirs are empty.
        evidence: None where it was not asked for; otherwise float32 ``(T, h, w)``, what each word rests on: the
            log-odds, in nats, that it loses where attention may not look at a cell; below zero, the cell spoke
            against the word. See `sightline.nn.evidence`. Of a word that is written in several units, their sum.
        note: what to know before trusting it, e.g. that the photo is blank; empty for nearly every photo.
        photo: what was captioned, as it was given: a path or place, or the very bytes, image or array, never a copy;
            `about` sets it or lets it go. Pickled and copied captions keep a path or place alone.
    """

    text: str
    words: tuple[str, ...]
    log_probs: NDArray[np.float32]
    attention: NDArray[np.float32]
    score: float
    alternatives: tuple[Caption, ...] = ()
    evidence: NDArray[np.float32] | None = None
    note: str = ""
    photo: Photo | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    def __getstate__(self) -> dict[str, object]:
        # Captions travel between processes by the thousand; megapixels are not to travel with them.
        place = self.photo if isinstance(self.photo, str | os.PathLike | ImageSource) else None
        return {**self.__dict__, "photo": place}

    def with_photo(self, photo: Photo | None) -> Caption:
        """The same caption and alternatives with another ``photo`` to show, or, with None, without any."""
        others = tuple(replace(other, photo=photo) for other in self.alternatives)
        return replace(self, photo=photo, alternatives=others)

    def as_dict(self) -> dict[str, object]:
        """The caption as plain lists, strings and numbers, ready for JSON; evidence and note only where there are."""
        evidence = {} if self.evidence is None else {"evidence": np.round(self.evidence.astype(float), 6).tolist()}
        return {
            "caption": self.text,
            "words": list(self.words),
            "log_probs": [round(float(value), 6) for value in self.log_probs],
            "score": round(self.score, 6),
            "attention": np.round(self.attention.astype(float), 6).tolist(),
            **evidence,
            **({"note": self.note} if self.note else {}),
            "alternatives": [{"caption": other.text, "score": round(other.score, 6)} for other in self.alternatives],
        }

    # What draws reads captions, and so stands above this file, which must load without it: it is loaded once asked for.

    def figure(self, photo: Photo | None = None) -> Image.Image:
        """The sheet of `sightline.explain.draw_attention`: the photo, and for every word the photo lit, as RGB image.

        Args:
            photo: the photo that this caption is about, where the caption has not kept it.

        Raises:
            SightlineError: there is no photo, or it cannot be read any more.
        """
        from sightline.explain import draw_attention

        return draw_attention(self._shown(photo), self)

    def html(self, photo: Photo | None = None) -> str:
        """One HTML document that needs no other file: the photo, lit by whichever word is pointed at.

        ``photo``, and what is raised, as with `figure`.
        """
        from sightline.explain import caption_document

        return caption_document(self._shown(photo), self)

    def _repr_html_(self) -> str | None:
        """What notebooks show; None, so that they show the text, where there is no photo to be shown."""
        from sightline.explain import caption_frame

        try:
            return caption_frame(self._shown(None), self)
        except SightlineError:
            return None

    def _shown(self, photo: Photo | None) -> Photo:
        found = self.photo if photo is None else photo
        if found is None:
            raise SightlineError("this caption has not kept its photo; give it: caption.figure(photo)")
        return found


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
    whole = log_probs.min(axis=2) > -1e8
    for number, photo in enumerate(zip(tokens, log_probs, attention, scores, strict=True)):
        kept = np.flatnonzero(whole[number])
        readings = [vocabulary.read(tokens[number, beam].tolist()) for beam in kept]
        best, *others = (
            _sentence(reading, grid, *(values[beam] for values in photo[1:]))
            for beam, reading in zip(kept, readings, strict=True)
        )
        rests = None
        if evidence is not None:
            rests = _by_word(evidence[number], readings[0]).reshape(-1, *grid)
        captions.append(replace(best, alternatives=tuple(others), evidence=rests))
    return captions


def _sentence(
    reading: Reading,
    grid: tuple[int, int],
    log_probs: NDArray[np.float32],
    attention: NDArray[np.float32],
    score: np.float32,
) -> Caption:
    units = np.diff([*reading.starts, reading.units]).astype(np.float32)[:, None]
    looked = _by_word(attention, reading) / units if len(units) < reading.units else attention[: reading.units]
    return Caption(reading.text, reading.words, _by_word(log_probs, reading), looked.reshape(-1, *grid), float(score))


def _by_word(values: NDArray[np.float32], reading: Reading) -> NDArray[np.float32]:
    """(T, ...) of units -> (W, ...), the sum over each word's."""
    values = values[: reading.units]
    if len(reading.starts) == reading.units:
        return values
    return np.add.reduceat(values, reading.starts, axis=0)
