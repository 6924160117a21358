"""Why a photo cannot be opened, as one phrase for people, worked out from the exception that Pillow raised."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Sequence
from typing import BinaryIO, TypeAlias

from PIL import Image

from sightline.images.formats import HEIC, heic_is_read, recognise

OpenedSource: TypeAlias = str | BinaryIO
"""What Pillow opens: the path of a regular file, or a seekable binary file."""


class UnreadablePhoto(Exception):
    """A reason not to open a photo; its message is passed on as it is."""


def reason(error: Exception) -> str:
    """What is wrong with a photo, from what was raised while it was opened or decoded."""
    if isinstance(error, UnreadablePhoto):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a photo"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory; scale the photo down first"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    message = _message(error)
    if "null byte" in message or "null character" in message:
        return "no file has such a name, with a NUL byte in it"
    return _damaged_or_unsupported(error)


def unidentified(source: OpenedSource, formats: Sequence[str] | None) -> str:
    """What a file is that Pillow's readers of ``formats`` (None: all) do not take, where its first bytes tell."""
    beginning = first_bytes(source)
    if not beginning:
        return "an empty file"
    kind = recognise(beginning) if formats is None else None
    if kind is HEIC and heic_is_read():
        return "damaged or truncated HEIC photo"
    if kind:
        return kind.refusal
    otherwise = f"not a photo that is read here: {', '.join(formats)}" if formats else "not an image that can be read"
    return _complaint_of_its_reader(source, beginning, formats) or otherwise


def first_bytes(source: OpenedSource) -> bytes:
    """The first 512 bytes, which tell most formats."""
    if isinstance(source, str):
        with open(source, "rb") as file:  # noqa: PTH123
            return file.read(512)
    source.seek(0)
    return source.read(512)


def size_of(source: OpenedSource) -> int:
    """The size in bytes."""
    return os.path.getsize(source) if isinstance(source, str) else source.seek(0, io.SEEK_END)  # noqa: PTH202


def _damaged_or_unsupported(error: Exception) -> str:
    message = _message(error)
    # A NotImplementedError, or a KeyError in a table of the reader, is a kind of file that the reader does not know.
    unknown_kind = isinstance(error, (NotImplementedError, KeyError)) or isinstance(error.__cause__, KeyError)
    if unknown_kind or _UNSUPPORTED.search(message):
        return f"an image of a kind that is not supported ({message}); save it as JPEG or PNG"
    return f"damaged or truncated image ({message})"


# How Pillow's readers word what they do not support, as opposed to damage.
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unimplemented|not implemented|cannot find loader|ghostscript|unknown (pixel|compression"
    r"|data|mode|raw)|not configured|not available",
    re.IGNORECASE,
)


def _message(error: Exception) -> str:
    """The exception's message, or another phrase where it was not written for people."""
    message = " ".join(str(error).split())
    if re.fullmatch(r"decoder error -?\d+", message):
        return "its data cannot be decoded"
    worded = isinstance(error, (OSError, SyntaxError, ValueError, NotImplementedError)) and error.__cause__ is None
    return message if worded and message else "its data make no sense"


def _complaint_of_its_reader(source: OpenedSource, beginning: bytes, formats: Sequence[str] | None) -> str | None:
    """What the reader raises that recognises the first bytes, which `Image.open` swallows; None if none does."""
    for name in Image.OPEN if formats is None else formats:
        reader, accepts = Image.OPEN[name]
        if accepts and accepts(beginning[:16].ljust(16, b"\0")) is True:
            try:
                with contextlib.ExitStack() as opened:
                    file = opened.enter_context(open(source, "rb")) if isinstance(source, str) else source  # noqa: PTH123
                    file.seek(0)
                    reader(file, "")
            except Exception as error:
                return _damaged_or_unsupported(error)
    return None
