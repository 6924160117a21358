"""Regions, bounding boxes of the phrases of captions: one source a file, tried in the order of their ranks."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):  # each registers what it defines
    import_module(f"{__name__}.{_module.name}")
