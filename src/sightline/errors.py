"""`SightlineError`, the one exception that a user's mistake raises, such as packages that are not installed."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Any

# What a terminal would obey: control characters but for the tab, line separators, marks that turn the direction of
# writing, and surrogates.
_OBEYED = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_TRAINING_TIER = ("torch", "torchvision", "lightning", "safetensors", "onnx", "onnxscript", "pydantic", "yaml")


class SightlineError(Exception):
    """Something the person at the keyboard can mend: the message is one line that says what, where and the way out.

    The command line prints the message without a traceback and exits with status 1. Names of files in it may hold
    anything: it is made `printable`.

    Attributes:
        photo: in a result of `Captioner.stream` or `caption_batch`, the photo that has no caption, as in
            `Caption.photo`; otherwise None.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))
        self.photo: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        from sightline.images.source import ImageSource  # here, as images/ may import this file

        kept = self.photo if isinstance(self.photo, str | os.PathLike | ImageSource) else None
        return type(self), self.args, {**self.__dict__, "photo": kept}


def printable(text: str) -> str:
    r"""``text`` on one line, safe for a terminal: control characters as ``\x1b``, direction marks as ``\u202e``."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def require(what: str, extra: str, packages: tuple[str, ...], who: str = "this verb") -> None:
    """Raise `SightlineError`, saying how to install it, where an extra's packages are absent; imports nothing."""
    if absent := [name for name in packages if not _is_installed(name)]:
        raise SightlineError(f'{who} needs {what}: pip install "sightline[{extra}]" (no {", ".join(absent)})')


def require_training_tier(who: str = "this verb") -> None:
    """Raise `SightlineError` where the training tier is absent; imports nothing."""
    require("the training tier", "train", _TRAINING_TIER, who)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
