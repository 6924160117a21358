"""The `sightline` command."""

from __future__ import annotations

import io
import sys

import click

from sightline._version import __version__
from sightline.cli import alt, caption, data, evaluate, explain, interruptions, models, serve, streams, train
from sightline.cli.options import VerbGroup
from sightline.errors import SightlineError
from sightline.preprocess import silence_pillow


@click.group("sightline", cls=VerbGroup)
@click.version_option(__version__, message="sightline %(version)s")
def app() -> None:
    """Captions photos and shows where it looked."""


for _verb in (
    *(caption.caption, explain.explain, alt.alt, serve.serve, serve.site),
    *(evaluate.evaluate, evaluate.compare, evaluate.score),
    *(models.info, train.train, models.calibrate, models.ensemble, models.export, models.push, data.app),
):
    app.add_command(_verb)


def main() -> None:
    """Run the command line; a user's mistake, or what the system refuses, is one line on stderr and exit status 1."""
    silence_pillow()  # its warnings name no photo; what matters of them ends in an error that does
    streams.prepare()
    with interruptions.raised():
        status = _run()
    sys.exit(status)


def _run() -> int:
    try:
        return app(standalone_mode=False) or 0
    except click.ClickException as error:
        error.show(usage := io.StringIO())
        streams.remark(*usage.getvalue().splitlines())
        return error.exit_code
    except SightlineError as error:
        streams.complain(error)
        return interruptions.exit_status() or 1
    except (KeyboardInterrupt, click.Abort):
        streams.complain("interrupted")
        return interruptions.exit_status() or 130
    except OSError as error:
        reason = error.strerror or str(error)
        streams.complain(f"{error.filename}: {reason}" if error.filename else reason)
        return interruptions.exit_status() or 1
