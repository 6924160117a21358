"""The `sightline` command."""

from __future__ import annotations

import sys
import warnings

import typer
from PIL import Image

from sightline.cli import caption, compare, data, evaluate, explain, export, info, score, train
from sightline.errors import SightlineError

app = typer.Typer(
    name="sightline",
    help="Captions photos and shows where it looked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(caption.caption)
app.command()(explain.explain)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(score.score)
app.command()(info.info)
app.command()(train.train)
app.command()(export.export)
app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 1, Ctrl-C is status 130."""
    # Photos too large to be safe are refused; to warn of those that are merely large helps nobody here.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    try:
        app()
    except SightlineError as error:
        print(f"sightline: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("sightline: interrupted", file=sys.stderr)
        sys.exit(130)
