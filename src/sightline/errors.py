"""`SightlineError`, the one exception that a user's mistake raises; it keeps no decoded photo alive."""

from __future__ import annotations

import os
import re
from typing import Any

# Control characters but for the tab, line separators, marks that turn the direction of writing, and bytes that are no
# text: a terminal would obey them.
_OBEYED = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class SightlineError(Exception):
    """Something the person at the keyboard can mend: the message is one line that says what, where and how.

    The command line prints the message without a traceback and exits with status 1. Names of files are part of
    messages, and may hold anything; what a terminal would obey is shown by its number, see `printable`.

    Attributes:
        photo: in a result of `Captioner.stream` or `caption_batch`, the photo that has no caption, as it was given (the
            same object, as in `Caption.photo`); otherwise None. Pickled, an error keeps a path or an `ImageSource`
            alone.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))
        self.photo: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        from sightline.images.source import ImageSource  # here, as images/ may import this file

        kept = self.photo if isinstance(self.photo, str | os.PathLike | ImageSource) else None
        return type(self), self.args, {**self.__dict__, "photo": kept}

    def bare(self) -> SightlineError:
        """This error without traceback, cause and context, whose frames hold what was decoded of a photo."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


def printable(text: str) -> str:
    r"""``text`` on one line, safe for a terminal: control characters as ``\x1b``, direction marks as ``\u202e``."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)
