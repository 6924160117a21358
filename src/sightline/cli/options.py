"""What several verbs share: options, the group that lists verbs, and the check that their packages are installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from sightline.errors import SightlineError
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

_SETTINGS = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}
_TRAINING_TIER = ("torch", "torchvision", "lightning", "safetensors", "onnx", "onnxscript")

PATH = click.Path(path_type=Path)

model_option = click.option(
    "--model",
    type=PATH,
    help="The model's folder, or hf://USER/NAME[@REVISION]; without it, the model in the package.",
)
beam_size_option = click.option(
    "--beam-size", type=click.IntRange(min=1), default=BEAM_SIZE, help="Sentences kept at every word; 1 is greedy."
)
length_penalty_option = click.option(
    "--length-penalty", type=float, default=LENGTH_PENALTY, help="Rank by sum(log p) / length ** this."
)
regions_option = click.option(
    "--regions",
    type=PATH,
    help="Where the boxes of its captions' phrases are, such as Flickr30k Entities [default: in the folder].",
)
table_or_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
tokenizer_option = click.option(
    "--tokenizer",
    type=click.Choice(["ptb", "words", "characters", "none"]),  # a test compares them with `sightline.metrics`
    default="ptb",
    show_default=True,
    help="What makes words of captions before they are scored: ptb, the field's own for English; words, Unicode's;"
    " characters, for scripts that set no blanks; none, where they are tokenized.",
)
meteor_option = click.option(
    "--meteor/--no-meteor", default=True, help="METEOR is Java and takes longer than all else together."
)


class VerbGroup(click.Group):
    """Lists its verbs in the order they were added, each with the whole first paragraph of its help.

    Click alone would sort them by name and cut what is longer than a line.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": _SETTINGS, **kwargs})

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a verb."""
        cmd.short_help = (cmd.help or "").partition("\n\n")[0]
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs' names, the first one added first."""
        return list(self.commands)


def require_training_tier() -> None:
    """Raise `SightlineError`, saying how to install it, where the training tier is absent; imports nothing."""
    if absent := [name for name in _TRAINING_TIER if not is_installed(name)]:
        raise SightlineError(
            f'this verb needs the training tier: pip install "sightline[train]" (no {", ".join(absent)})'
        )


def is_installed(name: str) -> bool:
    """Whether a package could be imported; imports nothing."""
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
