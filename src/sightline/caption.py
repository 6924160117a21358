"""The result of captioning one photo, which everything downstream reads."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
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

PHOTO = "photo"
"""`Caption.kind` of photos, always the first of a model's kinds."""
SURE, PERHAPS = 0.75, 0.4
"""From which confidence on a caption is called sure, and from which perhaps right, see `confidence_in_words`.

Of the captions by the model in the package of held-out photos, 89% of the sure ones are right, 55% of those that are
perhaps right, and 20% of the guesses (docs/confidence.md).
"""
WORTH_NAMING = 0.3  # of the keywords below, most are wrong
MOST_KEYWORDS = 10


@dataclass(frozen=True)
class Keyword:
    """A ``word`` that people would use about the photo, with its ``probability``, in [0, 1]."""

    word: str
    probability: float


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
        note: a warning, e.g. that the photo is blank, or no photo; empty for nearly every photo.
        confidence: the probability, in [0, 1], that every thing the caption names is named by at least one of five
            people, too; None if the model has not learned it (`sightline calibrate`). See `sureness`.
        word_confidence: float32 ``(T,)``, the same for each noun alone, NaN for other words; None as ``confidence``.
        kind: ``"photo"``, or what it seems to be instead, e.g. ``"chart"``; None if the model does not tell.
        keywords: at most ten words that people would use about the photo, the most probable first.
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
    confidence: float | None = None
    word_confidence: NDArray[np.float32] | None = None
    kind: str | None = None
    keywords: tuple[Keyword, ...] = ()

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

    def sureness(self) -> float:
        """How sure the model is, in [0, 1]: ``confidence`` where it has learned that, else `mean_probability`.

        Of what it takes for no photo it is not sure at all: 0.
        """
        return sureness(self.confidence, self.log_probs, self.kind)

    def as_dict(self) -> dict[str, object]:
        """The caption as lists, strings and numbers, ready for JSON; without what it does not have, such as a note."""
        evidence = {} if self.evidence is None else {"evidence": np.round(self.evidence.astype(float), 6).tolist()}
        return {
            "caption": self.text,
            "words": list(self.words),
            "log_probs": [round(float(value), 6) for value in self.log_probs],
            "score": round(self.score, 6),
            "attention": np.round(self.attention.astype(float), 6).tolist(),
            **evidence,
            **self._judgement(),
            **({"note": self.note} if self.note else {}),
            "alternatives": [
                {"caption": other.text, "score": round(other.score, 6), **other._judgement(words=False)}
                for other in self.alternatives
            ],
        }

    def _judgement(self, words: bool = True) -> dict[str, object]:
        """What the model knows about the photo and its own caption, for JSON; of each word only if ``words``."""
        judged: dict[str, object] = {}
        if self.confidence is not None:
            judged["confidence"] = round(self.confidence, 4)
        if self.word_confidence is not None and words:
            judged["word_confidence"] = [
                None if math.isnan(value) else round(float(value), 4) for value in self.word_confidence
            ]
        if self.kind is not None:
            judged["kind"] = self.kind
        if self.keywords:
            judged["keywords"] = [
                {"word": keyword.word, "probability": round(keyword.probability, 4)} for keyword in self.keywords
            ]
        return judged

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


def sureness(
    confidence: float | None, log_probs: Sequence[float] | NDArray[np.float32], kind: str | None = None
) -> float:
    """`Caption.sureness`, of those parts of a caption that it depends on."""
    if kind not in (None, PHOTO):
        return 0.0
    return mean_probability(log_probs) if confidence is None else confidence


def confidence_in_words(confidence: float) -> str:
    """``"sure"``, ``"perhaps"`` or ``"a guess"``, for people who do not read probabilities.

    >>> confidence_in_words(0.8), confidence_in_words(0.5), confidence_in_words(0.1)
    ('sure', 'perhaps', 'a guess')
    """
    return "sure" if confidence >= SURE else "perhaps" if confidence >= PERHAPS else "a guess"


def read_captions(
    vocabulary: Vocabulary,
    grid: tuple[int, int],
    tokens: NDArray[np.int64],
    log_probs: NDArray[np.float32],
    attention: NDArray[np.float32],
    scores: NDArray[np.float32],
    evidence: NDArray[np.float32] | None = None,
    *,
    heads: Mapping[str, Sequence[str]] | None = None,
    confidence: NDArray[np.float32] | None = None,
    word_confidence: NDArray[np.float32] | None = None,
    kinds: NDArray[np.float32] | None = None,
    keywords: NDArray[np.float32] | None = None,
) -> list[Caption]:
    """The results of a search as one `Caption` a photo.

    ``tokens`` and ``log_probs`` (B, K, T), ``attention`` (B, K, T, L), ``scores`` (B, K), best beam first; a beam with
    a word whose ``log_probs`` is near -1e9 holds no sentence and is dropped. ``evidence`` (B, T, L) of the best beam,
    or None. Where a model has heads, ``confidence`` (B, K), ``word_confidence`` (B, K, T), NaN at units that name no
    thing, ``kinds`` (B, C) and ``keywords`` (B, W), the probabilities of what ``heads`` names.
    """
    names = heads or {}

    def sentence(reading: Reading, *of: int) -> Caption:
        units = np.diff([*reading.starts, reading.units]).astype(np.float32)[:, None]
        mean = _by_word(attention[of], reading) / units  # where each word is one unit, a division by one
        chances = _by_word(log_probs[of], reading)
        return Caption(
            reading.text,
            reading.words,
            chances,
            mean.reshape(-1, *grid),
            float(scores[of]),
            confidence=None if confidence is None else float(confidence[of]),
            word_confidence=None if word_confidence is None else _by_word(word_confidence[of], reading, np.fmin),
        )

    captions = []
    for number, has_sentence in enumerate(log_probs.min(axis=2) > -1e8):
        kept = np.flatnonzero(has_sentence).tolist()
        readings = [vocabulary.read(tokens[number, beam].tolist()) for beam in kept]
        best, *others = (sentence(reading, number, beam) for beam, reading in zip(kept, readings, strict=True))
        of_best = None if evidence is None else _by_word(evidence[number], readings[0]).reshape(-1, *grid)
        captions.append(
            replace(
                best,
                alternatives=tuple(others),
                evidence=of_best,
                kind=None if kinds is None else _kind(names["kinds"], kinds[number]),
                keywords=() if keywords is None else _keywords(names["keywords"], keywords[number]),
            )
        )
    return captions


def _by_word(values: NDArray[np.float32], reading: Reading, join: np.ufunc = np.add) -> NDArray[np.float32]:
    """(T, ...) of units -> (W, ...), the sum over each word's units, or what ``join`` makes of them."""
    values = values[: reading.units]
    if len(reading.starts) == reading.units:
        return values
    joined: NDArray[np.float32] = join.reduceat(values, reading.starts, axis=0)
    return joined


def _kind(names: Sequence[str], probabilities: NDArray[np.float32]) -> str:
    """``"photo"``, the first name, unless it is more likely that it is none."""
    return names[0 if probabilities[0] >= 0.5 else 1 + int(probabilities[1:].argmax())]


def _keywords(names: Sequence[str], probabilities: NDArray[np.float32]) -> tuple[Keyword, ...]:
    best = np.argsort(-probabilities, kind="stable")[:MOST_KEYWORDS].tolist()
    return tuple(Keyword(names[i], float(probabilities[i])) for i in best if probabilities[i] >= WORTH_NAMING)
