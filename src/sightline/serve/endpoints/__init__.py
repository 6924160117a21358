"""Other programs' ways to ask for captions: one file each, served because it lies here and registers itself."""

from pkgutil import iter_modules

# The package's own, by their files: the command line names them before it knows that the service is installed.
NAMES = tuple(module.name for module in iter_modules(__path__))
