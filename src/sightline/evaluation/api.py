"""`sightline.score`, `evaluate` and `compare`: captions in lists or dictionaries, a model on a split, two reports."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeAlias

from sightline.caption import Caption
from sightline.captioner import Captioner, load
from sightline.data.dataset import Dataset, read_dataset
from sightline.errors import SightlineError
from sightline.evaluation.compare import Comparison, compare_results
from sightline.evaluation.protocol import Evaluation, evaluate_split
from sightline.evaluation.report import read_report, replacing_report, write_report
from sightline.evaluation.scores import Scores, score_captions
from sightline.metrics import quick_metrics
from sightline.model_folder import as_path

_log = logging.getLogger(__name__)

Captions: TypeAlias = Mapping[Any, Any] | Iterable[Any]


def score(
    hypotheses: Captions,
    references: Captions,
    metrics: str | Iterable[str] | None = None,
    training_captions: Iterable[str] | None = None,
    tokenizer: str = "ptb",
    language: str | None = None,
) -> Scores:
    """Score one caption a photo against its references, as pycocoevalcap does.

    >>> scores = score(["a dog runs"], [["a dog is running", "the dog runs"]], ["BLEU-1", "ROUGE-L"])
    >>> print(scores)  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
    1 photo
    <BLANKLINE>
                   score   95% interval
    BLEU-1        100.00   100.00 to 100.00
    ROUGE-L        66.67   66.67 to 66.67
    <BLANKLINE>
    times 100, but for vocabulary (words) and length (words a caption)
    tokenizer: PTB, as pycocoevalcap
    signature: NO<EOS>+references[2]+photos[1]+ptb+sightline[...]

    Args:
        hypotheses: a caption for each photo: a list in the order of ``references``, or ``{photo: caption}``. A caption
            is a string, not tokenized, a `Caption`, or pycocoevalcap's ``["..."]`` or ``[{"caption": "..."}]``.
        references: for each photo its captions, at least one: a list of lists, or ``{photo: [captions]}`` of the same
            photos; captions in the same forms. A single string is a photo's one reference.
        metrics: names of metrics (``"bleu"``, ``"rouge"``, ``"cider"``, ``"meteor"``, ``"diversity"``) or of single
            scores (``"CIDEr"``, ``"BLEU-4"``), one or several; None for all but METEOR, which needs Java.
        training_captions: the model's training captions, for the share of novel captions.
        tokenizer: ``"ptb"``, the field's own for English; ``"words"``, Unicode's words; ``"characters"``, for scripts
            without spaces between words; ``"none"``, for captions that are tokenized. A warning is logged if it does
            not fit the captions.
        language: the captions', for METEOR: ``"en"``, ``"cz"``, ``"de"``, ``"es"`` or ``"fr"``; None: English if they
            look so, else no METEOR.

    Returns:
        `Scores`: ``scores["CIDEr"]`` in [0, 10], the others in [0, 1]; ``scores.per_photo("CIDEr")``;
        ``scores.intervals()``; ``scores.as_dict()``; ``print(scores)``.

    Raises:
        SightlineError: captions are not in these forms or not of the same photos, or a metric, tokenizer or language is
            unknown.
    """
    if isinstance(hypotheses, Mapping) != isinstance(references, Mapping):
        raise SightlineError("hypotheses and references: pass two lists in the same order, or two dictionaries")
    captions, known = _by_photo("hypotheses", hypotheses), _by_photo("references", references)
    if not isinstance(hypotheses, Mapping) and len(captions) != len(known):
        raise SightlineError(
            f"{len(captions)} hypotheses, but references of {len(known)} photos; pass a list of captions for each photo"
        )
    scores = score_captions(
        {photo: _only(photo, _texts(each)) for photo, each in captions.items()},
        {photo: _texts(each) for photo, each in known.items()},
        training_captions,
        quick_metrics() if metrics is None else [metrics] if isinstance(metrics, str) else metrics,
        tokenizer,
        language,
    )
    if scores.warning:
        _log.warning("sightline: %s", scores.warning.replace("--tokenizer ", "tokenizer="))
    return scores


def evaluate(
    model: Captioner | str | os.PathLike[str] | None,
    data: Dataset | str | os.PathLike[str],
    split: str,
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Evaluation:
    """Caption a split of a dataset from its pixels alone, and score the captions, as `sightline evaluate` does.

    Args:
        model: a captioner, or what `sightline.load` takes: a model folder, or None for the model in the package.
        data: a dataset, or the folder of one.
        split: "train", "val" or "test".
        out: the folder of the report, which `compare` reads; None for no report.
        options: of `evaluate_split`, such as ``beam_size=3``, ``length_penalty=1.0`` and ``meteor=False``.

    Returns:
        `Evaluation`: ``evaluation.scores["CIDEr"]``, ``evaluation.captions`` by photo, ``evaluation.protocol``.

    Raises:
        SightlineError: as `sightline.load`, `read_dataset` and `evaluate_split`; ``out`` cannot be written, or is a
            folder of something else.
    """
    captioner = model if isinstance(model, Captioner) else load(model)
    dataset = data if isinstance(data, Dataset) else read_dataset(data)
    if out is None:
        return evaluate_split(captioner, dataset, split, **options)
    with replacing_report(as_path(out)) as folder:
        evaluation = evaluate_split(captioner, dataset, split, **options)
        write_report(folder, evaluation)
    return evaluation


def compare(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> Comparison:
    """Whether two reports of the same photos differ by more than the choice of photos explains: the paired bootstrap.

    ``a`` and ``b`` are folders that `evaluate` wrote, or any with hypotheses.json and references.json.

    Returns:
        `Comparison`: ``comparison.verdict``, a sentence on CIDEr; ``comparison.as_dict()``; ``print(comparison)``.

    Raises:
        SightlineError: a report is missing or damaged, or they are not of the same photos and references.
    """
    return compare_results(read_report(a), read_report(b))


def _by_photo(name: str, captions: Captions) -> Mapping[Any, Any]:
    """Photo -> its captions, in any form; the photos of a list are numbered from 0."""
    if isinstance(captions, Mapping):
        return captions
    if isinstance(captions, str | bytes | Set) or not isinstance(captions, Iterable):
        raise SightlineError(
            f"{name}: {captions!r:.60} is {type(captions).__name__}; pass a list with an entry for each photo, or"
            " a dictionary by photo"
        )
    return dict(enumerate(captions))


def _texts(captions: Any) -> list[Any]:
    """A photo's captions as a list; `Corpus` checks that they are strings."""
    single = isinstance(captions, str | bytes | Mapping | Caption) or not isinstance(captions, Iterable)
    entries = (e.get("caption", e) if isinstance(e, Mapping) else e for e in ([captions] if single else captions))
    return [entry.text if isinstance(entry, Caption) else entry for entry in entries]


def _only(photo: Any, captions: list[Any]) -> Any:
    if len(captions) != 1:
        raise SightlineError(
            f"hypothesis of {photo}: {len(captions)} captions; pass one a photo, and hypotheses before references"
        )
    return captions[0]
