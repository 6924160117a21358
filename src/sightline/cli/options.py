"""What several verbs share: options, and the group that lists verbs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

_SETTINGS = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}
_LANGUAGES = ("en", "cz", "de", "es", "fr")  # as `sightline.metrics.meteor` has them; a test compares them

PATH = click.Path(path_type=Path)


class _Probability(click.FloatRange):
    """A number from 0 to 1; NaN, which is in every range as no comparison holds, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range 0<=x<=1.", param, ctx)
        return number


PROBABILITY = _Probability(0, 1)

Verb = TypeVar("Verb", bound=Callable[..., Any])

model_option = click.option(
    "--model", type=PATH, help="The model's folder, or hf://USER/NAME[@REVISION]; without it, the model in the package."
)
regions_option = click.option(
    "--regions",
    type=PATH,
    help="Where the boxes of its captions' phrases are, such as Flickr30k Entities [default: in the folder].",
)


def _load_plugins(_: object, __: object, files: tuple[str, ...]) -> None:
    if files:
        from sightline.plugins import load_plugin

        for file in files:
            load_plugin(file)


plugin_option = click.option(
    "--plugin",
    metavar="FILE",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_load_plugins,
    help="A Python file of parts of your own, which is executed: docs/plugins.md. Repeatable.",
)
photos_argument = click.argument("photos", metavar="PHOTO...", nargs=-1, required=True)


def _allow_pixels(_: object, __: object, megapixels: int | None) -> int | None:
    if megapixels is None:
        return None
    from sightline.preprocess import allow_pixels

    allow_pixels(megapixels * 1_000_000)
    return megapixels * 1_000_000


max_megapixels_option = click.option(
    "--max-megapixels",
    "max_pixels",
    type=click.IntRange(min=1),
    callback=_allow_pixels,
    show_default="178",
    help="Million pixels that a photo may need memory for; a JPEG decoded at a smaller scale needs less.",
)


def search_options(verb: Verb) -> Verb:
    """``--beam-size``, ``--length-penalty`` and ``--allow-repeats``."""
    size, penalty = "Sentences kept at every word; 1 is greedy.", "Rank by sum(log p) / length ** this."
    repeats = "A pair of words may come twice, and a noun again after “with”, “and” or “of”."
    verb = click.option("--allow-repeats", is_flag=True, help=repeats)(verb)
    verb = click.option("--length-penalty", type=float, default=LENGTH_PENALTY, help=penalty)(verb)
    return click.option("--beam-size", type=click.IntRange(min=1), default=BEAM_SIZE, help=size)(verb)


def scoring_options(verb: Verb) -> Verb:
    """``--tokenizer``, ``--meteor`` and ``--language``."""
    meteor = "METEOR is Java and takes longer than all else together."
    language = "The captions', for METEOR [default: en if they look English, else no METEOR]."
    verb = click.option("--language", type=click.Choice(_LANGUAGES), help=language)(verb)
    return tokenizer_option(click.option("--meteor/--no-meteor", default=True, help=meteor)(verb))


tokenizer_option = click.option(
    "--tokenizer",
    type=click.Choice(["ptb", "words", "characters", "none"]),  # a test compares them with `sightline.metrics`
    default="ptb",
    show_default=True,
    help="What makes words of captions before they are scored: ptb, the field's own for English; words, Unicode's;"
    " characters, for scripts that set no blanks; none, where they are tokenized.",
)


class VerbGroup(click.Group):
    """Lists its verbs in the order they were added, unsorted, each with the whole first paragraph of its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": _SETTINGS, **kwargs})

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.short_help = (cmd.help or "").partition("\n\n")[0]
        # Of its own, too: click keeps the options for help that it first finds, as without the group.
        cmd.context_settings = {**_SETTINGS, **cmd.context_settings}
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)
