"""``hf://USER/NAME`` -> a model folder in the Hub's cache on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sightline.errors import SightlineError
from sightline.hub.address import parse_address, reaching_the_hub
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY

_TO_CAPTION = (CONFIG, VOCABULARY, ONNX, CARD)


def fetch(address: str, also: Iterable[str] = ()) -> Path:
    """The folder of a model on the Hub, downloaded unless this revision is in the cache already.

    Only the files of a model folder are fetched, none of which runs code when it is read. Offline, or where
    ``HF_HUB_OFFLINE`` is set, what was fetched last of that revision serves.

    Args:
        address: ``hf://USER/NAME``, or with ``@REVISION``, a branch, a tag or a commit.
        also: further files, such as the weights to train on from.

    Raises:
        SightlineError: there is no such model or revision, it is no sightline model, or the Hub cannot be reached.
    """
    where = parse_address(address)
    with reaching_the_hub(where):
        from huggingface_hub import snapshot_download

        wanted = [*_TO_CAPTION, *also]
        folder = Path(snapshot_download(where.name, revision=where.revision, allow_patterns=wanted))
    if missing := [name for name in (CONFIG, VOCABULARY, *also) if not (folder / name).is_file()]:
        raise SightlineError(f"{where}: not what sightline pushes there (no {missing[0]}); name another model")
    return folder
