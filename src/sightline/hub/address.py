"""A model's address on the Hub, and what may go wrong on the way there, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sightline.errors import SightlineError

# One slash too: that is what becomes of two in a path.
_ADDRESS = re.compile(r"(?:hf:/{1,2})?(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@\s]+))?")


class Address(NamedTuple):
    """Where a model lies: ``hf://USER/NAME@REVISION``.

    Attributes:
        name: ``USER/NAME``.
        revision: a branch, a tag or a commit; None for the newest on the main branch.
    """

    name: str
    revision: str | None

    def __str__(self) -> str:
        return f"hf://{self.name}" + (f"@{self.revision}" if self.revision else "")


def parse_address(text: str) -> Address:
    """Read ``hf://USER/NAME[@REVISION]``, with or without ``hf://``; `SightlineError` if it is something else."""
    if not (match := _ADDRESS.fullmatch(text)):
        raise SightlineError(f"{text}: no model's address on the Hub; write hf://USER/NAME or hf://USER/NAME@REVISION")
    return Address(match["name"], match["revision"])


@contextmanager
def reaching_the_hub(address: Address) -> Iterator[None]:
    """Raise `SightlineError` where what the block asks of the Hub cannot be had, or there is no `huggingface_hub`."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise SightlineError(f'{address}: models on the Hub need its library: pip install "sightline[hub]"') from None
    try:
        yield
    except errors.RevisionNotFoundError:
        raise SightlineError(f"{address}: the Hub has the model, but no such revision; name another after @") from None
    except (errors.RepositoryNotFoundError, errors.LocalTokenNotFoundError):
        raise SightlineError(
            f"{address}: the Hub has no such model, or does not show it; check the name, or log in: hf auth login"
        ) from None
    except errors.LocalEntryNotFoundError:
        raise SightlineError(
            f"{address}: not in the cache, and the Hub cannot be reached; go online once, or name a model folder"
        ) from None
    except Exception as error:  # huggingface_hub raises what its HTTP library raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SightlineError(f"{address}: the Hub refuses or cannot be reached ({reason})") from None
