"""`sightline site`: a static web site that captions photos in its visitors' browsers."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.options import PATH, model_option
from sightline.cli.streams import put


@click.command()
@click.option("--out", type=PATH, metavar="FOLDER", required=True, help="Where to write; an earlier site is replaced.")
@model_option
def site(out: Path, model: Path | None) -> None:
    """Write a static web site that captions photos in the visitor's own browser.

    Any server of static files will do, and no photo leaves the visitor's device. npm, which comes with Node.js,
    fetches the runtime for browsers; after that no network is needed.
    """
    from sightline.captioner import model_folder
    from sightline.serve.site import write_site

    size = write_site(out, model_folder(model))
    put(f"{out}: {size / 1e6:.1f} MB; try it: python -m http.server --directory {out}")
