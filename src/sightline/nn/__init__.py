"""The captioner as torch modules, and the registry of the parts that a recipe chooses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sightline.errors import SightlineError

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one kind by name; a part registers itself with ``@REGISTRY.register("name")``.

    ``registry["name"]`` raises `SightlineError`, which lists the names, where there is none of this name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that makes the part known as ``name``."""

        def add(part: T) -> T:
            self._parts[name] = part
            return part

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._parts:
            raise SightlineError(f"unknown {self.kind} {name!r}; there are: {', '.join(self.names())}")
        return self._parts[name]

    def names(self) -> tuple[str, ...]:
        """All registered names, in the order of registration."""
        return tuple(self._parts)
