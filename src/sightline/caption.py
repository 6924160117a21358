"""The result of captioning one photo, which everything downstream reads."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.errors import SightlineError
from sightline.images.source import ImageSource
from sightline.vocabulary import Reading, Vocabulary

if TYPE_CHECKING:
    from PIL import Image

    from sightline.preprocess import Photo


@dataclass(frozen=True, eq=False, repr=False)
class Caption:
    """A sentence about a photo and, for every word, where the model looked.

    Attributes:
        text: the sentence, e.g. ``"a dog runs through the grass"``.
        words: its T words as printed, without ``<start>`` and ``<end>``; in scripts without spaces, the model's units.
        log_probs: float32 ``(T,)``, natural logarithm of each word's probability given the words before it, <= 0.
        attention: float32 ``(T, h, w)``, each word's weights over the encoder's grid, row-major, >= 0;
            every word's weights sum to one. For a word of several units, the mean of theirs.
        score: what the search ranks by: ``sum(log p) / length ** length_penalty``, where the sum and the length
            count units, and ``<end>`` if the sentence reached it.
        alternatives: the search's other sentences, best first, which have no alternatives of their own.
        evidence: None if it was not asked for; otherwise float32 ``(T, h, w)``, the occlusion, or prediction
            difference, of each word: the log-odds, in nats, that the word loses if attention cannot use a cell, see
            `sightline.nn.evidence`. For a word of several units, the sum of theirs.
        note: a warning, e.g. that the photo is blank; empty for nearly every photo.
        photo: what was captioned, as it was given: the same path, `ImageSource`, bytes, image or array, never a copy;
            `with_photo` changes or removes it. Pickled and copied captions keep only a path or an `ImageSource`.

    Example:
        >>> import numpy, sightline
        >>> photo = numpy.zeros((240, 320, 3), numpy.uint8)  # or the path of an image file
        >>> photo[120:, :] = 60, 160, 40
        >>> caption = sightline.load()(photo)
        >>> caption.attention.shape == (len(caption.words), 7, 7)
        True
        >>> caption.figure().mode
        'RGB'
    """

    text: str
    words: tuple[str, ...]
    log_probs: NDArray[np.float32]
    attention: NDArray[np.float32]
    score: float
    alternatives: tuple[Caption, ...] = ()
    evidence: NDArray[np.float32] | None = None
    note: str = ""
    photo: Photo | None = None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.attention.shape))
        evidence = ", with evidence" if self.evidence is not None else ""
        return f"Caption({self.text!r}, score {self.score:.2f}, attention {shape}{evidence})"

    def __getstate__(self) -> dict[str, object]:
        # Captions are sent between processes by the thousand, and must not take megapixels with them.
        kept = self.photo if isinstance(self.photo, str | os.PathLike | ImageSource) else None
        return {**self.__dict__, "photo": kept}

    def with_photo(self, photo: Photo | None) -> Caption:
        """The same caption and alternatives with another ``photo``, or, given None, without one."""
        others = tuple(replace(other, photo=photo) for other in self.alternatives)
        return replace(self, photo=photo, alternatives=others)

    def as_dict(self) -> dict[str, object]:
        """The caption as lists, strings and numbers, ready for JSON; evidence and note only if there are any."""
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

    # explain/ imports this file, and loads slowly: it is imported only when a caption is to be drawn.
    def figure(self, photo: Photo | None = None) -> Image.Image:
        """The photo and, for every word, the photo lit by its attention, as one RGB image: `explain.draw_attention`.

        Give ``photo`` if the caption has kept none; `SightlineError` if there is none, or it can no longer be read.
        """
        from sightline.explain import draw_attention

        return draw_attention(self._shown(photo), self)

    def html(self, photo: Photo | None = None) -> str:
        """A self-contained HTML document: the photo, lit by the attention of the word pointed at; see `figure`."""
        from sightline.explain import caption_document

        return caption_document(self._shown(photo), self)

    def _repr_html_(self) -> str | None:
        """`html` in a frame; None, for which notebooks show the text, if there is no photo."""
        from sightline.explain import caption_frame

        try:
            return caption_frame(self._shown(None), self)
        except SightlineError:
            return None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What Jupyter shows: the frame, or the sentence where a notebook lets no frames or scripts through."""
        from sightline.explain import frame_or_text

        frame = self._repr_html_()
        return {"text/plain": repr(self)} | ({"text/html": frame_or_text(frame, self.text)} if frame else {})

    def _shown(self, photo: Photo | None) -> Photo:
        photo = self.photo if photo is None else photo
        if photo is None:
            raise SightlineError("this caption has not kept its photo; give it: caption.figure(photo)")
        return photo


def mean_probability(log_probs: Sequence[float] | NDArray[np.float32]) -> float:
    """The geometric mean of words' probabilities, in [0, 1], from their log-probabilities (T,); 0 without words."""
    return math.exp(np.mean(log_probs)) if len(log_probs) else 0.0


def read_captions(
    vocabulary: Vocabulary,
    grid: tuple[int, int],
    tokens: NDArray[np.int64],
    log_probs: NDArray[np.float32],
    attention: NDArray[np.float32],
    scores: NDArray[np.float32],
    evidence: NDArray[np.float32] | None = None,
) -> list[Caption]:
    """The results of a search as one `Caption` a photo.

    ``tokens`` and ``log_probs`` (B, K, T), ``attention`` (B, K, T, L), ``scores`` (B, K), best beam first; a beam with
    a word whose ``log_probs`` is near -1e9 holds no sentence and is dropped. ``evidence`` (B, T, L) of the best beam,
    or None.
    """

    def sentence(reading: Reading, *of: int) -> Caption:
        units = np.diff([*reading.starts, reading.units]).astype(np.float32)[:, None]
        mean = _by_word(attention[of], reading) / units  # where each word is one unit, a division by one
        chances = _by_word(log_probs[of], reading)
        return Caption(reading.text, reading.words, chances, mean.reshape(-1, *grid), float(scores[of]))

    captions = []
    for number, has_sentence in enumerate(log_probs.min(axis=2) > -1e8):
        kept = np.flatnonzero(has_sentence).tolist()
        readings = [vocabulary.read(tokens[number, beam].tolist()) for beam in kept]
        best, *others = (sentence(reading, number, beam) for beam, reading in zip(kept, readings, strict=True))
        of_best = None if evidence is None else _by_word(evidence[number], readings[0]).reshape(-1, *grid)
        captions.append(replace(best, alternatives=tuple(others), evidence=of_best))
    return captions


def _by_word(values: NDArray[np.float32], reading: Reading) -> NDArray[np.float32]:
    """(T, ...) of units -> (W, ...), the sum over each word's units."""
    values = values[: reading.units]
    if len(reading.starts) == reading.units:
        return values
    return np.add.reduceat(values, reading.starts, axis=0)
