"""A command made of verbs."""

from __future__ import annotations

from typing import Any

import click

_SETTINGS = {"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]}


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
