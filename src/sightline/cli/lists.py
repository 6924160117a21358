"""A list of file names on standard input, as programs write them."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from sightline.errors import SightlineError

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_list(stream: TextIO | None) -> Iterator[str]:
    """The names of a list, one a line or each ended by NUL (``find -print0``), as they come; empty ones are left out.

    It is in the system's encoding, or in the one that its byte-order mark names (UTF-8, UTF-16). A name need not be
    valid text: what the system gave is what it gets back.

    Raises:
        SightlineError: there is no standard input, or it cannot be read.
    """
    if stream is None:
        raise SightlineError("-: stdin is closed; pipe a list of photos into it, or name the photos")
    try:
        for name in _names(_chunks(stream.buffer)):
            if name:
                yield os.fsdecode(name)
    except OSError as error:
        raise SightlineError(f"-: stdin cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SightlineError(f"-: the list on stdin is broken {error.encoding} text; save it as UTF-8") from None


def _names(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Whichever separator is met first is the list's; NUL wins, as no name can hold one."""
    separator, rest = b"", b""
    for chunk in chunks:
        rest += chunk
        separator = separator or next((mark for mark in (b"\0", b"\n") if mark in rest), b"")
        if separator:
            *whole, rest = rest.split(separator)
            yield from (name.removesuffix(b"\r") if separator == b"\n" else name for name in whole)
    yield rest.removesuffix(b"\r")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """What a file holds, as soon as it is there, without a byte-order mark and never in UTF-16."""
    read = getattr(file, "read1", file.read)
    head = read(1 << 16)
    while any(mark.startswith(head) and mark != head for mark in _MARKS) and (more := read(1 << 16)):
        head += more
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    chunks = iter(lambda: read(1 << 16), b"")
    if encoding is None:
        yield head
        yield from chunks
    else:
        decoder = codecs.getincrementaldecoder(encoding)()
        yield decoder.decode(head).encode()
        yield from (decoder.decode(chunk).encode() for chunk in chunks)
        decoder.decode(b"", final=True)
