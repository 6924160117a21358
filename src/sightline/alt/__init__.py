"""Images without an alt text in a site's pages, and the photos that they show; one file a syntax."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):  # each registers what it defines
    import_module(f"{__name__}.{_module.name}")
