"""Whether one result is better than another on the same photos, by the paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sightline.errors import SightlineError
from sightline.evaluation.report import Result
from sightline.evaluation.scores import UNITS, in_print, score_captions
from sightline.metrics import bootstrap, check_photos, quick_metrics

# Settings that must agree, or a difference of scores may come from them.
_PROTOCOL = ("split", "beam_size", "length_penalty", "allow_repeats", "tokenizer", "decoding")


@dataclass(frozen=True)
class ScorePair:
    """One score of both results; ``paired`` is None where resampling photos does not apply to it."""

    name: str
    first: float
    second: float
    paired: bootstrap.Difference | None

    def as_dict(self) -> dict[str, Any]:
        test = self.paired and {"interval": [self.paired.low, self.paired.high], "p_value": self.paired.p_value}
        return {"a": self.first, "b": self.second, "difference": self.first - self.second, **(test or {})}


@dataclass(frozen=True)
class Comparison:
    """Two results A and B of the same N photos.

    Attributes:
        photos: N.
        scores: every score that both have.
        verdict: one sentence on CIDEr: which is better, and whether chance explains it.
        notes: differences of protocol, and the warnings of both.
    """

    photos: int
    scores: tuple[ScorePair, ...]
    verdict: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([f"{self.photos} photos", "", *self.table(), "", self.verdict, *notes])

    def as_dict(self) -> dict[str, Any]:
        metrics = {pair.name: pair.as_dict() for pair in self.scores}
        return {"photos": self.photos, "metrics": metrics, "verdict": self.verdict, "notes": list(self.notes)}

    def table(self) -> list[str]:
        """Lines: both scores, their difference, its 95% interval and p-value."""
        lines = [f"{'':<12}{'A':>8}{'B':>8}{'A - B':>9}   {'95% interval':<18}{'p':>6}"]
        for pair in self.scores:
            name, test = pair.name, ""
            values = f"{in_print(name, pair.first):>8}{in_print(name, pair.second):>8}"
            if pair.paired:
                low, high = (in_print(name, end, signed=True) for end in (pair.paired.low, pair.paired.high))
                test = f"   {f'{low} to {high}':<18}{pair.paired.p_value:>6.3f}"
            lines.append(f"{name:<12}{values}{in_print(name, pair.first - pair.second, signed=True):>9}{test}")
        return [*lines, "", UNITS]


def compare_results(first: Result, second: Result) -> Comparison:
    """Compare two reports; the captions of both are tokenized as the first was.

    METEOR is slow, so it is not computed again: it is taken from the reports, where both have it in one language.

    Raises:
        SightlineError: the two are not of the same photos and references; names a photo.
    """
    check_photos(first.hypotheses, second.references, first.folder, second.folder)
    for photo, captions in first.references.items():
        if sorted(captions) != sorted(second.references[photo]):
            raise SightlineError(
                f"{second.folder}: the references of {photo!r} are not those in {first.folder}; compare results scored"
                " against the same references"
            )
    # Both in one order, which does not depend on theirs, so that resampling draws the same photos of both.
    ordered = [{name: each.hypotheses[name] for name in sorted(first.hypotheses)} for each in (first, second)]
    scored = [
        score_captions(hypotheses, first.references, metrics=quick_metrics(), tokenizer=first.tokenizer).scores
        for hypotheses in ordered
    ]
    pairs = [
        ScorePair(a.name, a.value, b.value, bootstrap.compare(a, b))
        for a, b in zip(scored[0].values(), scored[1].values(), strict=True)
        if a.value is not None and b.value is not None
    ]
    cider, photos = next(pair for pair in pairs if pair.name == "CIDEr"), len(first.hypotheses)
    meteor = [result.facts.get("scores", {}).get("METEOR") for result in (first, second)]
    languages = [result.facts.get("notes", {}).get("METEOR") for result in (first, second)]
    if None not in meteor and languages[0] == languages[1]:
        pairs.append(ScorePair("METEOR", meteor[0], meteor[1], None))
    return Comparison(photos, tuple(pairs), _verdict(cider, photos), tuple(_notes(first, second)))


def _verdict(pair: ScorePair, photos: int) -> str:
    """One sentence: whether the difference is larger than the choice of photos explains."""
    assert pair.paired is not None
    if pair.first == pair.second:
        return f"A and B have the same {pair.name} on these {photos} photos."
    better, worse = ("A", "B") if pair.first > pair.second else ("B", "A")
    margin = f"{in_print(pair.name, abs(pair.first - pair.second))} {pair.name} above {worse}"
    if pair.paired.low <= 0 <= pair.paired.high:
        return (
            f"{better} is {margin}, but the 95% interval contains zero (p = {pair.paired.p_value:.3f}): on these"
            f" {photos} photos the difference may be chance."
        )
    low, high = (in_print(pair.name, end) for end in sorted(abs(end) for end in (pair.paired.low, pair.paired.high)))
    return (
        f"{better} is better: {margin} (95% interval {low} to {high}, p = {pair.paired.p_value:.3f}), more than the"
        f" choice of these {photos} photos explains."
    )


def _notes(first: Result, second: Result) -> list[str]:
    """Where the protocols differ, and the warnings of both reports."""
    notes = [
        f"{key.replace('_', ' ')} is {first.facts[key]} for A and {second.facts[key]} for B"
        for key in _PROTOCOL
        if key in first.facts and key in second.facts and first.facts[key] != second.facts[key]
    ]
    warnings = {"A": first.facts.get("warnings", []), "B": second.facts.get("warnings", [])}
    shared = [warning for warning in warnings["A"] if warning in warnings["B"]]
    notes += [f"A and B: {warning}" for warning in shared]
    return notes + [f"{name}: {warning}" for name, own in warnings.items() for warning in own if warning not in shared]
