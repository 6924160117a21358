"""A multipart body -> photos and options, read in chunks: nothing over a limit is kept in memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value

import numpy as np
from numpy.typing import NDArray
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from sightline.serve.limits import Limits, Refused
from sightline.serve.schemas import CaptionOptions

PHOTOS = "photos"
_OPTION_BYTES = 100

# It would log every malformed body, which the client is told about anyway.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass
class UploadedPhoto:
    """A photo as it arrived; one that was ``refused`` for its size has no bytes.

    Where it is decoded before its turn, ``pixels``, uint8 (H, W, 3), and ``note`` stand for its bytes.
    """

    name: str
    content: bytearray = field(default_factory=bytearray)
    refused: Refused | None = None
    pixels: NDArray[np.uint8] | None = None
    note: str = ""


async def read_upload(request: Request, limits: Limits) -> Upload:
    """Read a request's body.

    Raises:
        Refused: it is not a multipart form, is compressed, malformed or incomplete, is larger than ``limits`` allow,
            or has a query parameter or a field that is neither photos nor an option.
        starlette.requests.ClientDisconnect: the client closed the connection.
    """
    if unknown := next(iter(request.query_params), None):
        raise Refused(422, "bad_option", f"no query parameter {unknown[:50]!r}: options are fields of the form")
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not parameters.get(b"boundary"):
        raise Refused(415, "not_multipart", f"send multipart/form-data, with image files in the field {PHOTOS!r}")
    upload = Upload(limits)
    try:
        parser = MultipartParser(
            parameters[b"boundary"],
            {
                "on_header_field": upload.header_name,
                "on_header_value": upload.header_value,
                "on_header_end": upload.header_end,
                "on_headers_finished": upload.headers_end,
                "on_part_data": upload.data,
                "on_end": upload.end,
            },
        )
        async for chunk in body_chunks(request, limits):
            parser.write(chunk)
    except FormParserError as error:
        raise Refused(400, "malformed", f"malformed multipart body: {error}") from None
    if not upload.is_complete:
        raise Refused(400, "malformed", "the multipart body ends before its last boundary")
    upload.check_photos(f"one or more image files in the field {PHOTOS!r}")
    return upload


async def body_chunks(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body as it arrives; `Refused` if it is compressed, or larger than ``limits`` allow."""
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Refused(415, "encoded", f"Content-Encoding {encoding[:50]!r} is not read: send the form as it is")
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.request_bytes:
            raise Refused(413, "too_large", f"a request may have {limits.request_bytes:,} bytes; send fewer photos")
        yield chunk


class Upload:
    """The content of a request, collected part by part: its photos in their order, its options as text."""

    def __init__(self, limits: Limits) -> None:
        self.photos: list[UploadedPhoto] = []
        self.options: dict[str, str] = {}
        self.is_complete = False
        self._limits = limits
        self._header, self._value, self._disposition = b"", b"", b""
        self._photo: UploadedPhoto | None = None
        self._option = ""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def headers_end(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        name, filename = (parameters.get(key, b"").decode(errors="replace") for key in (b"name", b"filename"))
        filename = _extended_filename(self._disposition) or filename
        self._disposition = b""  # the next part may have none
        if name == PHOTOS:
            self.begin_photo(filename or f"photo {len(self.photos) + 1}")
        elif name in CaptionOptions.model_fields:
            self._photo, self._option = None, name
            self.options[name] = ""
        else:
            known = ", ".join(CaptionOptions.model_fields)
            raise Refused(422, "bad_option", f"no field {name[:50]!r}: photos go in {PHOTOS!r}; options are {known}")

    def begin_photo(self, name: str) -> None:
        """Take what `data` brings from here on as the bytes of another photo; `Refused` if there are too many."""
        if len(self.photos) == self._limits.photos:
            raise Refused(422, "too_many_photos", f"a request may have {self._limits.photos} photos")
        self._photo = UploadedPhoto(name)
        self.photos.append(self._photo)

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._photo is None:
            value = self.options[self._option] + data[start:end].decode(errors="replace")
            if len(value) > _OPTION_BYTES:
                raise Refused(422, "bad_option", f"{self._option}: no such value")
            self.options[self._option] = value
        elif self._photo.refused or len(self._photo.content) + end - start > self._limits.photo_bytes:
            message = f"over {self._limits.photo_bytes:,} bytes; scale the photo down first"
            self._photo.refused = Refused(413, "too_large", message)
            self._photo.content.clear()
        else:
            self._photo.content += data[start:end]

    def end(self) -> None:
        self.is_complete = True

    def check_photos(self, expected: str) -> None:
        """Refuse photos that have no bytes; raise `Refused`, saying what is ``expected``, if there are no photos."""
        if not self.photos:
            raise Refused(422, "no_photos", f"no photos: send {expected}")
        for photo in self.photos:
            if not photo.content and not photo.refused:
                photo.refused = Refused(422, "empty", "no bytes arrived")


def _extended_filename(disposition: bytes) -> str:
    """What ``filename*=`` says (RFC 5987), as some clients send names that are not ASCII; empty where there is none."""
    header = Message()
    header["Content-Disposition"] = disposition.decode("latin-1")
    for key, value in header.get_params([], "Content-Disposition"):
        if key.lower() == "filename" and isinstance(value, tuple):
            return collapse_rfc2231_value(value, errors="replace")
    return ""
