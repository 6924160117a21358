"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

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
