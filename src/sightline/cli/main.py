"""The `sightline` command."""

from __future__ import annotations

import sys
import warnings

import click
from PIL import Image

from sightline.cli import caption, compare, data, ensemble, evaluate, explain, export, info, score, site, train
from sightline.cli.group import VerbGroup
from sightline.errors import SightlineError


@click.group("sightline", cls=VerbGroup, context_settings={"show_default": True, "max_content_width": 100})
def app() -> None:
    """Captions photos and shows where it looked."""


app.add_command(caption.caption)
app.add_command(explain.explain)
app.add_command(site.site)
app.add_command(evaluate.evaluate)
app.add_command(compare.compare)
app.add_command(score.score)
app.add_command(info.info)
app.add_command(train.train)
app.add_command(ensemble.ensemble)
app.add_command(export.export)
app.add_command(data.app)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 1, Ctrl-C is status 130."""
    # Photos too large to be safe are refused; to warn of those that are merely large helps nobody here.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    try:
        sys.exit(app(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SightlineError as error:
        print(f"sightline: {error}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        print("sightline: interrupted", file=sys.stderr)
        sys.exit(130)
