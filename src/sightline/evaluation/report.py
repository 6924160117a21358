"""A report: the folder that an evaluation writes and a comparison reads."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.annotations.caption_files import read_hypotheses, read_references
from sightline.errors import SightlineError
from sightline.evaluation.page import write_report_page
from sightline.evaluation.pointing import NAMES, by_noun
from sightline.evaluation.protocol import Evaluation
from sightline.metrics import TOKENIZERS, check_photos
from sightline.model_folder import as_path, replacing_folder

SCORES, HYPOTHESES, REFERENCES, PAGE = "scores.json", "hypotheses.json", "references.json", "report.html"


@dataclass(frozen=True)
class Result:
    """A report as a comparison reads it; ``facts`` are the content of its scores.json, empty if there is none."""

    folder: Path
    hypotheses: Mapping[str, str]
    references: Mapping[str, list[str]]
    facts: Mapping[str, Any]

    @property
    def tokenizer(self) -> str:
        """The name of the tokenizer; ptb if the report does not say."""
        recorded = self.facts.get("tokenizer")
        return next((name for name, tokenizer in TOKENIZERS.items() if tokenizer.description == recorded), "ptb")


@contextmanager
def replacing_report(folder: Path) -> Iterator[Path]:
    """A temporary folder that replaces the report ``folder`` if the block succeeds, and is deleted otherwise.

    Raises:
        SightlineError: it cannot be made, or ``folder`` exists, is not empty and is no report.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SCORES).is_file():
        raise SightlineError(f"{folder}: not a report to replace (it holds no {SCORES}); name another folder")
    with replacing_folder(folder, {SCORES, HYPOTHESES, REFERENCES, PAGE}, "report") as new:
        yield new


def write_report(folder: Path, evaluation: Evaluation) -> None:
    """Write the four files of a report into an existing folder."""
    scores = evaluation.scores.as_dict(with_intervals=True)
    _write_json(folder / SCORES, {**evaluation.protocol.as_dict(), **scores, **_nouns(evaluation)})
    _write_json(folder / HYPOTHESES, {photo: caption.text for photo, caption in evaluation.captions.items()})
    _write_json(folder / REFERENCES, evaluation.references)
    write_report_page(folder / PAGE, evaluation)


def _nouns(evaluation: Evaluation) -> dict[str, Any]:
    """For each generated noun: its count, hallucinations, and means of pointing where there are boxes."""
    unknown = Counter(mention.noun for mention in evaluation.mentions if not mention.known)
    counts = Counter(mention.noun for mention in evaluation.mentions)
    by_word, nouns = by_noun(evaluation.looks), {}
    for noun, count in counts.most_common():
        looks = by_word.get(noun, [])
        columns = {key: [getattr(look, key) for look in looks] for key in NAMES}
        means = {key: sum(values) / len(values) for key, values in columns.items() if values and None not in values}
        nouns[noun] = {"said": count, "hallucinated": unknown[noun], "with_boxes": len(looks), **means}
    return {"nouns": nouns} if nouns else {}


def read_report(folder: str | os.PathLike[str]) -> Result:
    """Read a report, or any folder with a hypotheses.json and references.json that `sightline score` could read.

    Raises:
        SightlineError: a file is missing or damaged, or the two are not about the same photos.
    """
    folder = as_path(folder)
    for name in (HYPOTHESES, REFERENCES):
        if not (folder / name).is_file():
            raise SightlineError(f"{folder}: no report (no {name}); `sightline evaluate` writes one")
    hypotheses, references = read_hypotheses(folder / HYPOTHESES), read_references(folder / REFERENCES)
    check_photos(hypotheses, references, folder / HYPOTHESES, folder / REFERENCES)
    return Result(folder, hypotheses, references, _read_facts(folder / SCORES))


def _read_facts(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError("not what an evaluation writes")
    except (OSError, ValueError) as error:
        raise SightlineError(f"{path}: damaged ({error}); evaluate again") from None
    return facts


def _write_json(path: Path, content: object) -> None:
    # File names need not be valid text: JSON reads their backslash escapes back as they were.
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
