"""`sightline.score`: captions as they lie in anyone's program."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeAlias

from sightline.caption import Caption
from sightline.errors import SightlineError
from sightline.evaluation.scores import Scores, score_captions
from sightline.metrics import METRICS

_log = logging.getLogger(__name__)

Captions: TypeAlias = Mapping[Any, Any] | Iterable[Any]


def score(
    hypotheses: Captions,
    references: Captions,
    metrics: str | Iterable[str] | None = None,
    training_captions: Iterable[str] | None = None,
    tokenizer: str = "ptb",
) -> Scores:
    """Score one caption a photo against what people wrote about it, as pycocoevalcap does.

    ``sightline.score(["a dog runs"], [["a dog is running", "the dog runs"]])["CIDEr"]``

    Args:
        hypotheses: a caption for each photo: a list in the order of ``references``, or ``{photo: caption}``. A caption
            is a string as anyone would write it, a `Caption`, or pycocoevalcap's ``["..."]`` or
            ``[{"caption": "..."}]``.
        references: for each photo its captions, at least one: a list of lists, or ``{photo: [captions]}`` of the same
            photos; captions in the same forms. A string alone is a photo's one reference.
        metrics: names of metrics (``"bleu"``, ``"rouge"``, ``"cider"``, ``"meteor"``, ``"diversity"``) or of single
            scores (``"CIDEr"``, ``"BLEU-4"``), one or several; None for all but METEOR, which needs Java.
        training_captions: what the captioner learnt from, to tell which captions are novel.
        tokenizer: what makes words of captions: ``"ptb"``, the field's own for English; ``"words"``, Unicode's;
            ``"characters"``, for scripts that set no blanks; ``"none"``, for captions that are tokenized. One line is
            logged where it does not fit them.

    Returns:
        `Scores`: ``scores["CIDEr"]`` in [0, 10], the others in [0, 1]; ``scores.per_photo("CIDEr")``;
        ``scores.intervals()``; ``scores.as_dict()``; ``print(scores)``.

    Raises:
        SightlineError: what is passed is not of these forms, or not of the same photos; or no metric or tokenizer
            has such a name.
    """
    if isinstance(hypotheses, Mapping) != isinstance(references, Mapping):
        raise SightlineError("hypotheses and references: pass two lists in the same order, or two dictionaries")
    ours, theirs = _by_photo("hypotheses", hypotheses), _by_photo("references", references)
    if not isinstance(hypotheses, Mapping) and len(ours) != len(theirs):
        raise SightlineError(
            f"{len(ours)} hypotheses, but references of {len(theirs)} photos; pass a list of captions for each photo"
        )
    if metrics is None:
        metrics = [name for name in METRICS if name != "meteor"]
    scores = score_captions(
        {photo: _only(photo, _texts(captions)) for photo, captions in ours.items()},
        {photo: _texts(captions) for photo, captions in theirs.items()},
        training_captions,
        [metrics] if isinstance(metrics, str) else metrics,
        tokenizer,
    )
    if scores.warning:
        _log.warning("sightline: %s", scores.warning.replace("--tokenizer ", "tokenizer="))
    return scores


def _by_photo(name: str, captions: Captions) -> Mapping[Any, Any]:
    """Photo -> whatever stands for its captions; photos of a list are numbered from 0."""
    if isinstance(captions, Mapping):
        return captions
    if isinstance(captions, str | bytes | Set) or not isinstance(captions, Iterable):
        told = f"{repr(captions)[:60]} is {type(captions).__name__}"
        raise SightlineError(f"{name}: {told}; pass a list with an entry for each photo, or a dictionary by photo")
    return dict(enumerate(captions))


def _texts(captions: Any) -> list[Any]:
    """A photo's captions as a list of what should be strings; whether they are is checked with all the others."""
    alone = isinstance(captions, str | bytes | Mapping | Caption) or not isinstance(captions, Iterable)
    return [_text(caption) for caption in ([captions] if alone else captions)]


def _text(caption: Any) -> Any:
    if isinstance(caption, Mapping):
        return caption.get("caption", caption)
    return caption.text if isinstance(caption, Caption) else caption


def _only(photo: Any, captions: list[Any]) -> Any:
    if len(captions) != 1:
        raise SightlineError(
            f"hypothesis of {photo}: {len(captions)} captions; pass one a photo, and hypotheses before references"
        )
    return captions[0]
