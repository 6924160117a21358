"""`sightline ensemble`: several trained models as one."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.options import PATH
from sightline.cli.streams import put


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, metavar="MODEL", required=True, help="The folder to write.")
def ensemble(runs: tuple[Path, ...], out: Path) -> None:
    """Join trained models into one that chooses each word by the mean of their probabilities.

    RUN: The model folders that trainings left, two or more, of one vocabulary.

    MODEL is then a model folder like theirs: caption, explain, evaluate and export take it. Members that err
    differently make up for one another; a photo takes the time of all of them together.
    """
    from sightline.cli.training_tier import require_training_tier

    require_training_tier()
    from sightline.export.ensemble import make_ensemble

    made = make_ensemble(runs, out)
    put(f"{made.path}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")
