"""The reference: every verb as click knows it, and every public name of the package for mkdocstrings to describe."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

import sightline.testing
from sightline.cli.main import app

# The public names, by what a reader wants to do; a whole module means what is public in it.
API: dict[str, tuple[str, ...]] = {
    "Captioning": ("sightline.load", "sightline.Captioner", "sightline.Caption", "sightline.SightlineError"),
    "Showing": ("sightline.explain.draw_attention", "sightline.explain.write_page"),
    "Scoring": ("sightline.evaluation.api", "sightline.metrics.registry", "sightline.metrics.tokenizers"),
    "Many photos": ("sightline.bulk.CaptionBatches", "sightline.bulk.caption_photos", "sightline.bulk.arrow_schema"),
    "Photos": ("sightline.images.source", "sightline.images.find"),
    "Data": ("sightline.data.dataset", "sightline.data.example", "sightline.data.layout"),
    "The model": (
        *("sightline.nn.attention", "sightline.nn.decoder", "sightline.nn.gru", "sightline.nn.lstm"),
        *("sightline.nn.transformer", "sightline.nn.encoder", "sightline.nn.search", "sightline.nn.evidence"),
        "sightline.nn.model",
    ),
    "Parts of your own": (
        *("sightline.registry", "sightline.plugins", "sightline.nn.options", "sightline.training.registries"),
        *("sightline.training.penalty", "sightline.data.regions.base", "sightline.writers.writer"),
        *(f"sightline.testing.{name}" for name in sightline.testing.__all__),
    ),
    "Training": (
        *("sightline.training.train", "sightline.training.objective", "sightline.training.caption_dataset"),
        "sightline.training.validation_metrics",
    ),
}


def api_pages() -> dict[str, str]:
    """For each page of the API its Markdown, in which mkdocstrings puts what docstrings and signatures say."""
    return {
        f"reference/{title.lower().replace(' ', '_')}.md": "\n\n".join([f"# {title}", *(f"::: {n}" for n in names)])
        for title, names in API.items()
    }


def command_page() -> str:
    """The Markdown of all verbs: usage, what they do, arguments and options with their defaults."""
    lines = ["# Commands", "", "`sightline VERB --help` prints what stands here, and `sightline --help` all verbs.", ""]
    for names, command in _verbs(app, ("sightline",)):
        context = click.Context(command, info_name=" ".join(names), **command.context_settings)
        lines += [f"## {' '.join(names)}", "", "```text", *command.get_usage(context).split("\n"), "```", ""]
        lines += [_paragraphs(command.help or ""), "", *_options(command, context), ""]
    return "\n".join(lines)


def _verbs(group: click.Group, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _verbs(command, (*names, name))
        else:
            yield (*names, name), command


def _paragraphs(text: str) -> str:
    """Help as Markdown: stars and underscores mean themselves there."""
    text = inspect.cleandoc(text).replace("\b\n", "").replace("*", r"\*").replace("_", r"\_")
    return text.replace("<", "&lt;")


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    rows = [f"| `{_cell(name)}` | {_cell(_paragraphs(text))} |" for name, text in records if text]
    return ["| option | what it does |", "|---|---|", *rows] if rows else []


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
