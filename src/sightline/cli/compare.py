"""`sightline compare`: is one result better than another, or only luckier in its photos?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.options import PATH, table_or_json_option
from sightline.cli.streams import put
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.evaluation.report import Result
    from sightline.metrics.bootstrap import Difference

# What must be alike for a difference of scores to be the models' own.
_PROTOCOL = ("split", "beam_size", "length_penalty", "tokenizer", "decoding")


@dataclass(frozen=True)
class Row:
    """One score of both results; ``paired`` is None where resampling photos does not apply to it."""

    name: str
    first: float
    second: float
    paired: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        test = self.paired and {"interval": [self.paired.low, self.paired.high], "p_value": self.paired.p_value}
        return {"a": self.first, "b": self.second, "difference": self.first - self.second, **(test or {})}


@click.command()
@click.argument("a", metavar="A", type=PATH)
@click.argument("b", metavar="B", type=PATH)
@table_or_json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Test whether two results on the same photos differ, by the paired bootstrap.

    A: A report. B: Another, of the same photos.

    A and B are folders that `sightline evaluate` wrote, or any with hypotheses.json and references.json. Both are
    tokenized as A was.
    """
    from sightline.evaluation.report import read_report

    first, second = read_report(a), read_report(b)
    check_same_photos(first, second)
    rows, notes = compare_scores(first, second), _notes(first, second)
    verdict = next(_verdict(row, len(first.hypotheses)) for row in rows if row.name == "CIDEr")
    if as_json:
        metrics = {row.name: row.as_dict() for row in rows}
        told = {"a": str(a), "b": str(b), "photos": len(first.hypotheses), "metrics": metrics}
        put(*json.dumps({**told, "verdict": verdict, "notes": notes}, indent=2).splitlines())
    else:
        lines = [f"A  {a}", f"B  {b}", f"{len(first.hypotheses)} photos", "", *_table(rows), "", verdict]
        put(*lines, *(f"note: {note}" for note in notes))


def check_same_photos(first: Result, second: Result) -> None:
    """Raise `SightlineError`, naming a photo, unless both are of the same photos and the same references."""
    from sightline.evaluation.scores import check_photos

    check_photos(first.hypotheses, second.references, first.folder, second.folder)
    for photo, captions in first.references.items():
        if sorted(captions) != sorted(second.references[photo]):
            raise SightlineError(
                f"{second.folder}: the references of {photo!r} are not those in {first.folder}; compare results scored"
                " against the same references"
            )


def compare_scores(first: Result, second: Result) -> list[Row]:
    """Both results' scores and, where it is defined, the paired test; METEOR's as recorded, for it is slow."""
    from sightline.evaluation.scores import score_captions
    from sightline.metrics import METRICS, bootstrap

    quick = [name for name in METRICS if name != "meteor"]
    tokenizer = first.tokenizer
    ours = score_captions(first.hypotheses, first.references, metrics=quick, tokenizer=tokenizer)
    # In the first one's order, so that resampling draws the same photos of both.
    said = {photo: second.hypotheses[photo] for photo in ours.photos}
    theirs = score_captions(said, first.references, metrics=quick, tokenizer=tokenizer)
    rows = []
    for name, score in ours.scores.items():
        other = theirs.scores[name]
        if score.value is not None and other.value is not None:
            rows.append(Row(name, score.value, other.value, bootstrap.compare(score, other)))
    recorded = [result.facts.get("scores", {}).get("METEOR") for result in (first, second)]
    return rows if None in recorded else [*rows, Row("METEOR", recorded[0], recorded[1], None)]


def _table(rows: list[Row]) -> list[str]:
    from sightline.evaluation.scores import in_print

    lines = [f"{'':<12}{'A':>8}{'B':>8}{'A - B':>9}   {'95% interval':<18}{'p':>6}"]
    for row in rows:
        values = f"{in_print(row.name, row.first):>8}{in_print(row.name, row.second):>8}"
        test = ""
        if row.paired:
            low, high = (in_print(row.name, end, signed=True) for end in (row.paired.low, row.paired.high))
            test = f"   {f'{low} to {high}':<18}{row.paired.p_value:>6.3f}"
        lines.append(f"{row.name:<12}{values}{in_print(row.name, row.first - row.second, signed=True):>9}{test}")
    return [*lines, "", "times 100, but for vocabulary (words) and length (words a caption)"]


def _verdict(row: Row, photos: int) -> str:
    """One sentence: whether the difference is more than the choice of photos would make."""
    from sightline.evaluation.scores import in_print

    assert row.paired is not None
    if row.first == row.second:
        return f"A and B have the same {row.name}: nothing tells them apart on these {photos} photos."
    better, worse = ("A", "B") if row.first > row.second else ("B", "A")
    margin = f"{in_print(row.name, abs(row.first - row.second))} {row.name} above {worse}"
    if row.paired.low <= 0 <= row.paired.high:
        return (
            f"{better} is {margin}, but the 95% interval holds zero (p = {row.paired.p_value:.3f}):"
            f" these {photos} photos do not tell whether the difference is real."
        )
    low, high = (in_print(row.name, end) for end in sorted(abs(end) for end in (row.paired.low, row.paired.high)))
    return (
        f"{better} is better: {margin} (95% interval {low} to {high}, p = {row.paired.p_value:.3f}),"
        f" more than the choice of these {photos} photos explains."
    )


def _notes(first: Result, second: Result) -> list[str]:
    """Where the two were not made alike, and what either warns of."""
    notes = [
        f"{key.replace('_', ' ')} is {first.facts[key]} for A and {second.facts[key]} for B"
        for key in _PROTOCOL
        if key in first.facts and key in second.facts and first.facts[key] != second.facts[key]
    ]
    warnings = {"A": first.facts.get("warnings", []), "B": second.facts.get("warnings", [])}
    both = [warning for warning in warnings["A"] if warning in warnings["B"]]
    notes += [f"A and B: {warning}" for warning in both]
    return notes + [f"{name}: {warning}" for name, told in warnings.items() for warning in told if warning not in both]
