"""``hf://USER/NAME`` -> a model folder in the local cache of the Hub; errors of the Hub in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sightline.errors import SightlineError
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY

# One slash too: `Path` turns two into one.
_ADDRESS = re.compile(r"(?:hf:/{1,2})?(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@\s]+))?")


class Address(NamedTuple):
    """``hf://USER/NAME@REVISION``; the revision is a branch, a tag or a commit, None the newest on the main branch."""

    name: str
    revision: str | None

    def __str__(self) -> str:
        return f"hf://{self.name}" + (f"@{self.revision}" if self.revision else "")


def parse_address(text: str) -> Address:
    """Parse ``hf://USER/NAME[@REVISION]``, with or without ``hf://``; raises `SightlineError` for anything else."""
    if not (match := _ADDRESS.fullmatch(text)):
        raise SightlineError(
            f"{text}: not a model's address on the Hub; write hf://USER/NAME or hf://USER/NAME@REVISION"
        )
    return Address(match["name"], match["revision"])


def fetch(address: str, also: Iterable[str] = ()) -> Path:
    """The local folder of a model on the Hub, downloaded unless this revision is in the cache.

    Only the files of a model folder, and ``also`` others, are downloaded, none of which runs code when it is loaded.
    Offline, or with ``HF_HUB_OFFLINE`` set, the last downloaded copy of that revision is used.

    Raises:
        SightlineError: there is no such model or revision, it is not a sightline model, or the Hub cannot be reached.
    """
    parsed = parse_address(address)
    with hub_errors(parsed):
        from huggingface_hub import snapshot_download

        files = [CONFIG, VOCABULARY, ONNX, CARD, *also]
        folder = Path(snapshot_download(parsed.name, revision=parsed.revision, allow_patterns=files))
    if missing := [name for name in (CONFIG, VOCABULARY, *also) if not (folder / name).is_file()]:
        raise SightlineError(f"{parsed}: not a model pushed by sightline (no {missing[0]}); name another model")
    return folder


@contextmanager
def hub_errors(address: Address) -> Iterator[None]:
    """Turn every error of the Hub within the block, and a missing `huggingface_hub`, into a `SightlineError`."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise SightlineError(f'{address}: models on the Hub need its library: pip install "sightline[hub]"') from None
    try:
        yield
    except errors.RevisionNotFoundError:
        raise SightlineError(f"{address}: the model has no such revision; name another after @") from None
    except errors.LocalTokenNotFoundError:
        raise SightlineError(f"{address}: not logged in to the Hub; log in: hf auth login, or set HF_TOKEN") from None
    except errors.RepositoryNotFoundError:
        raise SightlineError(
            f"{address}: no such model on the Hub, or a private one; check the name, or log in: hf auth login"
        ) from None
    except errors.LocalEntryNotFoundError:
        raise SightlineError(
            f"{address}: not in the cache, and the Hub cannot be reached; go online once, or name a model folder"
        ) from None
    except Exception as error:  # huggingface_hub passes on whatever its HTTP library raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SightlineError(f"{address}: the Hub refused or cannot be reached ({reason})") from None
