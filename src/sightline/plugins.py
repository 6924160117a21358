"""Plugins: modules outside the package whose parts register themselves, see `sightline.registry`.

Three ways lead here, and each is a decision of the person at the keyboard: a package was installed whose entry points
name its parts, a file was named (``--plugin FILE``, or the environment variable, by which processes that are started
later know it too), or a module was imported. A model folder only names what it needs: nothing in it is ever executed.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sightline.errors import SightlineError

if TYPE_CHECKING:  # it takes time that captioning, which needs no plugin, need not spend
    from importlib.metadata import EntryPoint

ENVIRONMENT = "SIGHTLINE_PLUGINS"
"""Files, and names of modules, as in ``PATH``; worker processes inherit it."""

_files: dict[str, str] = {}  # a file that was loaded -> the name of its module
_loading: list[str] = []
_packages: dict[str, Origin] = {}  # top-level module of an entry point -> its package
_registering: list[str] = []  # modules outside the package, in the order in which they registered something


class Origin(NamedTuple):
    """Where a part comes from: a package, or else a file's name without its folder; both empty: nobody knows."""

    package: str = ""
    version: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"the package {self.package} {self.version}".rstrip() if self.package else self.file or "nowhere known"

    def as_dict(self) -> dict[str, str]:
        """What is known, for config.json."""
        return {name: value for name, value in self._asdict().items() if value}

    @classmethod
    def from_dict(cls, values: object) -> Origin:
        """What a config.json says, which a stranger may have written: what is no such name is left out."""
        known = values if isinstance(values, Mapping) else {}
        given = {name: known[name] for name in cls._fields if isinstance(known.get(name), str)}
        return cls(**{name: value for name, value in given.items() if re.fullmatch(r"\w[\w. -]{0,99}", value)})

    def advice(self) -> str:
        """How to get a part that is not there."""
        if self.package:
            return f"it is of {self}, which is not installed: if you trust it, pip install {self.package}"
        if self.file:
            return f"it is of {self.file}: give that file by --plugin, or import it in Python"
        return "a plugin's: give its file by --plugin, or install its package"


def load_plugin(plugin: str | os.PathLike[str]) -> None:
    """Load a file whose parts register themselves, or a module by its name, here and in processes started later.

    What the file imports is also looked for beside it. Loading it again does nothing.

    Raises:
        SightlineError: there is no such file or module, it fails, or it registers nothing.
    """
    name = os.fspath(plugin)
    is_file = name.endswith(".py") or not all(part.isidentifier() for part in name.split("."))
    before = len(_registering)
    if is_file:
        name = os.path.abspath(name)  # noqa: PTH100  (a link keeps its name)
        is_new = _load_file(Path(name))
    else:
        is_new = name not in sys.modules
        with _told(f"plugin {name}"), _while_loading(name):
            import_module(name)
    if is_new and len(_registering) == before:
        raise SightlineError(f"--plugin {plugin}: registers nothing; docs/plugins.md shows how a part does")
    named = _named()
    if name not in named:
        os.environ[ENVIRONMENT] = os.pathsep.join([*named, name])


def load_named() -> None:
    """Load what `ENVIRONMENT` names and is not loaded yet."""
    for name in _named():
        if name not in _files and name not in sys.modules and name not in _loading:
            load_plugin(name)


def _named() -> list[str]:
    return [name for name in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if name]


def _load_file(path: Path) -> bool:
    if str(path) in _files:
        return False
    if not path.is_file():
        raise SightlineError(
            f"--plugin {path}: {'a folder; name a file in it' if path.is_dir() else 'there is no such file'}"
        )
    name = "sightline_plugin_" + re.sub(r"\W", "_", path.stem)
    while name in sys.modules:
        name += "_"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SightlineError(f"--plugin {path}: not a Python file (.py)")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last: what lies there replaces no other module
    module = module_from_spec(spec)
    sys.modules[name], _files[str(path)] = module, name
    try:
        with _told(f"--plugin {path}", str(path)), _while_loading(str(path)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name], _files[str(path)]
        raise
    return True


@contextmanager
def _while_loading(name: str) -> Iterator[None]:
    _loading.append(name)
    try:
        yield
    finally:
        _loading.pop()


@contextmanager
def _told(where: str, file: str = "", advice: str = "mend it") -> Iterator[None]:
    """Turn whatever a plugin raises while it is loaded into one line, with the line of ``file``."""
    try:
        yield
    except SightlineError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        place = f", line {line}" if line else ""
        reason = " ".join(str(error).split())
        raise SightlineError(f"{where}{place}: cannot be loaded ({type(error).__name__}: {reason}); {advice}") from None


def refuse_while_loading(what: str) -> None:
    """Raise `SightlineError` while a plugin is loaded: a script that trains cannot also be what the training loads."""
    if _loading:
        guard = 'put what it does below `if __name__ == "__main__":`, and leave only its parts above'
        raise SightlineError(f"{_loading[-1]}: {what} while it is loaded as a plugin; {guard}")


@cache
def entry_points(group: str) -> dict[str, EntryPoint]:
    """Name -> the entry point of an installed package, of a group such as ``sightline.encoders``."""
    from importlib import metadata

    return {entry.name: entry for entry in metadata.entry_points(group=group)}


def load_entry_point(entry: EntryPoint) -> None:
    """Import the module that an entry point names, which registers its parts; `SightlineError` if that fails."""
    package = Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin()
    _packages[entry.module.partition(".")[0]] = package
    with _told(f"{entry.name} of {package}", advice="upgrade or uninstall that package"):
        import_module(entry.module)


def note_registration(module: str) -> None:
    """Remember that a module registers a part."""
    if not is_own(module):
        _registering.append(module)


def is_own(module: str) -> bool:
    """Whether a module is part of sightline itself."""
    return module == "sightline" or module.startswith("sightline.")


def origin_of(module: str) -> Origin | None:
    """Where what a module registers comes from; None for sightline's own."""
    if is_own(module):
        return None
    top = module.partition(".")[0]
    if top in _packages:
        return _packages[top]
    if module in _files.values():
        return Origin(file=Path(next(path for path, name in _files.items() if name == module)).name)
    from importlib import metadata

    for package in metadata.packages_distributions().get(top, ()):
        return Origin(package, metadata.version(package))
    return Origin(file=Path(getattr(sys.modules.get(module), "__file__", None) or "").name)


def sources() -> list[str]:
    """What another process must load to know the same parts, for `ENVIRONMENT`: files and names of modules.

    Raises:
        SightlineError: a part was defined in an interactive session, where no other process finds it.
    """
    files = {name: path for path, name in _files.items()}
    found = dict.fromkeys(_named())
    for name in _registering:
        module = sys.modules.get(name)
        if name in files:
            found[files[name]] = None
        elif name != "__main__":
            found[name] = None
        elif (spec := getattr(module, "__spec__", None)) is not None:  # python -m NAME
            found[spec.name] = None
        elif (path := getattr(module, "__file__", None)) and Path(path).is_file():
            found[os.path.abspath(path)] = None  # noqa: PTH100
        else:
            raise SightlineError(
                "a part that is defined in this session cannot be found by other processes; write it into a file and"
                " import that, or train with training.devices=1"
            )
    return list(found)
