"""Parts that are chosen by name: each registers itself, in the package, in another one, or in a person's own file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from sightline.errors import SightlineError
from sightline.plugins import (
    Origin,
    entry_points,
    is_own,
    load_entry_point,
    load_named,
    note_registration,
    origin_of,
)

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """The parts of one ``kind`` by name; a name that is not there raises `SightlineError`, which lists those that are.

    Files of ``package`` register their parts when the first is looked up. A name that none of them has is looked for
    in the files that were named (``--plugin``), then among the entry points of installed packages, in the group
    ``sightline.`` and ``plural``, where the entry point has the part's name and names the module that registers it.
    Iterating gives all names, and loads only what it must.

    Args:
        kind, plural: what a part is called in messages, and in the entry points' group.
        package: the package whose modules register themselves.
        first: names that come before the others, which are in the order of files.
    """

    def __init__(self, kind: str, plural: str, package: str, first: Sequence[str] = ()) -> None:
        self.kind, self.group, self.package = kind, f"sightline.{plural}", package
        self._first = first
        self._parts: dict[str, T] = {}
        self._modules: dict[str, str] = {}  # name -> the module that registered it
        self._is_scanned = False

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator with which a part registers itself as ``name``."""

        def enter(part: T) -> T:
            self.add(name, part)
            return part

        return enter

    def add(self, name: str, part: T, by: object = None) -> None:
        """Enter a part; ``by`` is the function or class that it is made of, where it is none itself.

        A part takes the place of one of the same name that its own module registered, as when a notebook's cell runs
        again. Raises `SightlineError` where another module has that name.
        """
        module = getattr(part if by is None else by, "__module__", None) or "__main__"
        if name in self._parts and self._modules[name] != module:
            here, there = (origin_of(each) or "sightline" for each in (module, self._modules[name]))
            raise SightlineError(f"{self.kind} {name!r} of {here}: {there} has one of that name; choose another")
        self._parts[name], self._modules[name] = part, module
        note_registration(module)

    def origin(self, name: str) -> Origin | None:
        """Where the part comes from; None for sightline's own."""
        self[name]
        return origin_of(self._modules[name])

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise SightlineError(self.unknown(name))
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        for look in (self._scan, load_named, lambda: self._load_installed(str(name))):
            if name in self._parts:
                break
            look()
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        self._scan()
        load_named()
        parts = sorted(self._parts, key=lambda name: not is_own(self._modules[name]))  # the package's own come first
        names = dict.fromkeys([*parts, *entry_points(self.group)])
        yield from (name for name in self._first if name in names)
        yield from (name for name in names if name not in self._first)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def own(self) -> list[str]:
        """The names of the package's own parts."""
        return [name for name in self if name in self._parts and is_own(self._modules[name])]

    def unknown(self, name: str, others: Sequence[str] = ()) -> str:
        """What to say of a name that is not there; ``others``: further names that would do."""
        return f"{name!r} is none of {', '.join((*self, *others))}; {Origin().advice()}"

    def _scan(self) -> None:
        """Import the package's own files, once."""
        if not self._is_scanned:
            self._is_scanned = True
            try:
                for module in iter_modules(import_module(self.package).__path__):
                    import_module(f"{self.package}.{module.name}")
            except BaseException:
                self._is_scanned = False
                raise

    def _load_installed(self, name: str) -> None:
        if entry := entry_points(self.group).get(name):
            load_entry_point(entry)
            if name not in self._parts:
                raise SightlineError(f"{entry.value}: registers no {self.kind} {name!r}, as its entry point says")


def parameters(part: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters that a part can be given by name, with their annotations evaluated.

    Raises:
        SightlineError: an annotation names something that is not there when the part runs.
    """
    try:
        signature = inspect.signature(part, eval_str=True)
    except NameError as error:
        name = getattr(part, "__qualname__", part)
        raise SightlineError(f"{name}: {error} in an annotation; import it outside of `if TYPE_CHECKING`") from None
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in by_name}


def make(part: Callable[..., T], known: Mapping[str, Any], options: Mapping[str, Any]) -> T:
    """Call ``part`` with those of ``known`` that it has parameters for, and all ``options``."""
    return part(**{name: value for name, value in known.items() if name in parameters(part)}, **options)
