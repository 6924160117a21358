"""The part of a report's page about where the model looked: a table by noun, and photos with the boxes drawn."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from sightline.evaluation.pointing import Boxes, Look, by_noun
from sightline.evaluation.protocol import Evaluation
from sightline.explain.page import article

NOUNS = 15  # the commonest ones shown
EXTREMES = 4  # photos shown where attention lies best, and worst

_COLUMNS: dict[str, Callable[[Look], float | None]] = {
    "attention points": lambda look: look.points,
    "evidence points": lambda look: look.evidence_points,
    "middle of photo": lambda look: look.middle_points,
    "random cell": lambda look: look.random_points,
    "attention's mass": lambda look: look.mass,
    "uniform mass": lambda look: look.uniform_mass,
}


def pointing_section(evaluation: Evaluation) -> str:
    """The section as HTML; empty where no noun of a known thing was said.

    Raises `SightlineError` where a photo that is shown can no longer be read.
    """
    if not evaluation.looks:
        return ""
    groups = list(by_noun(evaluation.looks).items())[:NOUNS]
    rows = "".join(_row(noun, looks) for noun, looks in [("all nouns", evaluation.looks), *groups])
    best, worst = _extremes(evaluation.looks)
    return f"""\
<section>
<h2>Whether it looks at what it names</h2>
<p>Of the nouns that it says of things whose place in the photo is known, how many attention, or evidence, points at: it
peaks in the thing's box. Mass is the share of attention that lies there, of 100.</p>
<table>
<thead><tr><th></th><th>said</th>{"".join(f"<th>{name}</th>" for name in _COLUMNS)}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</section>
<section>
<h2>Where attention lies best</h2>
<p>Much more of it in the boxes of the noun, which are drawn, than if it were the same everywhere.</p>
<div class="gallery">
{"".join(_photo(evaluation, look) for look in best)}</div>
</section>
<section>
<h2>Where it lies worst</h2>
<p>Less in the boxes than if it were the same everywhere.</p>
<div class="gallery">
{"".join(_photo(evaluation, look) for look in worst)}</div>
</section>"""


def _row(noun: str, looks: Sequence[Look]) -> str:
    cells = ""
    for value in _COLUMNS.values():
        found = [value(look) for look in looks]
        cells += "<td>–</td>" if None in found else f"<td>{100 * np.mean(np.array(found, float)):.1f}</td>"
    return f"<tr><th>{html.escape(noun)}</th><td>{len(looks):,}</td>{cells}</tr>\n"


def _extremes(looks: Iterable[Look]) -> tuple[list[Look], list[Look]]:
    """The looks most above uniform attention, best first, and most below, worst first; each of another photo."""
    order = sorted(looks, key=lambda look: look.uniform_mass - look.mass)
    best = _one_a_photo(look for look in order if look.mass >= look.uniform_mass)[:EXTREMES]
    shown = {look.photo for look in best}
    rest = (look for look in reversed(order) if look.mass < look.uniform_mass and look.photo not in shown)
    return best, _one_a_photo(rest)[:EXTREMES]


def _one_a_photo(looks: Iterable[Look]) -> list[Look]:
    first: dict[str, Look] = {}
    for look in looks:
        first.setdefault(look.photo, look)
    return list(first.values())


def _photo(evaluation: Evaluation, look: Look) -> str:
    lies = f"<b>{100 * look.mass:.0f}</b> of 100 in {100 * look.uniform_mass:.0f}% of the photo"
    return article(
        evaluation.examples[look.photo].photo,
        look.photo,
        replace(evaluation.captions[look.photo], alternatives=(), evidence=None),
        facts=f"<span>{html.escape(look.noun)}: {lies}</span>",
        over=_drawn(look.boxes),
    )


def _drawn(boxes: Boxes) -> str:
    drawn = "".join(
        f'<rect x="{left:.4f}" y="{top:.4f}" width="{right - left:.4f}" height="{bottom - top:.4f}"/>'
        for left, top, right, bottom in boxes.tolist()
    )
    return f'<svg class="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>\n'
