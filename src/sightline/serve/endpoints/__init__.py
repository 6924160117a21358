"""Other programs' ways to ask for captions: one file each, served because it lies here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line names them before it knows that the service is installed
    from sightline.serve.json_request import Endpoint

NAMES = tuple(module.name for module in iter_modules(__path__))


def load_endpoints(names: Sequence[str]) -> list[Endpoint]:
    """The endpoints of these ``NAMES``."""
    return [import_module(f"{__name__}.{name}").ENDPOINT for name in names]
