"""The captioner as torch modules, and the registry of the parts that a recipe chooses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sightline.errors import SightlineError

T = TypeVar("T")


class Registry(dict[str, T]):
    """Parts of one ``kind`` by name; a name that is not there raises `SightlineError`, which lists those that are."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator with which a part registers itself as ``name``."""

        def add(part: T) -> T:
            self[name] = part
            return part

        return add

    def __missing__(self, name: str) -> T:
        raise SightlineError(f"unknown {self.kind} {name!r}; there are: {', '.join(self)}")
