"""Captions to where other programs read them: beside photos, in metadata, in lists; one file a form."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):  # each registers what it defines
    import_module(f"{__name__}.{_module.name}")
