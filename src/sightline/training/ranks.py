"""The processes that train one model together: which of them this is, and how they wait for each other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from torch.distributed import Store

from sightline.errors import SightlineError

_TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_FAILURE = "failure"
_LOOK_AGAIN = 0.05  # seconds


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; by default it is alone.

    Attributes:
        rank, world_size: its number, from 0, and how many there are.
        local_rank, local_world_size: the same among those on this machine.
        store: where they leave notes for each other; None where there is but one.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    store: Store | None = None
    _meetings: Iterator[int] = field(default_factory=count, compare=False)

    @property
    def is_rank_zero(self) -> bool:
        """Whether this is rank zero, which alone writes and speaks."""
        return self.rank == 0

    def shares(self) -> list[tuple[int, int]]:
        """(number, of how many): what this process does of work whose results lie in a folder.

        First its share among all. Where machines have a folder each, the others' results are not there: then its share
        among those on its machine.
        """
        among_all, here = (self.rank, self.world_size), (self.local_rank, self.local_world_size)
        return [among_all] if here == among_all else [among_all, here]

    def meet(self) -> None:
        """Return once all processes have come to the same call; raises `SightlineError` where one has failed."""
        if self.store is None:
            return
        place = f"meeting/{next(self._meetings)}"
        self.store.add(place, 1)
        while self.store.add(place, 0) < self.world_size:
            self.check()
            time.sleep(_LOOK_AGAIN)

    def as_rank_zero_says(self, decision: bool) -> bool:
        """Rank zero's ``decision`` in all processes, for what each might decide otherwise."""
        if self.store is None:
            return decision
        place = f"decision/{next(self._meetings)}"
        if self.is_rank_zero:
            self.store.set(place, str(int(decision)))
        self.meet()
        return bool(self.store.get(place) == b"1")

    @contextmanager
    def rank_zero_goes_ahead(self) -> Iterator[None]:
        """Let rank zero go through the block before any other enters it."""
        if not self.is_rank_zero:
            self.meet()
        yield
        if self.is_rank_zero:
            self.meet()

    def fail(self, reason: str) -> str:
        """Tell the others why this process fails; returns why the first of them did."""
        if self.store is not None:
            with suppress(RuntimeError):  # the store may have gone with the process that kept it
                return self.store.compare_set(_FAILURE, "", reason).decode()
        return reason

    def check(self) -> None:
        """Raise `SightlineError` where a process has failed."""
        if self.store is not None and self.store.check([_FAILURE]):
            raise SightlineError(self.store.get(_FAILURE).decode())


ALONE = Ranks()


def told_ranks() -> Ranks | None:
    """What torchrun, or whatever started this process, says of it in the environment; None if nothing does.

    The store is not there yet.
    """
    told = {name: os.environ[name] for name in _TOLD if name in os.environ}
    if len(told) < len(_TOLD):
        return None
    try:
        rank, world_size, local_rank, local_world_size = map(int, told.values())
    except ValueError:
        values = ", ".join(f"{name}={value}" for name, value in told.items())
        raise SightlineError(f"in the environment, {values} must be numbers: use torchrun, or unset them") from None
    return Ranks(rank, world_size, local_rank, local_world_size)


def speaks() -> bool:
    """Whether this process is the one that speaks for all."""
    return (told_ranks() or ALONE).is_rank_zero
