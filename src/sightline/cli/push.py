"""`sightline push`: a model to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.options import PATH
from sightline.cli.streams import put


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.argument("name", metavar="USER/NAME")
@click.option(
    "--report", type=PATH, help="A folder written by `sightline evaluate`: its scores go into the model's card."
)
@click.option("--license", "license_name", metavar="ID", help="The model's licence as the Hub calls it: apache-2.0")
@click.option("--private", is_flag=True, help="Make a new model visible to its owner only.")
def push(run: Path, name: str, report: Path | None, license_name: str | None, private: bool) -> None:
    """Push a model to the Hugging Face Hub, for `load("hf://USER/NAME")` and --model hf://USER/NAME.

    Pushes model.onnx, model.safetensors, their configuration, vocabulary, recipe and card. Log in first: hf auth login.
    """
    from sightline.evaluation.report import read_report
    from sightline.hub.push import push as to_the_hub

    facts = read_report(report).facts if report else {}
    pushed = to_the_hub(run, name, facts, private, license_name)
    put(f"pushed, as commit {pushed}")
